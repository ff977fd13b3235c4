package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"ingot.dev/ingot/transport"
)

// tlsSettings are the files of the API's certificate, in PEM.
type tlsSettings struct {
	Cert string `yaml:"cert" json:"cert"` // with its intermediates
	Key  string `yaml:"key" json:"key"`
	CA   string `yaml:"ca" json:"ca"` // authority that clients must trust; empty: their systems do
}

func (t tlsSettings) check() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("settings tls.cert and tls.key: give both or none")
	case t.CA != "" && t.Cert == "":
		return errors.New("setting tls.ca: needs tls.cert and tls.key")
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "" {
		return fmt.Errorf("setting endpoint %q: must be a URL such as https://ingot.example:7480", endpoint)
	}
	return nil
}

// serveAPI serves the API until stop is called, which ends requests under
// way, and returns the URL that clients use.
func serveAPI(s settings, h http.Handler, log *slog.Logger) (endpoint string, stop func(), err error) {
	c := transport.Config{Handler: h, Log: log, Connections: s.Connections}
	if s.TLS.Cert != "" {
		if c.TLS, err = transport.LoadCertificate(s.TLS.Cert, s.TLS.Key, log); err != nil {
			return "", nil, err
		}
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return "", nil, fmt.Errorf("listening on %s: %w", s.Listen, err)
	}
	address := l.Addr().(*net.TCPAddr)
	if !address.IP.IsLoopback() && c.TLS == nil && !s.Plaintext {
		l.Close()
		return "", nil, exitError{exitUsage, fmt.Errorf("setting listen %q: other machines reach this address and would read requests and answers in clear text; set tls.cert and tls.key, or plaintext: true if a proxy or a private network sees to it", s.Listen)}
	}
	running := transport.Serve(l, c)
	stop = func() {
		if err := running.Close(); err != nil {
			log.Error("closing", "address", address, "error", err)
		}
	}
	if s.Endpoint != "" {
		return strings.TrimSuffix(s.Endpoint, "/"), stop, nil
	}
	return endpointOf(address, c.TLS), stop, nil
}

// metricsConnections bounds those of whoever collects metrics.
const metricsConnections = 32

// serveMetrics serves /metrics to other machines until stop is called, if the
// settings have an address for it.
func serveMetrics(s settings, h http.Handler, log *slog.Logger) (stop func(), err error) {
	if s.Metrics == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", s.Metrics)
	if err != nil {
		return nil, fmt.Errorf("listening for whoever collects metrics: setting metrics %q: %w", s.Metrics, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	log.Info("metrics", "address", l.Addr())
	running := transport.Serve(l, transport.Config{Handler: mux, Log: log, Connections: metricsConnections})
	return func() {
		if err := running.Close(); err != nil {
			log.Error("closing", "address", l.Addr(), "error", err)
		}
	}, nil
}

// endpointOf is the URL of an address. With a certificate it has a name that
// the certificate is for.
func endpointOf(address *net.TCPAddr, certificate *transport.Certificate) string {
	host, port := address.IP.String(), fmt.Sprint(address.Port)
	if address.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	if certificate == nil {
		return "http://" + net.JoinHostPort(host, port)
	}
	if leaf := certificate.Leaf(); leaf.VerifyHostname(host) != nil {
		for _, name := range leaf.DNSNames {
			if !strings.HasPrefix(name, "*") {
				host = name
				break
			}
		}
	}
	return "https://" + net.JoinHostPort(host, port)
}

// writeEndpoint leaves for other commands how the server is reached: its URL,
// and the authority to trust, if there is one.
func (d dataDir) writeEndpoint(endpoint, ca string) error {
	if err := os.Remove(d.path(caFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the authority of the last start: %w", err)
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("reading tls.ca: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return fmt.Errorf("setting tls.ca: %s has no certificate in PEM", ca)
		}
		if err := writeFileAtomic(d.path(caFile), pem); err != nil {
			return fmt.Errorf("writing the authority: %w", err)
		}
	}
	if err := writeFileAtomic(d.path("endpoint"), []byte(endpoint+"\n")); err != nil {
		return fmt.Errorf("writing the endpoint: %w", err)
	}
	return nil
}

// caFile is a copy of tls.ca in the data directory.
const caFile = "ca.pem"

// readRoots are the authorities to trust; nil: the system's.
func (d dataDir) readRoots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(d.path(caFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the authority of the server's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", d.path(caFile))
	}
	return roots, nil
}
