package module

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// quiet is a console that forgets.
type quiet struct{}

func (quiet) Printf(Level, string, ...any) {}
func (quiet) Output(Stream, []byte)        {}

// raw answers every connection with these bytes, and keeps it open if asked.
func raw(t *testing.T, answer string, hang bool) (address *url.URL, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int64{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			buf := make([]byte, 4096)
			c.Read(buf) // the request
			io.WriteString(c, answer)
			if hang {
				io.Copy(io.Discard, c) // until the client gives up
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/f"}, connections
}

func TestServersThatLie(t *testing.T) {
	tests := []struct {
		name, answer string
		hang         bool
		connections  int64
		want         string // part of the error; empty: the file is there
	}{
		{name: "more than it sends", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", connections: 5, want: "unexpected EOF"},
		{name: "less than it sends", answer: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfileand more", connections: 1},
		{name: "a chunk cut short", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort", connections: 5, want: "unexpected EOF"},
		{name: "more than there can be", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\nx", connections: 1, want: "9000000000000 bytes, more than"},
		{name: "a negative size", answer: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", connections: 5, want: "bad Content-Length"},
		{name: "no HTTP", answer: "SSH-2.0-x\r\n", connections: 5, want: "malformed HTTP"},
		{name: "endless headers", answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 12_000), connections: 5, want: "header"},
		{name: "nothing", connections: 5, want: "EOF"},
		{name: "silence from the start", hang: true, connections: 5, want: "the server sent nothing for 100ms"},
		{name: "silence in the middle", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", hang: true, connections: 5, want: "the server sent nothing for 100ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address, connections := raw(t, test.answer, test.hang)
			dir := t.TempDir()
			d := &download{url: address, path: filepath.Join(dir, "x"), overwrite: true, console: quiet{}, pause: time.Millisecond, silence: time.Minute}
			if test.hang {
				d.silence = 100 * time.Millisecond
			}
			err := d.run(context.Background())
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("run: %v, want %q", err, test.want)
			}
			if got := connections.Load(); got != test.connections {
				t.Errorf("%d connections, want %d", got, test.connections)
			}
			wantFiles(t, dir, test.want == "")
		})
	}
}

// wantFiles wants the file, whole, or nothing at all.
func wantFiles(t *testing.T, dir string, file bool) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !file && len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	if !file {
		return
	}
	if data, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || string(data) != "file" || len(entries) != 1 {
		t.Errorf("file = %q, %v among %v; want \"file\" alone", data, err, entries)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "file") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are its purpose
	s.StartTLS()
	defer s.Close()
	address, err := url.Parse(s.URL + "/f")
	if err != nil {
		t.Fatal(err)
	}
	for _, insecure := range []bool{false, true} {
		dir := t.TempDir()
		d := &download{url: address, path: filepath.Join(dir, "x"), overwrite: true, insecure: insecure, console: quiet{}, pause: time.Millisecond, silence: time.Minute}
		if err := d.run(context.Background()); (err == nil) != insecure {
			t.Errorf("run with ignoreCertificateErrors %v: %v", insecure, err)
		}
		wantFiles(t, dir, insecure)
	}
}

func TestDownloadThatCannotBeWritten(t *testing.T) {
	const folder = "/proc/self" // where nobody can make a file
	if _, err := os.Stat(folder); err != nil {
		t.Skip(err)
	}
	address, connections := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile", false)
	d := &download{url: address, path: filepath.Join(folder, "x"), overwrite: true, console: quiet{}, pause: time.Millisecond, silence: time.Minute}
	if err := d.run(context.Background()); err == nil || connections.Load() != 1 {
		t.Errorf("run: %v after %d connections; want an error after one", err, connections.Load())
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	d := &download{url: &url.URL{Scheme: "http", User: url.UserPassword("me", "secret"), Host: "127.0.0.1:1", Path: "/f"}, path: filepath.Join(t.TempDir(), "x"), overwrite: true, console: quiet{}, silence: time.Minute}
	if err := d.run(context.Background()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("run: %v; want an error without the password", err)
	}
}

// The bytes on the disk are those of the digest, whatever their number.
func TestDigestWhileDownloading(t *testing.T) {
	for _, size := range []int{0, 1, copySize - 1, copySize, 3*copySize + 7} {
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, content) }))
		address, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x")
		d := &download{url: address, path: path, newHash: sha256.New, checksum: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), console: quiet{}, silence: time.Minute}
		err = d.run(context.Background())
		data, readErr := os.ReadFile(path)
		if err = errors.Join(err, readErr); err != nil || string(data) != content {
			t.Errorf("%d bytes: got %d, %v", size, len(data), err)
		}
		s.Close()
	}
}
