package guest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

// agentOf serves s over one end of a pair and returns a client at the other.
func agentOf(t testing.TB, s *Server) *Client {
	t.Helper()
	near, far := pair(t)
	s.Token, s.Logf = "t", t.Logf
	if s.Leave == nil {
		s.Leave = func(Power) error { return errors.New("a test must not leave") }
	}
	if s.StateDirectory == "" {
		s.StateDirectory = t.TempDir()
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	conns := make(chan net.Conn, 1)
	conns <- far
	go func() {
		ended <- s.Serve(ctx, func(ctx context.Context) (net.Conn, error) {
			select {
			case c := <-conns:
				return c, nil
			case <-ctx.Done():
				return nil, io.EOF
			}
		})
	}()
	c, err := Dial(t.Context(), near, "t")
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { c.Close(); cancel(); <-ended })
	return c
}

func collect(into *[]Event) func(Event) error {
	return func(e Event) error { *into = append(*into, e); return nil }
}

func TestHello(t *testing.T) {
	c := agentOf(t, &Server{Version: "1.2", BootID: "b"})
	h, err := c.Hello(t.Context())
	if err != nil || h.Version != "1.2" || h.BootID != "b" || h.Hostname == "" {
		t.Errorf("Hello = %+v, %v", h, err)
	}
}

func TestExec(t *testing.T) {
	c := agentOf(t, &Server{})
	for _, tt := range []struct {
		name  string
		cmd   Command
		stdin string
		exit  int
		out   string // lines with their stream
	}{
		{"both streams", Command{Args: []string{"sh", "-c", "echo a; echo b >&2; exit 3"}}, "", 3, "stderr b|stdout a"},
		{"input", Command{Args: []string{"cat"}}, "x\ny", 0, "stdout x|stdout y"},
		{"environment", Command{Args: []string{"sh", "-c", "echo $V; pwd"}, Env: []string{"V=1 2"}, Dir: "/usr"}, "", 0, "stdout /usr|stdout 1 2"},
		{"signal", Command{Args: []string{"sh", "-c", "kill -9 $$"}}, "", 137, ""},
		{"not found", Command{Args: []string{"/no/such"}}, "", 127, "stderr starting /no/such: fork/exec /no/such: no such file or directory"},
		{"not executable", Command{Args: []string{"/etc/passwd"}}, "", 126, "stderr starting /etc/passwd: fork/exec /etc/passwd: permission denied"},
		{"child holds the output", Command{Args: []string{"sh", "-c", "sleep 1000 & echo $!"}}, "", 0, "stdout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var events []Event
			exit, err := c.Exec(t.Context(), tt.cmd, strings.NewReader(tt.stdin), collect(&events))
			if err != nil || exit != tt.exit {
				t.Fatalf("Exec = %d, %v, want %d", exit, err, tt.exit)
			}
			if got := streams(events); !strings.HasPrefix(got, tt.out) || (tt.out == "" && got != "") {
				t.Errorf("output = %q, want %q", got, tt.out)
			}
			killSleeper(t, events)
		})
	}
}

// streams joins the lines, stderr first, for the order between two pipes is open.
func streams(events []Event) string {
	var errs, outs []string
	for _, e := range events {
		switch {
		case e.Exit != nil:
		case e.Stream == "stderr":
			errs = append(errs, "stderr "+e.Line)
		default:
			outs = append(outs, "stdout "+e.Line)
		}
	}
	if len(outs) > 1 && outs[0] > outs[1] {
		outs[0], outs[1] = outs[1], outs[0]
	}
	return strings.Join(append(errs, outs...), "|")
}

func killSleeper(t *testing.T, events []Event) {
	for _, e := range events {
		var pid int
		if _, err := fmt.Sscan(e.Line, &pid); err == nil && pid > 1 && e.Stream == "stdout" {
			if p, err := os.FindProcess(pid); err == nil {
				p.Kill()
			}
		}
	}
}

// A command with an ID goes on without its caller, and runs once.
func TestExecIsIdempotent(t *testing.T) {
	c := agentOf(t, &Server{})
	marker := filepath.Join(t.TempDir(), "ran")
	cmd := Command{ID: "once", Args: []string{"sh", "-c", "echo ran >> " + marker + "; echo begun; read x; echo done"}}
	stop := errors.New("stop")
	in, feed := io.Pipe()
	_, err := c.Exec(t.Context(), cmd, in, func(e Event) error {
		if e.Line == "begun" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("Exec = %v, want the error of emit", err)
	}
	feed.Close()
	for range 2 {
		var events []Event
		if exit, err := c.Exec(t.Context(), cmd, nil, collect(&events)); err != nil || exit != 0 {
			t.Fatalf("Exec = %d, %v", exit, err)
		}
		if got := streams(events); got != "stdout begun|stdout done" {
			t.Errorf("output = %q", got)
		}
	}
	if text, err := os.ReadFile(marker); err != nil || string(text) != "ran\n" {
		t.Errorf("the command ran %q, %v", text, err)
	}
}

// A command without an ID ends with its caller.
func TestBoundCommandEnds(t *testing.T) {
	s := &Server{}
	c := agentOf(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var pid int
	_, err := c.Exec(ctx, Command{Args: []string{"sh", "-c", "echo $$; sleep 1000"}}, nil, func(e Event) error {
		fmt.Sscan(e.Line, &pid)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Exec = %v, want cancelled", err)
	}
	wait(t, "the end of the command", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return errors.Is(err, fs.ErrNotExist)
	})
	wait(t, "the removal of its events", func() bool {
		left, err := os.ReadDir(s.StateDirectory)
		return err == nil && len(left) == 0
	})
}

func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		runtime.Gosched()
	}
}

