package module

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	downloadTries = 5         // per entry (§9.10)
	maxRedirects  = 10        // per try
	maxDownload   = 64 << 30  // bytes; a server may send for ever
	copySize      = 256 << 10 // bytes read at once
	firstPause    = time.Second
	maxSilence    = 2 * time.Minute // a connection that hangs is worth another try long before the step runs out of time
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
			d, err := entryDownload(c, in)
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

func checkAlgorithm(s string) error {
	if algorithms[strings.ToUpper(s)] == nil {
		return fmt.Errorf("unknown algorithm '%s'; it must be MD5, SHA1, SHA256 or SHA512", s)
	}
	return nil
}

// download is one entry.
type download struct {
	url       *url.URL
	path      string
	overwrite bool
	newHash   func() hash.Hash // nil: nothing to verify
	checksum  string
	insecure  bool
	console   Console
	pause     time.Duration // before the second try; it doubles each time
	silence   time.Duration // for which a server may send nothing
}

// newDownload is a download that replaces what is there and verifies nothing.
func newDownload(source, path string, console Console) (*download, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, err
	}
	return &download{url: u, path: path, overwrite: true, console: console, pause: firstPause, silence: maxSilence}, nil
}

func entryDownload(c *Call, in Values) (*download, error) {
	d, err := newDownload(in.String("source"), c.Path(in.String("destination")), c.Console)
	if err != nil {
		return nil, err
	}
	d.overwrite, d.insecure = in.Bool("overwrite", true), in.Bool("ignoreCertificateErrors", false)
	if endsInSeparator(in.String("destination")) {
		name := path.Base(d.url.Path)
		// Windows has more names that are no files, such as NUL and a:b.
		if name == "." || strings.HasSuffix(d.url.Path, "/") || filepath.Base(name) != name || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%s has no file name; give the destination one", d.url.Redacted())
		}
		d.path = filepath.Join(d.path, name)
	}
	switch checksum, algorithm := in.String("checksum"), in.String("algorithm"); {
	case checksum != "" && algorithm != "":
		d.newHash, d.checksum = algorithms[strings.ToUpper(algorithm)], strings.ToLower(checksum)
	case checksum != algorithm:
		c.Console.Printf(Warn, "WebDownload: %s is not verified: that needs both checksum and algorithm", d.url.Redacted())
	}
	return d, nil
}

func (d *download) run(ctx context.Context) error {
	if !d.overwrite {
		if err := refuseExisting(d.path); err != nil {
			return err
		}
	}
	if d.newHash != nil && d.isThere(ctx) {
		d.console.Printf(Info, "WebDownload: %s is there already", d.path)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	client := d.client()
	defer client.CloseIdleConnections()
	for try, pause := 1, d.pause; ; try, pause = try+1, 2*pause {
		again, err := d.try(ctx, client)
		if err == nil || !again || try == downloadTries || ctx.Err() != nil {
			return err
		}
		d.console.Printf(Warn, "WebDownload: try %d of %d: %v", try, downloadTries, err)
		select {
		case <-time.After(pause):
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
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(d.silence, func() {
		cancel(fmt.Errorf("downloading %s: the server sent nothing for %v", d.url.Redacted(), d.silence))
	})
	defer silence.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url.String(), nil)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return !errors.Is(err, errRedirects), because(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s := resp.StatusCode
		again = s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500
		return again, fmt.Errorf("downloading %s: the server answered %s", d.url.Redacted(), resp.Status)
	}
	if resp.ContentLength > maxDownload {
		return false, fmt.Errorf("downloading %s: %d bytes, more than %d", d.url.Redacted(), resp.ContentLength, int64(maxDownload))
	}
	again, err = d.save(audible{resp.Body, silence, d.silence})
	return again, because(ctx, err)
}

// because replaces an error by the reason why ctx ended, if it did.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// audible puts off the end of the silence with everything it reads.
type audible struct {
	r       io.Reader
	silence *time.Timer
	limit   time.Duration
}

func (a audible) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	a.silence.Reset(a.limit)
	return n, err
}

// save writes beside the target, verifies and renames: a bad download leaves
// the old file as it was.
func (d *download) save(body io.Reader) (again bool, err error) {
	f, err := os.CreateTemp(filepath.Dir(d.path), ".ingot-*")
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	to := []io.Writer{f}
	var digest hash.Hash
	if d.newHash != nil {
		digest = d.newHash()
		to = append(to, digest)
	}
	n, err := io.CopyBuffer(io.MultiWriter(to...), io.LimitReader(body, maxDownload+1), make([]byte, copySize))
	if err = errors.Join(err, f.Close()); err != nil {
		writing := (*fs.PathError)(nil)
		return !errors.As(err, &writing), fmt.Errorf("downloading %s: %w", d.url.Redacted(), err)
	}
	if n > maxDownload {
		return false, fmt.Errorf("downloading %s: more than %d bytes", d.url.Redacted(), int64(maxDownload))
	}
	if err := d.verify(digest); err != nil {
		return false, fmt.Errorf("verifying %s: %w", d.url.Redacted(), err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return false, err
	}
	return false, os.Rename(f.Name(), d.path)
}

// verify compares the digest of what was downloaded; nil needs no comparison.
func (d *download) verify(digest hash.Hash) error {
	if digest == nil {
		return nil
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != d.checksum {
		return fmt.Errorf("the checksum is %s, not %s", got, d.checksum)
	}
	return nil
}

// isThere reports that the destination has the right digest already. What
// cannot be read is not there.
func (d *download) isThere(ctx context.Context) bool {
	digest := d.newHash()
	return hashFile(ctx, digest, d.path) == nil && d.verify(digest) == nil
}
