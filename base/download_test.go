package base

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
)

// publisher serves one disk, and its list of sums by way of a redirection.
func publisher(t *testing.T, list, content string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/latest/SUMS", http.RedirectHandler("/2026.11/SUMS", http.StatusFound))
	mux.HandleFunc("/2026.11/SUMS", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, list) })
	mux.HandleFunc("/2026.11/os-1.qcow2", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, content) })
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func pullFrom(t *testing.T, s *httptest.Server, limit int64) (string, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "os.qcow2")
	p := puller{client: s.Client(), progress: io.Discard, limit: limit}
	return out, p.pull(t.Context(), catalog.Download{Checksums: s.URL + "/latest/SUMS", File: "os-*.qcow2"}, out)
}

func TestPull(t *testing.T) {
	const content = "a disk"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	out, err := pullFrom(t, publisher(t, sum+"  os-1.qcow2\n", content), 100)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != content {
		t.Errorf("the file holds %q, %v; want %q", got, err, content)
	}
}

func TestPullRefuses(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("a disk")))
	for name, c := range map[string]struct {
		list, content string
		want          ingot.Code
	}{
		"other content": {sum + "  os-1.qcow2\n", "evil", ingot.CodeInvalid},
		"too large":     {sum + "  os-1.qcow2\n", strings.Repeat("x", 101), ingot.CodeInvalid},
		"not listed":    {sum + "  other.qcow2\n", "a disk", ingot.CodeNotFound},
		"not there":     {sum + "  os-2.qcow2\n", "a disk", ingot.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := pullFrom(t, publisher(t, c.list, c.content), 100)
			if ingot.ErrorCode(err) != c.want {
				t.Errorf("pull = %v, want %s", err, c.want)
			}
			left, err := os.ReadDir(filepath.Dir(out))
			if err != nil || len(left) != 0 {
				t.Errorf("files left = %v, %v", left, err)
			}
		})
	}
}

func TestPullRefusesPlainHTTP(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := pullFrom(t, s, 100); ingot.ErrorCode(err) != ingot.CodeUnavailable {
		t.Errorf("pull over http = %v, want unavailable", err)
	}
}
