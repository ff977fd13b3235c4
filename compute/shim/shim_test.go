package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/toe"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		if err := shim.Main(os.Args[2], map[string]shim.Machine{"fake": fakeMachine{}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plan says how the fake guest behaves; it is the machine's option.
type plan struct {
	OpenError  string // Open fails with it
	CloseError string
	Ends       []string // how each boot ends by itself: "off", "reboot", "crash"; after the last, it runs until told
	Deaf       bool     // does not power off when asked
}

// fakeMachine boots a goroutine that serves an agent.
type fakeMachine struct{}

func (fakeMachine) Open(_ context.Context, p shim.Place) (shim.Guest, error) {
	g := &fakeGuest{place: p, off: make(chan struct{}), conns: make(chan net.Conn)}
	if err := json.Unmarshal(p.Options, &g.plan); err != nil {
		return nil, err
	}
	if g.plan.OpenError != "" {
		return nil, errors.New(g.plan.OpenError)
	}
	return g, nil
}

type fakeGuest struct {
	place shim.Place
	plan  plan
	boots int
	once  sync.Once
	off   chan struct{}
	conns chan net.Conn
}

func (g *fakeGuest) Boot(ctx context.Context) (shim.End, error) {
	g.boots++
	boot := fmt.Sprint(g.boots)
	serving, stop := context.WithCancel(ctx)
	var agent sync.WaitGroup
	agent.Go(func() {
		s := &guest.Server{
			Token: g.place.Spec.Token, BootID: boot, StateDirectory: filepath.Join(g.place.Dir, "agent"), Toe: say,
			Leave: func(guest.Power) error { return errors.New("the host of the test stays") },
			Logf:  func(string, ...any) {},
		}
		s.Serve(serving, func(ctx context.Context) (net.Conn, error) {
			select {
			case c := <-g.conns:
				return c, nil
			case <-ctx.Done():
				return nil, io.EOF
			}
		})
	})
	defer agent.Wait()
	defer stop()
	if g.boots <= len(g.plan.Ends) {
		switch g.plan.Ends[g.boots-1] {
		case "off":
			return shim.EndOff, nil
		case "reboot":
			return shim.EndRebooted, nil
		default:
			return shim.EndCrashed, errors.New("it crashed")
		}
	}
	select {
	case <-g.off:
		return shim.EndOff, nil
	case <-ctx.Done():
		return shim.EndCrashed, errors.New("it was killed")
	}
}

func say(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
	emit(toe.Event{Message: "hello"})
	return toe.Result{Status: "success"}, nil
}

func (g *fakeGuest) Channel(ctx context.Context) (net.Conn, error) {
	near, far, err := socketPair()
	if err != nil {
		return nil, err
	}
	select {
	case g.conns <- far:
		return near, nil
	case <-ctx.Done():
		near.Close()
		far.Close()
		return nil, context.Cause(ctx)
	}
}

func socketPair() (net.Conn, net.Conn, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		if conns[i], err = net.FileConn(f); err != nil {
			return nil, nil, err
		}
		f.Close()
	}
	return conns[0], conns[1], nil
}

// PowerOff is asked for when the agent refuses, as this one does.
func (g *fakeGuest) PowerOff() error {
	if !g.plan.Deaf {
		g.once.Do(func() { close(g.off) })
	}
	return nil
}

func (g *fakeGuest) Address() string { return "192.0.2.7" }

func (g *fakeGuest) Close() error {
	if g.plan.CloseError != "" {
		return errors.New(g.plan.CloseError)
	}
	return os.WriteFile(filepath.Join(g.place.Dir, "closed"), nil, 0o600)
}

func newHost(t *testing.T) *shim.Host {
	t.Helper()
	runtime, err := os.MkdirTemp("", "ish") // short: socket paths have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	h := &shim.Host{Kind: "fake", Tag: "t", Dir: t.TempDir(), Runtime: runtime, Command: []string{"/proc/self/exe", "shim"}}
	t.Cleanup(func() {
		if _, err := h.Sweep(context.Background(), nil); err != nil {
			t.Errorf("Sweep: %v", err)
		}
		os.RemoveAll(runtime)
	})
	return h
}

