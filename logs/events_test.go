package logs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/transport"
)

// handler serves a log from an offset on, and tells when it is done.
func handler(t testing.TB, path string, from int64, done chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		if err := (Events{Follow: Follow{From: from, Wait: true}, File: path}).Serve(w, r); err != nil {
			t.Error(err)
		}
	})
}

func TestEvents(t *testing.T) {
	path := write(t, `{"n":1}`+"\n"+`{"end":"FAILED"}`+"\n")
	for from, want := range map[int64]string{
		0:  "retry: 1000\n\nid: 8\ndata: {\"n\":1}\n\nid: 25\ndata: {\"end\":\"FAILED\"}\n\nid: 25\nevent: end\ndata: {\"status\":\"FAILED\"}\n\n",
		8:  "retry: 1000\n\nid: 25\ndata: {\"end\":\"FAILED\"}\n\nid: 25\nevent: end\ndata: {\"status\":\"FAILED\"}\n\n",
		25: "retry: 1000\n\nid: 25\nevent: end\ndata: {\"status\":\"FAILED\"}\n\n",
	} {
		w := httptest.NewRecorder()
		handler(t, path, from, make(chan struct{})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", from, diff)
		}
		if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("the type is %q", got)
		}
	}
}

// pipes is a listener whose connections are in memory, so that their time is
// the test's.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial begins a request over the transport of the server, by a version of HTTP.
func dial(t *testing.T, h http.Handler, version int) *http.Response {
	t.Helper()
	l := make(pipes)
	s := transport.Serve(l, transport.Config{Handler: h, Log: slog.New(slog.DiscardHandler)})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetUnencryptedHTTP2(version == 2)
	rt := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		l <- far
		return near, nil
	}}
	resp, err := (&http.Client{Transport: rt}).Get("http://ingot")
	check(t, err)
	t.Cleanup(func() {
		resp.Body.Close()
		rt.CloseIdleConnections()
		check(t, s.Close())
	})
	return resp
}

// TestQuietLog follows a log in which nothing happens for longer than any
// other request may take: there are signs of life, and the lines still come.
func TestQuietLog(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "log")
				resp := dial(t, handler(t, path, 0, make(chan struct{})), version)
				begun := time.Now()
				time.AfterFunc(10*time.Minute, func() {
					check(t, os.WriteFile(path, []byte(`{"n":1}`+"\n"+`{"end":"AVAILABLE"}`+"\n"), 0o600))
				})
				data, err := io.ReadAll(resp.Body)
				check(t, err)
				took := time.Since(begun)
				if took < 10*time.Minute || took > 10*time.Minute+time.Second {
					t.Errorf("it ended after %s, want 10 minutes", took)
				}
				if n := strings.Count(string(data), "\n:\n"); n < 35 || n > 40 {
					t.Errorf("there were %d signs of life, want one every 15 seconds", n)
				}
				if !strings.HasSuffix(string(data), "id: 28\nevent: end\ndata: {\"status\":\"AVAILABLE\"}\n\n") {
					t.Errorf("the last of it is %q", data[max(0, len(data)-100):])
				}
			})
		})
	}
}

// TestLifetime: an answer ends by itself, without the event that ends the log.
func TestLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resp := dial(t, handler(t, write(t, `{"n":1}`+"\n"), 0, make(chan struct{})), 1)
		begun := time.Now()
		data, err := io.ReadAll(resp.Body)
		check(t, err)
		if took := time.Since(begun); took < lifetime-time.Second || took > lifetime+time.Second {
			t.Errorf("the answer lasted %s, want %s", took, lifetime)
		}
		if strings.Contains(string(data), "event:") || !strings.Contains(string(data), "id: 8\n") {
			t.Errorf("the answer was %q", data)
		}
	})
}

// TestSlowFollower reads nothing: it is cut off, and the server did not wait.
func TestSlowFollower(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := write(t, strings.Repeat(`{"line":"`+strings.Repeat("x", 1000)+`"}`+"\n", 20_000))
				done := make(chan struct{})
				begun := time.Now()
				dial(t, handler(t, path, 0, done), version)
				<-done
				if took := time.Since(begun); took < writeLimit/2 || took > 2*writeLimit {
					t.Errorf("the follower was cut off after %s, want about %s", took, writeLimit)
				}
			})
		})
	}
}

// TestPatientFollower reads a piece every ten seconds, for longer than any
// other answer may take.
func TestPatientFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 2000
		path := write(t, strings.Repeat(`{"line":"`+strings.Repeat("x", 1000)+`"}`+"\n", lines)+`{"end":"AVAILABLE"}`+"\n")
		resp := dial(t, handler(t, path, 0, make(chan struct{})), 1)
		var all strings.Builder
		piece := make([]byte, 64<<10)
		for {
			n, err := io.ReadFull(resp.Body, piece)
			all.Write(piece[:n])
			if err != nil {
				break
			}
			time.Sleep(10 * time.Second)
		}
		if n := strings.Count(all.String(), "data: {\"line\""); n != lines || !strings.Contains(all.String(), "event: end") {
			t.Errorf("%d lines arrived, want %d and the end", n, lines)
		}
	})
}

// TestEventsAreBounded: a large log costs a follower no memory.
func TestEventsAreBounded(t *testing.T) {
	const lines = 64 << 10
	path := write(t, strings.Repeat(`{"line":"`+strings.Repeat("x", 1000)+`"}`+"\n", lines)+`{"end":"AVAILABLE"}`+"\n")
	s := httptest.NewServer(handler(t, path, 0, make(chan struct{})))
	defer s.Close()
	resp, err := http.Get(s.URL)
	check(t, err)
	defer resp.Body.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got, most := 0, uint64(0)
	for r := bufio.NewScanner(resp.Body); r.Scan(); {
		if !strings.HasPrefix(r.Text(), "data: {\"line\"") {
			continue
		}
		if got++; got%(8<<10) == 0 {
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
	}
	if got != lines {
		t.Errorf("%d lines arrived, want %d", got, lines)
	}
	if most > before.HeapAlloc+16<<20 {
		t.Errorf("the heap grew by %d bytes while a log of %d MiB was followed", most-before.HeapAlloc, lines>>10)
	}
}