func TestLongOutput(t *testing.T) {
	c := agentOf(t, &Server{})
	var longest int
	var total int64
	_, err := c.Exec(t.Context(), Command{Args: []string{"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; echo; printf 'a\\377b\\n'"}}, nil,
		func(e Event) error {
			longest, total = max(longest, len(e.Line)), total+int64(len(e.Line))
			if e.Exit == nil && e.Line != strings.Repeat("x", len(e.Line)) && e.Line != "a\uFFFDb" {
				t.Errorf("line %q", e.Line)
			}
			return nil
		})
	if err != nil || longest > maxLine || total != 1_000_000+5 {
		t.Errorf("longest line %d, total %d, %v", longest, total, err)
	}
}

// fakeToe is an executor that counts its calls and asks for one reboot.
type fakeToe struct{ calls atomic.Int32 }

func (f *fakeToe) run(_ context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
	n := f.calls.Add(1)
	emit(toe.Event{Message: fmt.Sprintf("call %d", n)})
	emit(toe.Event{Message: strings.Repeat("é", maxLine)})
	if !req.HandOffReboot || req.LogDirectory == "" {
		return toe.Result{}, errors.New("the executor would restart the guest itself")
	}
	return toe.Result{ExecutionID: req.ExecutionID, Status: "success", Reboot: n == 1}, nil
}

