package module

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	downloadTries = 5        // per entry (§9.10)
	maxRedirects  = 10       // per try
	maxDownload   = 64 << 30 // bytes; a server may send for ever
)

var webDownload = Module{
	Name:        "WebDownload",
	Description: "Downloads files over HTTP or HTTPS and checks their digests.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		{Name: "source", Type: String, Required: true, Check: checkURL, Description: "An http:// or https:// URL."},
		{Name: "destination", Type: String, Required: true, Check: notEmpty, Description: "The file; a folder if it ends in a separator. Missing folders are created."},
		overwriteInput,
		{Name: "checksum", Type: String, Description: "Hexadecimal digest of the file; needs algorithm."},
		{Name: "algorithm", Type: String, Check: checkAlgorithm, Description: "MD5, SHA1, SHA256 or SHA512; needs checksum."},
		{Name: "ignoreCertificateErrors", Type: Boolean, Default: "false", Description: "Whether any certificate will do."},
	},
	Outputs: []Output{{Name: "destination", Type: String, Description: "Paths of the files, a line each."}},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		var done []string
		run := each(func(ctx context.Context, c *Call, in Values) error {
			d, err := newDownload(c, in)
			if err != nil {
				return err
			}
			done = append(done, d.path)
			return d.run(ctx)
		})
		_, err := run(ctx, c)
		return []Values{{"destination": strings.Join(done, "\n")}}, err
	},
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("'%s' is not an http:// or https:// URL", s)
	}
	return nil
}

var algorithms = map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA512": sha512.New}

func checkAlgorithm(s string) error {
	if algorithms[strings.ToUpper(s)] == nil {
		return fmt.Errorf("unknown algorithm '%s'; it must be MD5, SHA1, SHA256 or SHA512", s)
	}
	return nil
}

// download is one entry.
type download struct {
	url       string
	path      string
	overwrite bool
	newHash   func() hash.Hash // nil: nothing to verify
	checksum  string
	insecure  bool
	console   Console
}

func newDownload(c *Call, in Values) (*download, error) {
	d := &download{
		url: in.String("source"), path: c.Path(in.String("destination")), overwrite: in.Bool("overwrite", true),
		insecure: in.Bool("ignoreCertificateErrors", false), console: c.Console,
	}
	if endsInSeparator(in.String("destination")) {
		u, err := url.Parse(d.url)
		if err != nil {
			return nil, err
		}
		name := path.Base(u.Path)
		if name == "/" || name == "." || name == ".." || strings.HasSuffix(u.Path, "/") || filepath.Base(name) != name {
			return nil, fmt.Errorf("%s has no file name; give the destination one", d.url)
		}
		d.path = filepath.Join(d.path, name)
	}
	switch checksum, algorithm := in.String("checksum"), in.String("algorithm"); {
	case checksum != "" && algorithm != "":
		d.newHash, d.checksum = algorithms[strings.ToUpper(algorithm)], strings.ToLower(checksum)
	case checksum != algorithm:
		c.Console.Printf(Warn, "WebDownload: %s is not verified: that needs both checksum and algorithm", d.url)
	}
	return d, nil
}

func (d *download) run(ctx context.Context) error {
	if !d.overwrite {
		if err := refuseExisting(d.path); err != nil {
			return err
		}
	}
	if d.newHash != nil && d.verify(d.path) == nil {
		d.console.Printf(Info, "WebDownload: %s is there already", d.path)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	client := d.client()
	defer client.CloseIdleConnections()
	pause := time.Second
	for try := 1; ; try++ {
		again, err := d.try(ctx, client)
		if err == nil || !again || try == downloadTries || ctx.Err() != nil {
			return err
		}
		d.console.Printf(Warn, "WebDownload: try %d of %d: %v", try, downloadTries, err)
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *download) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // the digest is that of the file as it is served
	if d.insecure {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // asked for by the document
	}
	return &http.Client{Transport: transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errRedirects
		}
		return nil
	}}
}

var errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)

// try downloads once. again says whether another try may help.
func (d *download) try(ctx context.Context, client *http.Client) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return !errors.Is(err, errRedirects), err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s := resp.StatusCode
		again = s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500
		return again, fmt.Errorf("downloading %s: the server answered %s", d.url, resp.Status)
	}
	return d.save(ctx, resp.Body)
}

// save writes beside the target, verifies and renames: a bad download leaves
// the old file as it was.
func (d *download) save(ctx context.Context, body io.Reader) (again bool, err error) {
	f, err := os.CreateTemp(filepath.Dir(d.path), ".ingot-*")
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	n, err := io.Copy(f, io.LimitReader(reader(ctx, body), maxDownload+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return true, fmt.Errorf("downloading %s: %w", d.url, err)
	}
	if n > maxDownload {
		return false, fmt.Errorf("downloading %s: more than %d bytes", d.url, int64(maxDownload))
	}
	if err := d.verify(f.Name()); err != nil {
		return false, fmt.Errorf("verifying %s: %w", d.url, err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return false, err
	}
	return false, os.Rename(f.Name(), d.path)
}

// verify compares the digest of a file; without a checksum any file will do.
func (d *download) verify(file string) error {
	if d.newHash == nil {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := d.newHash()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != d.checksum {
		return fmt.Errorf("the checksum is %s, not %s", got, d.checksum)
	}
	return nil
}