func spec(n int) compute.Spec {
	return compute.Spec{ID: fmt.Sprintf("i-%017x", n), Token: "secret"}
}

func launch(t *testing.T, h *shim.Host, p plan) compute.Instance {
	t.Helper()
	i, err := h.Launch(t.Context(), spec(1), p)
	if err != nil {
		t.Fatalf("Launch: %v", err)
	}
	return i
}

func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		plan   plan
		stop   time.Duration // 0: wait for the guest's own end
		phase  compute.Phase
		boots  int
		reason string
	}{
		{"power-off", plan{Ends: []string{"off"}}, 0, compute.PhaseOff, 1, ""},
		{"reboots", plan{Ends: []string{"reboot", "reboot", "off"}}, 0, compute.PhaseOff, 3, ""},
		{"crash", plan{Ends: []string{"reboot", "crash"}}, 0, compute.PhaseCrashed, 2, "it crashed"},
		{"reboots for ever", plan{Ends: strings.Fields(strings.Repeat("reboot ", 100))}, 0, compute.PhaseCrashed, 64, "more than 64 times"},
		{"stopped", plan{}, time.Minute, compute.PhaseOff, 1, ""},
		{"stopped after a reboot", plan{Ends: []string{"reboot"}}, time.Minute, compute.PhaseOff, 2, ""},
		{"killed after its grace", plan{Deaf: true}, 100 * time.Millisecond, compute.PhaseCrashed, 1, "it was killed"},
		{"disk not flushed", plan{Ends: []string{"off"}, CloseError: "no space"}, 0, compute.PhaseCrashed, 1, "no space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := launch(t, newHost(t), tt.plan)
			if tt.stop > 0 {
				for want := len(tt.plan.Ends) + 1; bootsOf(t, i) < want; {
				}
			}
			end := i.Wait
			if tt.stop > 0 {
				end = func(ctx context.Context) (compute.State, error) { return i.Stop(ctx, tt.stop) }
			}
			s, err := end(t.Context())
			if err != nil || s.Phase != tt.phase || s.Boots != tt.boots || !strings.Contains(s.Reason, tt.reason) {
				t.Errorf("ended as %+v, %v, want %s after %d boots: %q", s, err, tt.phase, tt.boots, tt.reason)
			}
			if again, err := i.State(t.Context()); err != nil || again != s {
				t.Errorf("State = %+v, %v, want what Wait said", again, err)
			}
		})
	}
}

func bootsOf(t *testing.T, i compute.Instance) int {
	t.Helper()
	s, err := i.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Boots
}

// begun is the first state after starting: Launch returns when the shim holds
// the instance, which may not have booted yet.
func begun(t *testing.T, i compute.Instance) compute.State {
	t.Helper()
	for {
		s, err := i.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Phase != compute.PhaseStarting {
			return s
		}
	}
}

func TestAgentOverReboots(t *testing.T) {
	i := launch(t, newHost(t), plan{Ends: []string{"reboot", "reboot"}})
	for bootsOf(t, i) < 3 {
	}
	// Any number of clients share the one channel.
	for range 3 {
		c, err := i.Agent(t.Context())
		if err != nil {
			t.Fatalf("Agent: %v", err)
		}
		h, err := c.Hello(t.Context())
		if err != nil || h.BootID != "3" {
			t.Errorf("Hello = %+v, %v, want the third boot", h, err)
		}
		res, err := c.Run(t.Context(), guest.Run{ID: "r"}, 0, func(guest.Event) error { return nil })
		if err != nil || res.Status != "success" {
			t.Errorf("Run = %+v, %v", res, err)
		}
		defer c.Close()
	}
}