func TestRunGoesOnAfterReboot(t *testing.T) {
	f, state := &fakeToe{}, t.TempDir()
	run := Run{ID: "r1", Request: toe.Request{ExecutionID: "x"}}
	boot := func(id string) *Client { return agentOf(t, &Server{BootID: id, StateDirectory: state, Toe: f.run}) }

	var first, again, second, whole []Event
	c := boot("one")
	res, err := c.Run(t.Context(), run, 0, collect(&first))
	if err != nil || !res.Reboot {
		t.Fatalf("Run = %+v, %v, want a reboot", res, err)
	}
	// Before the reboot nothing goes on, whoever asks: an agent that was restarted, too.
	for _, c := range []*Client{c, boot("one")} {
		again = nil
		if res, err := c.Run(t.Context(), run, 1, collect(&again)); err != nil || !res.Reboot {
			t.Fatalf("Run before the reboot = %+v, %v", res, err)
		}
		if diff := cmp.Diff(first[1:], again); diff != "" {
			t.Errorf("events from 1 (-want +got):\n%s", diff)
		}
	}
	c = boot("two")
	res, err = c.Run(t.Context(), run, int64(len(first)), collect(&second))
	if err != nil || res.Reboot || res.Status != "success" || res.ExecutionID != "x" {
		t.Fatalf("Run after the reboot = %+v, %v", res, err)
	}
	if got := f.calls.Load(); got != 2 {
		t.Errorf("the executor was called %d times, want 2", got)
	}
	if res, err := c.Run(t.Context(), run, 0, collect(&whole)); err != nil || res.Status != "success" {
		t.Fatalf("Run of an ended run = %+v, %v", res, err)
	}
	if diff := cmp.Diff(append(first, second...), whole); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRunFailureIsAResult(t *testing.T) {
	c := agentOf(t, &Server{Toe: func(context.Context, toe.Request, func(toe.Event)) (toe.Result, error) {
		return toe.Result{}, errors.New("no room")
	}})
	res, err := c.Run(t.Context(), Run{ID: "r", Request: toe.Request{ExecutionID: "e"}}, 0, collect(new([]Event)))
	if err != nil || res.Status != "failed" || res.FailureMessage != "no room" {
		t.Errorf("Run = %+v, %v, want failed: no room", res, err)
	}
}

// A client that vanishes does not end a run, and the next one misses nothing.
func TestRunOutlivesClients(t *testing.T) {
	release := make(chan struct{})
	s := &Server{Toe: func(_ context.Context, _ toe.Request, emit func(toe.Event)) (toe.Result, error) {
		for n := range 1000 {
			emit(toe.Event{Message: fmt.Sprint(n)})
		}
		<-release
		return toe.Result{Status: "success"}, nil
	}}
	near := agentOf(t, s)
	run := Run{ID: "long"}
	var seen int64
	_, err := near.Run(t.Context(), run, 0, func(e Event) error {
		if seen = e.Seq; seen == 500 {
			near.Close()
		}
		return nil
	})
	if !errors.Is(err, ErrUnreachable) {
		t.Fatalf("Run = %v, want unreachable", err)
	}
	close(release)
	next := agentOf(t, s)
	if _, err := next.Run(t.Context(), run, seen, func(e Event) error { seen = e.Seq; return nil }); err != nil {
		t.Fatal(err)
	}
	if seen != 1001 {
		t.Errorf("the last event is %d, want 1001", seen)
	}
}

func TestLeaving(t *testing.T) {
	var asked Power
	c := agentOf(t, &Server{Leave: func(p Power) error { asked = p; return nil }})
	if err := c.Power(t.Context(), PowerReboot); err != nil || asked != PowerReboot {
		t.Fatalf("Power = %v, the agent was asked for %q", err, asked)
	}
	if _, err := c.Hello(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Hello while the guest goes down = %v, want unreachable", err)
	}
}

func TestRefusals(t *testing.T) {
	c := agentOf(t, &Server{})
	for name, call := range map[string]func() error{
		"power":         func() error { return c.Power(t.Context(), "sideways") },
		"id":            func() error { _, err := c.Run(t.Context(), Run{ID: "../x"}, 0, collect(new([]Event))); return err },
		"no command":    func() error { _, err := c.Exec(t.Context(), Command{}, nil, collect(new([]Event))); return err },
		"relative path": func() error { return c.PutFile(t.Context(), "x", 0o600, strings.NewReader("")) },
		"fifo":          func() error { return getSpecial(t, c) },
		"limit": func() error {
			_, err := c.GetFile(t.Context(), "/etc/passwd", 3, io.Discard)
			if !errors.Is(err, ErrTooLarge) {
				return nil
			}
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func getSpecial(t *testing.T, c *Client) error {
	_, err := c.GetFile(t.Context(), "/dev/null", 1, io.Discard)
	return err
}

func TestFilesAndTrees(t *testing.T) {
	c := agentOf(t, &Server{})
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for name, text := range map[string][]byte{"a/b/small": []byte("s"), "a/big": big, "empty": nil} {
		if err := c.PutFile(t.Context(), filepath.Join(dir, name), 0o751, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		mode, err := c.GetFile(t.Context(), filepath.Join(dir, name), 1<<20, &got)
		if err != nil || mode != 0o751 || !bytes.Equal(got.Bytes(), text) {
			t.Errorf("GetFile(%s) = %o, %d bytes, %v", name, mode, got.Len(), err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var tree bytes.Buffer
	if err := c.GetTree(t.Context(), dir, 4<<20, &tree); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&tree); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %d", h.Name, h.Size))
	}
	want := []string{"a/ 0", "a/b/ 0", "a/b/small 1", "a/big 1048576", "empty 0"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if err := c.GetTree(t.Context(), filepath.Join(dir, "none"), 1, io.Discard); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("GetTree of a missing folder = %v", err)
	}
}

func TestShell(t *testing.T) {
	c := agentOf(t, &Server{})
	in, feed := io.Pipe()
	out := &terminalText{want: make(chan string, 1)}
	resize := make(chan Window)
	go func() {
		io.WriteString(feed, "stty size; echo pid-$((1+1))\n")
		out.waitFor("pid-2")
		resize <- Window{Rows: 50, Cols: 132}
		io.WriteString(feed, "stty size; exit 7\n")
	}()
	exit, err := c.Shell(t.Context(), Shell{Args: []string{"/bin/sh"}, Env: []string{"TERM=dumb", "PS1="}, Window: Window{Rows: 24, Cols: 80}}, in, resize, out)
	if err != nil || exit != 7 {
		t.Fatalf("Shell = %d, %v, want 7; it printed %q", exit, err, out.text)
	}
	for _, want := range []string{"24 80", "50 132"} {
		if !strings.Contains(out.text, want) {
			t.Errorf("the shell printed %q, want %q in it", out.text, want)
		}
	}
	if exit, err := c.Shell(t.Context(), Shell{Args: []string{"/bin/cat"}}, strings.NewReader("x\n"), nil, io.Discard); err != nil || exit != 0 {
		t.Errorf("Shell whose input ends = %d, %v, want 0", exit, err)
	}
}

// terminalText keeps what was printed and tells when something is in it.
type terminalText struct {
	text   string
	want   chan string
	target string
	found  chan struct{}
}

func (o *terminalText) Write(p []byte) (int, error) {
	o.text += string(p)
	if o.target == "" {
		select {
		case o.target = <-o.want:
		default:
		}
	}
	if o.target != "" && strings.Contains(o.text, o.target) && o.found != nil {
		close(o.found)
		o.found = nil
	}
	return len(p), nil
}

func (o *terminalText) waitFor(text string) {
	o.found = make(chan struct{})
	found := o.found
	o.want <- text
	<-found
}

// BenchmarkOutput is the way of one line from a command to its caller.
func BenchmarkOutput(b *testing.B) {
	c := agentOf(b, &Server{})
	b.ReportAllocs()
	b.ResetTimer()
	_, err := c.Exec(b.Context(), Command{Args: []string{"sh", "-c", fmt.Sprintf("yes 0123456789012345678901234567890123456789 | head -n %d", b.N)}}, nil,
		func(e Event) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGetFile(b *testing.B) {
	c := agentOf(b, &Server{})
	path := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 64<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := c.GetFile(b.Context(), path, 1<<30, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
