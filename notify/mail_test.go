package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"ingot.dev/ingot"
)

// letter is a mail that the test's server took.
type letter struct {
	from, user string
	to         []string
	data       []byte
}

// postbox is an SMTP server: user "ingot" with the password "pass word".
type postbox struct {
	letters chan letter
	refuse  bool
}

func (p *postbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &delivery{box: p}, nil }

type delivery struct {
	box *postbox
	letter
}

func (d *delivery) AuthMechanisms() []string { return []string{sasl.Plain} }

func (d *delivery) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ingot" || password != "pass word" {
			return smtp.ErrAuthFailed
		}
		d.user = user
		return nil
	}), nil
}

func (d *delivery) Mail(from string, _ *smtp.MailOptions) error {
	d.from = from
	return nil
}

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	if d.box.refuse {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	d.to = append(d.to, to)
	return nil
}

func (d *delivery) Data(r io.Reader) (err error) {
	if d.data, err = io.ReadAll(r); err == nil {
		d.box.letters <- d.letter
	}
	return err
}

func (d *delivery) Reset()        {}
func (d *delivery) Logout() error { return nil }

// certificate is one for 127.0.0.1, and the file of its authority.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

// startPostbox starts a server; secure wraps connections in TLS from the start.
func startPostbox(t *testing.T, c tls.Certificate, secure bool) (*postbox, int) {
	t.Helper()
	box := &postbox{letters: make(chan letter, 10)}
	server := smtp.NewServer(box)
	server.TLSConfig, server.Domain, server.ErrorLog = &tls.Config{Certificates: []tls.Certificate{c}}, "localhost", silence{}
	server.AllowInsecureAuth = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if secure {
		l = tls.NewListener(l, server.TLSConfig)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return box, port
}

type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

func TestMail(t *testing.T) {
	cert, ca := certificate(t)
	for _, security := range []string{"starttls", "tls", "none"} {
		t.Run(security, func(t *testing.T) {
			box, port := startPostbox(t, cert, security == "tls")
			m := event(1, 2)
			m.Subject = "Grüße\r\nBcc: evil@example.com"
			err := send(t, &Mail{
				Host: "127.0.0.1", Port: port, TLS: security, CAFile: ca, Username: "ingot", PasswordFile: write(t, "password", "pass word\n"),
				From: "Ingot <ingot@example.com>", To: []string{"ops@example.com", "Dev <dev@example.com>"},
			}, m)
			if err != nil {
				t.Fatal(err)
			}
			checkLetter(t, <-box.letters)
		})
	}
}

func checkLetter(t *testing.T, got letter) {
	t.Helper()
	if got.user != "ingot" || got.from != "ingot@example.com" || strings.Join(got.to, " ") != "ops@example.com dev@example.com" {
		t.Errorf("from %s (logged in as %s) to %v", got.from, got.user, got.to)
	}
	parsed, err := mail.ReadMessage(bytes.NewReader(got.data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil || subject != "Grüße Bcc: evil@example.com" || parsed.Header.Get("Bcc") != "" {
		t.Errorf("subject %q, %v; Bcc %q", subject, err, parsed.Header.Get("Bcc"))
	}
	if id := parsed.Header.Get("Message-Id"); id != "<1-2@ingot>" {
		t.Errorf("message id %s", id)
	}
	body, err := io.ReadAll(parsed.Body)
	if err != nil || !strings.Contains(string(body), "\"image\": 1,") {
		t.Errorf("body %q, %v", body, err)
	}
}

// TestMailFails: nothing is sent in the clear that was to be encrypted, and
// what the server says is in the error.
func TestMailFails(t *testing.T) {
	cert, ca := certificate(t)
	_, other := certificate(t)
	box, port := startPostbox(t, cert, false)
	box.refuse = true
	for name, test := range map[string]struct {
		change func(*Mail)
		want   string
	}{
		"unknown authority": {func(m *Mail) { m.CAFile = other }, "certificate"},
		"wrong password":    {func(m *Mail) { m.PasswordFile = write(t, "password", "guess") }, "535"},
		"refused":           {func(*Mail) {}, "no such user"},
		"tls to plain":      {func(m *Mail) { m.TLS = "tls" }, "tls"},
	} {
		m := &Mail{
			Host: "127.0.0.1", Port: port, CAFile: ca, Username: "ingot", PasswordFile: write(t, "password", "pass word"),
			From: "ingot@example.com", To: []string{"ops@example.com"},
		}
		test.change(m)
		if err := send(t, m, event(1, 1)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	if n := len(box.letters); n != 0 {
		t.Errorf("%d letters were taken", n)
	}
}

// TestMailSilentServer: a server that accepts and says nothing is left in time.
func TestMailSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := &Mail{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "none", From: "a@b.example", To: []string{"c@d.example"}}
	m.Timeout = Duration(100 * time.Millisecond)
	if err := send(t, m, event(1, 1)); err == nil {
		t.Error("no error of a server that says nothing")
	}
	m.Timeout = Duration(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.sender().send(ctx, ingot.Delivery{Message: event(1, 1)}, now); err == nil {
		t.Error("no error when cancelled")
	}
}
