package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"ingot.dev/ingot"
)

// Mail gets messages by SMTP.
type Mail struct {
	Host         string   `yaml:"host" json:"host"`
	Port         int      `yaml:"port,omitempty" json:"port,omitempty"` // 587; with tls 465, without 25
	TLS          string   `yaml:"tls,omitempty" json:"tls,omitempty"`   // starttls (the default), tls or none
	CAFile       string   `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	Username     string   `yaml:"username,omitempty" json:"username,omitempty"`
	PasswordFile string   `yaml:"passwordFile,omitempty" json:"passwordFile,omitempty"`
	From         string   `yaml:"from" json:"from"`
	To           []string `yaml:"to" json:"to"`
	Timeout      Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"` // of an attempt; 30s
}

// The values of Mail.TLS, and the port of each.
var mailPorts = map[string]int{"starttls": 587, "tls": 465, "none": 25}

func (m *Mail) security() string {
	if m.TLS == "" {
		return "starttls"
	}
	return m.TLS
}

func (m *Mail) check() error {
	if m.Host == "" {
		return errors.New("host: is missing")
	}
	if _, ok := mailPorts[m.security()]; !ok {
		return fmt.Errorf("tls: %q is none of starttls, tls and none", m.TLS)
	}
	if m.Port < 0 || m.Port > 65535 {
		return fmt.Errorf("port: %d is not a port", m.Port)
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		return fmt.Errorf("from: %q is not an address", m.From)
	}
	if len(m.To) == 0 {
		return errors.New("to: names nobody")
	}
	for i, to := range m.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return fmt.Errorf("to[%d]: %q is not an address", i, to)
		}
	}
	return cmp.Or(checkPath("caFile", m.CAFile), checkPath("passwordFile", m.PasswordFile), m.checkCredentials())
}

func (m *Mail) checkCredentials() error {
	if (m.Username == "") != (m.PasswordFile == "") {
		return errors.New("username: comes with passwordFile, or not at all")
	}
	if m.Username == "" {
		return nil
	}
	if ip := net.ParseIP(m.Host); m.security() == "none" && m.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("tls: none would send the password in the clear; use starttls or tls")
	}
	return nil
}

func (m *Mail) checkFiles() error {
	if _, err := authorities(m.CAFile); err != nil {
		return fmt.Errorf("caFile: %w", err)
	}
	if m.PasswordFile == "" {
		return nil
	}
	if _, err := readSecret(m.PasswordFile); err != nil {
		return fmt.Errorf("passwordFile: %w", err)
	}
	return nil
}

func (m *Mail) sender() sender { return mailSender{m} }

type mailSender struct{ *Mail }

func (mailSender) atOnce() int { return 2 }

func (mailSender) close() {}

func (m mailSender) send(ctx context.Context, d ingot.Delivery, _ time.Time) error {
	limit := m.Timeout.or(30 * time.Second)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client, err := m.client(limited, limit)
	if err != nil {
		return err
	}
	message, err := m.message(d)
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(limited, message); err != nil {
		return fmt.Errorf("sending mail by %s: %w", m.Host, err)
	}
	return nil
}

// client makes a client whose connections break when ctx ends.
func (m mailSender) client(ctx context.Context, limit time.Duration) (*gomail.Client, error) {
	port := m.Port
	if port == 0 {
		port = mailPorts[m.security()]
	}
	pool, err := authorities(m.CAFile)
	if err != nil {
		return nil, err
	}
	security := &tls.Config{ServerName: m.Host, RootCAs: pool, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(limit),
		gomail.WithTLSConfig(security), gomail.WithDialContextFunc(m.dial(ctx, security)),
	}
	switch m.security() {
	case "starttls":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "tls":
		options = append(options, gomail.WithSSL())
	case "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if m.Username != "" {
		password, err := readSecret(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		auth := gomail.SMTPAuthAutoDiscover
		switch m.security() {
		case "tls":
			auth = gomail.SMTPAuthPlain // the library does not see that dial has encrypted already
		case "none":
			auth = gomail.SMTPAuthPlainNoEnc // to the machine itself: check
		}
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(m.Username), gomail.WithPassword(string(password)))
	}
	return gomail.NewClient(m.Host, options...)
}

// dial makes connections that break when the attempt ends, in whatever state
// they are. The context of the library ends when it has the connection.
func (m mailSender) dial(attempt context.Context, security *tls.Config) gomail.DialContextFunc {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(attempt, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(attempt, func() { _ = conn.Close() }) // a second close of it fails
		if m.security() != "tls" {
			return conn, nil
		}
		secure := tls.Client(conn, security)
		if err := secure.HandshakeContext(attempt); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return secure, nil
	}
}

// message is the mail of a delivery. Its id is the message's, so that a second
// copy can be told from a second message.
func (m mailSender) message(d ingot.Delivery) (*gomail.Msg, error) {
	mail := gomail.NewMsg()
	if err := errors.Join(mail.From(m.From), mail.To(slices.Clone(m.To)...)); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, d.Body, "", "  "); err != nil {
		return nil, fmt.Errorf("laying out the message %s: %w", d.Message.ID, err)
	}
	mail.Subject(strings.Join(strings.Fields(d.Subject), " "))
	mail.SetMessageIDWithValue(d.Message.ID + "@ingot")
	mail.SetDateWithValue(d.Message.Time)
	mail.SetUserAgent("Ingot")
	mail.SetGenHeader("Auto-Submitted", "auto-generated")
	mail.SetBodyString(gomail.TypeTextPlain, d.Subject+"\n\n"+text.String()+"\n")
	return mail, nil
}
