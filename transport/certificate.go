package transport

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a certificate and its key in two PEM files, which may be
// replaced while they are in use.
type Certificate struct {
	chain, key string // file names
	log        *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version string    // of the files that are loaded, or could not be
	looked  time.Time // at the files
}

// lookInterval is how often the files are looked at, if there are handshakes.
const lookInterval = time.Second

// LoadCertificate reads a certificate, with its intermediates, and its key.
func LoadCertificate(chain, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{chain: chain, key: key, log: log, version: version(chain, key), looked: time.Now()}
	var err error
	if c.loaded, err = c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate %s with the key %s: %w", c.chain, c.key, err)
	}
	return &pair, nil
}

// Leaf is the certificate that clients see.
func (c *Certificate) Leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loaded.Leaf
}

// get is the hook of tls.Config. New files that do not fit together, perhaps
// because one of them is still to come, leave the old ones in force.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookInterval {
		return c.loaded, nil
	}
	c.looked = time.Now()
	v := version(c.chain, c.key)
	if v == c.version {
		return c.loaded, nil
	}
	c.version = v
	fresh, err := c.load()
	if err != nil {
		c.log.Error("the certificate in use stays", "error", err)
		return c.loaded, nil
	}
	c.loaded = fresh
	c.log.Info("certificate loaded", "file", c.chain, "until", fresh.Leaf.NotAfter)
	return c.loaded, nil
}

// version tells replaced files from those before. A file that is missing has
// one, too.
func version(files ...string) (v string) {
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			v += fmt.Sprint(info.ModTime().UnixNano(), info.Size())
		}
		v += "/"
	}
	return v
}
