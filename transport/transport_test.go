package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener whose connections are in memory, so that their time is
// the test's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

func serveTest(t *testing.T, l net.Listener, c Config) {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	if c.Handler == nil {
		c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	}
	s := Serve(l, c)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestSlowClients sends a byte a second of a request that has no end.
func TestSlowClients(t *testing.T) {
	for name, test := range map[string]struct {
		begin string
		limit time.Duration
	}{
		"nothing":         {"", headerTime},
		"header":          {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", headerTime},
		"body":            {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", readTime},
		"chunked body":    {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", readTime},
		"HTTP/2 preface":  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", readTime},
		"a second header": {"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n", idleTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				ended := make(chan error, 2)
				serveTest(t, l, Config{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					ended <- err
				})})
				conn := l.dial()
				start := time.Now()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, err := io.WriteString(conn, test.begin)
					for err == nil && name != "nothing" {
						time.Sleep(time.Second)
						_, err = io.WriteString(conn, "0")
					}
				})
				if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.ErrClosedPipe) {
					t.Error(err)
				}
				took := time.Since(start)
				conn.Close()
				sender.Wait()
				if took > test.limit+2*time.Second {
					t.Errorf("the connection was closed after %s, want at most %s", took, test.limit)
				}
				if strings.Contains(name, "body") {
					if err := <-ended; err == nil {
						t.Error("the handler got a whole body")
					}
				}
			})
		})
	}
}

// TestSlowReader never reads the answer.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		failed := make(chan time.Duration, 1)
		serveTest(t, l, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			start := time.Now()
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
				failed <- time.Since(start)
			}
		})})
		conn := l.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if took := <-failed; took > writeTime {
			t.Errorf("the handler was held for %s, want at most %s", took, writeTime)
		}
	})
}

func TestWrongLength(t *testing.T) {
	l := listen(t)
	got := make(chan error, 1)
	serveTest(t, l, Config{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
	})})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort")
	conn.Close()
	if err := <-got; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading a body that is shorter than it says: %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestLargeHeader(t *testing.T) {
	l := listen(t)
	serveTest(t, l, Config{})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", maxHeader+8<<10)+"\r\n\r\n")
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 431" {
		t.Errorf("answer %q, %v; want 431", answer, err)
	}
}

// TestManyConnections opens ten thousand that say nothing, one after the
// other: the server keeps fifty, and whoever has a request gets in.
func TestManyConnections(t *testing.T) {
	const most = 50
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		serveTest(t, l, Config{Connections: most})
		var idle []net.Conn
		for range 10_000 {
			idle = append(idle, l.dial())
		}
		conn := l.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200" {
			t.Errorf("answer %q, %v; want 200", answer, err)
		}
		go io.Copy(io.Discard, conn)
		synctest.Wait()
		closed := 0
		for _, c := range idle {
			c.SetReadDeadline(time.Now()) // of an open one
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				closed++
			}
			c.Close()
		}
		if open := len(idle) - closed; open > most-1 {
			t.Errorf("%d idle connections are open, want at most %d", open, most-1)
		}
	})
}

// TestBusyConnections: a connection at work is never closed for another.
func TestBusyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		entered, release := make(chan struct{}), make(chan struct{})
		serveTest(t, l, Config{Connections: 1, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-release
		})})
		busy := l.dial()
		defer busy.Close()
		go io.WriteString(busy, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		<-entered
		next := l.dial()
		if _, err := next.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the second connection: %v, want it closed", err)
		}
		next.Close()
		close(release)
		if answer, err := io.ReadAll(busy); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("the busy connection: %q, %v; want 200", answer, err)
		}
	})
}

func TestProtocols(t *testing.T) {
	dir := t.TempDir()
	roots := writeCertificate(t, dir, "one.example")
	certificate, err := LoadCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	only := func(set func(*http.Protocols)) *http.Protocols {
		p := new(http.Protocols)
		set(p)
		return p
	}
	for name, test := range map[string]struct {
		tls       *Certificate
		scheme    string
		protocols *http.Protocols
		want      string
	}{
		"clear":            {nil, "http", only(func(p *http.Protocols) { p.SetHTTP1(true) }), "HTTP/1.1"},
		"clear HTTP/2":     {nil, "http", only(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }), "HTTP/2.0"},
		"TLS":              {certificate, "https", only(func(p *http.Protocols) { p.SetHTTP1(true) }), "HTTP/1.1"},
		"TLS, HTTP/2 too":  {certificate, "https", only(func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }), "HTTP/2.0"},
		"TLS, HTTP/2 only": {certificate, "https", only(func(p *http.Protocols) { p.SetHTTP2(true) }), "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			serveTest(t, l, Config{TLS: test.tls})
			transport := &http.Transport{Protocols: test.protocols, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "one.example"}}
			defer transport.CloseIdleConnections()
			resp, err := (&http.Client{Transport: transport}).Get(test.scheme + "://" + l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != test.want {
				t.Errorf("protocol %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestReload replaces the files of a certificate: the new one is in force for
// the next client, and files that do not fit leave the old one.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		writeCertificate(t, dir, "one.example")
		c, err := LoadCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		name := func() string {
			time.Sleep(lookInterval)
			got, err := c.get(nil)
			if err != nil {
				t.Fatal(err)
			}
			return got.Leaf.DNSNames[0]
		}
		if got := name(); got != "one.example" {
			t.Errorf("before: %s", got)
		}
		writeCertificate(t, dir, "second.example")
		if got := name(); got != "second.example" {
			t.Errorf("after both files were replaced: %s, want second.example", got)
		}
		if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("no key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := name(); got != "second.example" {
			t.Errorf("with a key that does not fit: %s, want second.example", got)
		}
		if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
			t.Fatal(err)
		}
		if got := name(); got != "second.example" {
			t.Errorf("without the file: %s, want second.example", got)
		}
		writeCertificate(t, dir, "third.example")
		if got := name(); got != "third.example" {
			t.Errorf("in the end: %s, want third.example", got)
		}
	})
}

// writeCertificate makes cert.pem and key.pem, signed by themselves.
func writeCertificate(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return roots
}