func TestLaunchTwice(t *testing.T) {
	h := newHost(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := h.Launch(t.Context(), spec(1), plan{}); err != nil {
				t.Errorf("Launch: %v", err)
			}
		})
	}
	all.Wait()
	i := launch(t, h, plan{Ends: []string{"crash"}}) // adopted: its plan is the first one
	if s := begun(t, i); s.Phase != compute.PhaseRunning {
		t.Errorf("State = %+v, want running", s)
	}
	if s, err := i.Stop(t.Context(), time.Minute); err != nil || s.Phase != compute.PhaseOff {
		t.Errorf("Stop = %+v, %v, want off", s, err)
	}
	again := launch(t, h, plan{})
	if s := begun(t, again); s.Phase != compute.PhaseRunning || s.Boots != 1 {
		t.Errorf("State after a second start = %+v, want running, first boot", s)
	}
}

func TestLaunchFails(t *testing.T) {
	h := newHost(t)
	_, err := h.Launch(t.Context(), spec(1), plan{OpenError: "the disk is no disk"})
	if err == nil || !strings.Contains(err.Error(), "the disk is no disk") {
		t.Errorf("Launch = %v, want the machine's reason", err)
	}
	for _, id := range []string{"", "i-1", "../../etc", "i-0000000000000000g"} {
		if _, err := h.Launch(t.Context(), compute.Spec{ID: id}, plan{}); err == nil {
			t.Errorf("Launch of %q: no error", id)
		}
		if _, err := h.Adopt(t.Context(), id); !errors.Is(err, compute.ErrGone) {
			t.Errorf("Adopt of %q = %v, want ErrGone", id, err)
		}
	}
}

func TestShimKilled(t *testing.T) {
	h := newHost(t)
	reaped := 0
	h.Reap = func(context.Context, string) error { reaped++; return nil }
	i := launch(t, h, plan{})
	reaped = 0
	killShim(t, h, i.ID())
	s, err := i.Wait(t.Context())
	if err != nil || s.Phase != compute.PhaseCrashed || !strings.Contains(s.Reason, "shim was killed") {
		t.Errorf("Wait = %+v, %v, want crashed: its shim was killed", s, err)
	}
	if reaped == 0 {
		t.Error("nobody tidied up")
	}
	if _, err := i.Agent(t.Context()); err == nil {
		t.Error("Agent of a crashed instance: no error")
	}
}

func killShim(t *testing.T, h *shim.Host, id string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.Dir, id, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ PID int }
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	h := newHost(t)
	for n := range 3 {
		if _, err := h.Launch(t.Context(), spec(n), plan{}); err != nil {
			t.Fatal(err)
		}
	}
	other := &shim.Host{Kind: "other", Tag: "t", Dir: h.Dir, Runtime: h.Runtime, Command: h.Command}
	if have, err := other.Sweep(t.Context(), nil); err != nil || len(have) != 3 {
		t.Errorf("Sweep of another kind = %v, %v, want to leave all", have, err)
	}
	have, err := h.Sweep(t.Context(), []string{spec(1).ID})
	if err != nil || len(have) != 1 || have[0] != spec(1).ID {
		t.Errorf("Sweep = %v, %v, want the kept one left", have, err)
	}
	entries, err := os.ReadDir(h.Dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("folders after Sweep: %v, %v", entries, err)
	}
}

// The token is the guest's secret and must not be in any log.
func TestTokenStaysSecret(t *testing.T) {
	h := newHost(t)
	i := launch(t, h, plan{Ends: []string{"crash"}})
	if _, err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(h.Dir, i.ID(), "shim.log"))
	if err != nil || strings.Contains(string(log), "secret") {
		t.Errorf("shim.log: %v, %q", err, log)
	}
	if info, err := os.Stat(filepath.Join(h.Dir, i.ID(), "spec.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("spec.json has mode %v, %v", info.Mode(), err)
	}
}
