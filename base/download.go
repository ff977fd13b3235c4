package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
)

// maxDownload bounds a published disk, in bytes. The largest in the catalogue
// has 2 GiB.
const maxDownload = 32 << 30

// Pull downloads the disk of a catalogue entry to o.Out, which appears when its
// checksum has been found right. The checksum is as good as the publisher's
// https server: signatures of the lists are not checked.
func Pull(ctx context.Context, d catalog.Download, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	p := puller{client: http.DefaultClient, progress: o.Progress, limit: maxDownload}
	return p.pull(ctx, d, o.Out)
}

type puller struct {
	client   *http.Client
	progress io.Writer
	limit    int64 // bytes of the disk
}

func (p puller) pull(ctx context.Context, d catalog.Download, out string) error {
	fmt.Fprintf(p.progress, "reading %s\n", d.Checksums)
	sum, from, err := p.find(ctx, d)
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.Checksums, err)
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return fmt.Errorf("downloading %s: %w", from, err)
	}
	defer os.Remove(f.Name()) // gone already after the rename
	err = errors.Join(p.fetch(ctx, from, sum, f), f.Close())
	if err != nil {
		return fmt.Errorf("downloading %s: %w", from, err)
	}
	return publish(f.Name(), out)
}

// find reads the list of checksums and tells what to download and from where:
// the list may have been found by way of a redirection.
func (p puller) find(ctx context.Context, d catalog.Download) (checksum, *url.URL, error) {
	resp, err := p.get(ctx, d.Checksums)
	if err != nil {
		return checksum{}, nil, err
	}
	sums, err := parseChecksums(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return checksum{}, nil, err
	}
	sum, err := choose(sums, d.File)
	if err != nil {
		return checksum{}, nil, err
	}
	return sum, resp.Request.URL.ResolveReference(&url.URL{Path: sum.file}), nil
}

// fetch writes a download to w and compares its checksum.
func (p puller) fetch(ctx context.Context, from *url.URL, want checksum, w io.Writer) error {
	resp, err := p.get(ctx, from.String())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.ContentLength > p.limit {
		return ingot.Errorf(ingot.CodeInvalid, "it has %d bytes; %d is the limit", resp.ContentLength, p.limit)
	}
	h := want.hash()
	meter := &meter{to: p.progress, what: want.file, total: resp.ContentLength}
	n, err := io.Copy(io.MultiWriter(w, h, meter), io.LimitReader(resp.Body, p.limit+1))
	if err != nil {
		return err
	}
	if n > p.limit {
		return ingot.Errorf(ingot.CodeInvalid, "it has more than the limit of %d bytes", p.limit)
	}
	if sum := h.Sum(nil); !bytes.Equal(sum, want.sum) {
		return ingot.Errorf(ingot.CodeInvalid, "its checksum is %x, the publisher's list says %x; try again, the two may have been out of step", sum, want.sum)
	}
	return nil
}

// get answers only a whole success that came over https.
func (p puller) get(ctx context.Context, from string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, ingot.Errorf(ingot.CodeUnavailable, "%w", err)
	}
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Scheme != "https" {
		resp.Body.Close()
		return nil, ingot.Errorf(ingot.CodeUnavailable, "%s answered %s", resp.Request.URL, resp.Status)
	}
	return resp, nil
}

// meter prints how far a download is, every two seconds.
type meter struct {
	to          io.Writer
	what        string
	done, total int64 // bytes; total is -1 when unknown
	last        time.Time
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if now := time.Now(); now.Sub(m.last) >= 2*time.Second || m.done == m.total {
		m.last = now
		fmt.Fprintf(m.to, "%s: %d of %d MiB\n", m.what, m.done/mib, max(m.total, 0)/mib)
	}
	return len(p), nil
}
