package module_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

const payload = "the file"

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// server serves the payload at /d/f.bin and trouble elsewhere.
func server(t *testing.T) (url string, requests *atomic.Int64) {
	requests = &atomic.Int64{}
	mux := http.NewServeMux()
	mux.HandleFunc("/d/f.bin", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, payload) })
	mux.Handle("/moved", http.RedirectHandler("/d/f.bin", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/shaky", func(w http.ResponseWriter, _ *http.Request) {
		if requests.Load() == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, payload)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, strings.Repeat("x", 1<<10))
		}
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func TestWebDownload(t *testing.T) {
	old := map[string]string{"old": "old content", "same": payload}
	tests := []struct {
		name     string
		in       entry
		want     map[string]string // what differs from old
		output   string
		requests int64 // -1: any
		err      string
	}{
		{name: "C45 into a folder", in: entry{"source": "/d/f.bin?x=1", "destination": "new/"}, want: entry{"new/f.bin": payload}, output: "new/f.bin", requests: 1},
		{name: "C45 no content", in: entry{"source": "/empty", "destination": "x"}, err: "204 No Content", requests: 1},
		{name: "C45 not found", in: entry{"source": "/none", "destination": "x"}, err: "404 Not Found", requests: 1},
		{name: "C45 redirect", in: entry{"source": "/moved", "destination": "x"}, want: entry{"x": payload}, output: "x", requests: 2},
		{name: "redirects without end", in: entry{"source": "/round", "destination": "x"}, err: "more than 10 redirects", requests: 11},
		{name: "tried again", in: entry{"source": "/shaky", "destination": "x"}, want: entry{"x": payload}, output: "x", requests: 2},
		{name: "C46 right digest", in: entry{"source": "/d/f.bin", "destination": "old", "checksum": strings.ToUpper(sum(payload)), "algorithm": "sha256"}, want: entry{"old": payload}, output: "old", requests: 1},
		{name: "C46 wrong digest", in: entry{"source": "/d/f.bin", "destination": "old", "checksum": sum("other"), "algorithm": "SHA256"}, err: "the checksum is " + sum(payload), requests: 1},
		{name: "C46 already there", in: entry{"source": "/d/f.bin", "destination": "same", "checksum": sum(payload), "algorithm": "SHA256"}, output: "same", requests: 0},
		{name: "C46 not over", in: entry{"source": "/d/f.bin", "destination": "old", "overwrite": "false"}, err: "overwrite is set to false", requests: 0},
		{name: "no name", in: entry{"source": "/d/", "destination": "x/"}, err: "has no file name", requests: 0},
		{name: "name out of the folder", in: entry{"source": "/d/..%2f..%2fx/%2e%2e", "destination": "x/"}, err: "has no file name", requests: 0},
		{name: "not HTTP", in: entry{"source": "ftp://host/x", "destination": "x"}, err: "is not an http:// or https:// URL", requests: 0},
		{name: "unknown algorithm", in: entry{"source": "/d/f.bin", "destination": "x", "checksum": "00", "algorithm": "CRC"}, err: "unknown algorithm 'CRC'", requests: 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, requests := server(t)
			dir := t.TempDir()
			want := map[string]string{}
			for name, content := range old {
				write(t, filepath.Join(dir, name), content)
				want[name] = content
			}
			in := entry{}
			for k, v := range test.in {
				in[k] = v
			}
			if strings.HasPrefix(in["source"], "/") {
				in["source"] = url + in["source"]
			}
			out, err := call(t, "WebDownload", dir, in)
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if test.output != "" && out[0].String("destination") != filepath.Join(dir, test.output) {
				t.Errorf("output %v, want %s", out, test.output)
			}
			for name, content := range test.want {
				want[name] = content
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if got := requests.Load(); got != test.requests {
				t.Errorf("%d requests, want %d", got, test.requests)
			}
		})
	}
}

func TestWebDownloadEndsWithItsContext(t *testing.T) {
	url, _ := server(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &module.Call{Dir: dir, Env: os.Environ(), Console: &console{}, Inputs: []module.Values{{"source": url + "/endless", "destination": "x"}}}
	done := make(chan error, 1)
	go func() {
		_, err := module.Find("WebDownload").Run(ctx, c)
		done <- err
	}()
	for size := int64(0); size == 0; { // until bytes arrive
		if files, _ := filepath.Glob(filepath.Join(dir, ".ingot-*")); len(files) == 1 {
			if info, err := os.Stat(files[0]); err == nil {
				size = info.Size()
			}
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if left := tree(t, dir); len(left) != 0 {
		t.Errorf("left behind: %d files", len(left))
	}
}
