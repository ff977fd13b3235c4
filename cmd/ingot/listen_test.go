package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/client"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// testCertificate writes the certificate of httptest, for 127.0.0.1 and
// example.com, in the files of the settings.
func testCertificate(t *testing.T) tlsSettings {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := tlsSettings{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "cert.pem")}
	for file, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, files.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestClearTextIsLocal: beyond loopback a certificate is needed, or a word.
func TestClearTextIsLocal(t *testing.T) {
	certificate := testCertificate(t)
	log := slog.New(slog.DiscardHandler)
	for name, test := range map[string]struct {
		settings settings
		refused  bool
		endpoint string // its beginning
	}{
		"loopback":          {settings{Listen: "127.0.0.1:0"}, false, "http://127.0.0.1:"},
		"everywhere":        {settings{Listen: "0.0.0.0:0"}, true, ""},
		"everywhere, short": {settings{Listen: ":0"}, true, ""},
		"allowed":           {settings{Listen: ":0", Plaintext: true}, false, "http://127.0.0.1:"},
		"TLS":               {settings{Listen: ":0", TLS: certificate}, false, "https://127.0.0.1:"},
		"named":             {settings{Listen: ":0", TLS: certificate, Endpoint: "https://ingot.example/"}, false, "https://ingot.example"},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint, stop, err := serveAPI(test.settings, http.NotFoundHandler(), log)
			if err == nil {
				defer stop()
			}
			if (err != nil) != test.refused || !strings.HasPrefix(endpoint, test.endpoint) {
				t.Errorf("serveAPI = %q, %v; want refused: %t, endpoint %q", endpoint, err, test.refused, test.endpoint)
			}
		})
	}
}

// TestAuthority has a client trust the certificate by what the server left in
// its data directory, and no longer when the next start has none.
func TestAuthority(t *testing.T) {
	d := dataDir(t.TempDir())
	files := testCertificate(t)
	s := settings{Listen: "127.0.0.1:0", TLS: files}
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	endpoint, stop, err := serveAPI(s, answer, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	call := func() error {
		roots, err := d.readRoots()
		if err != nil {
			t.Fatal(err)
		}
		c := &client.Client{Endpoint: endpoint, Region: "us-east-1", AccessKeyID: "AKID", SecretAccessKey: "secret", Roots: roots}
		return c.Do(t.Context(), "ListImages", struct{}{}, nil)
	}
	if err := d.writeEndpoint(endpoint, files.CA); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil {
		t.Errorf("with the authority: %v", err)
	}
	if err := d.writeEndpoint(endpoint, ""); err != nil {
		t.Fatal(err)
	}
	var unknown x509.UnknownAuthorityError
	if err := call(); !errors.As(err, &unknown) {
		t.Errorf("without it: %v, want an unknown authority", err)
	}
}

// TestTLS has the vendor's command and this program's reach a server by a
// certificate that only the server's data directory vouches for.
func TestTLS(t *testing.T) {
	testenv.For(t, testenv.AWSCLI)
	files := testCertificate(t)
	p := newProcess(t)
	p.flags = []string{"--tls-cert", files.Cert, "--tls-key", files.Key, "--tls-ca", files.CA}
	p.start()
	if !strings.HasPrefix(p.API.Endpoint, "https://") {
		t.Errorf("the endpoint is %s, want one of https", p.API.Endpoint)
	}
	p.call("ListImages", model.ListImagesRequest{}, new(model.ListImagesResponse))
	var listed model.ListWorkflowsResponse
	p.awsCLI()(&listed, "list-workflows", "--owner", "Amazon")
	if len(listed.WorkflowVersionList) == 0 {
		t.Error("list-workflows has none of the catalogue's")
	}
	clear := "http://" + strings.TrimPrefix(p.API.Endpoint, "https://")
	if answer, err := http.Get(clear + "/healthz"); err == nil {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Errorf("clear text is answered %s", answer.Status)
		}
	}
}
