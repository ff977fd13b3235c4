package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"ingot.dev/ingot/compute"
)

const (
	childVariable = "INGOT_SHIM_CHILD"
	// readyVariable is set when descriptor 3 is a pipe that wants the outcome of the start.
	readyVariable = "INGOT_SHIM_READY"
	// A guest that restarts more often is taken for broken: a run may ask for 15.
	maxBoots = 64
)

// Main is the shim's program: it holds the instance whose folder is dir until
// the guest has ended and its disk is flushed. `ingot shim DIR` calls it, and
// so does TestMain of a driver's tests.
func Main(dir string, machines map[string]Machine) error {
	if kind := os.Getenv(childVariable); kind != "" {
		c, ok := machines[kind].(Child)
		if !ok {
			return fmt.Errorf("kind %q: its machine has no child", kind)
		}
		return c.Child()
	}
	var o order
	if err := readWhole(filepath.Join(dir, specFile), &o); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	m, ok := machines[o.Kind]
	if !ok {
		return fmt.Errorf("kind %q: this program has no such machine", o.Kind)
	}
	ready := takeReady()
	held, ok, err := lock(dir)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("another shim holds %s", dir)
	}
	// The kernel drops the lock with the process, not before: who finds it free
	// may take everything away.
	defer runtime.KeepAlive(held)
	h := &holder{dir: dir, order: o, ready: ready, log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	return h.hold(m)
}

// ChildCommand starts this program again so that Main calls the Child of kind.
func ChildCommand(kind string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), childVariable+"="+kind)
	return cmd
}

// holder is one shim at work.
type holder struct {
	dir   string
	order order
	ready *os.File // nil when nobody waits
	log   *slog.Logger
	kill  context.CancelFunc // ends the guest at once

	mu       sync.Mutex
	state    compute.State
	changed  chan struct{} // closed and renewed with every new state
	stopping bool          // a reboot now counts as a power-off
}

// hold runs the instance from the lock to the last state.
func (h *holder) hold(m Machine) error {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	h.kill = kill
	// The server's terminal and service manager must not end instances.
	// They are taken, not ignored, for a child would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGHUP)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() { <-term; kill() }()

	h.changed = make(chan struct{})
	err := h.start()
	if err == nil {
		err = h.live(ctx, m)
	}
	if err != nil {
		h.log.Error("instance crashed", "id", h.order.Spec.ID, "error", err)
		return errors.Join(err, h.set(func(s *compute.State) { s.Phase, s.Reason = compute.PhaseCrashed, err.Error() }))
	}
	return h.set(func(s *compute.State) { s.Phase = compute.PhaseOff })
}

func (h *holder) start() error {
	p, err := self()
	if err != nil {
		return fmt.Errorf("naming this process: %w", err)
	}
	if err := writeWhole(filepath.Join(h.dir, pidFile), p); err != nil {
		return fmt.Errorf("saving the process id: %w", err)
	}
	return h.set(func(s *compute.State) {
		*s = compute.State{
			ID: h.order.Spec.ID, Kind: h.order.Kind, Phase: compute.PhaseStarting,
			Started: time.Now().UTC(), Console: filepath.Join(h.dir, consoleFile),
		}
	})
}

// live opens the machine, serves the socket and boots until the guest is off.
// The disk is closed before it returns, and so before the last state is told.
func (h *holder) live(ctx context.Context, m Machine) (err error) {
	if err := os.MkdirAll(h.order.Runtime, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.order.Runtime)) }()
	g, err := m.Open(ctx, Place{
		Spec: h.order.Spec, Tag: h.order.Tag, Options: h.order.Options, Dir: h.dir,
		Runtime: h.order.Runtime, Console: h.state.Console, Log: h.log,
	})
	if err != nil {
		return fmt.Errorf("preparing the instance: %w", err)
	}
	defer func() {
		if cerr := g.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("closing the instance: %w", cerr))
		}
	}()
	l := newLink(g, h.order.Spec.Token, h.log)
	srv, err := h.serve(l)
	if err != nil {
		return err
	}
	defer srv.Close()
	h.reportReady()
	return h.boots(ctx, g, l)
}

// boots boots the guest until it does not ask for another boot.
func (h *holder) boots(ctx context.Context, g Guest, l *link) error {
	for n := 1; ; n++ {
		err := h.set(func(s *compute.State) {
			s.Phase, s.Boots, s.Address = compute.PhaseRunning, n, g.Address()
		})
		if err != nil {
			return fmt.Errorf("saving the state: %w", err)
		}
		linked, unlink := context.WithCancel(ctx)
		var keeper sync.WaitGroup
		keeper.Go(func() { l.keep(linked) })
		end, err := g.Boot(ctx)
		unlink()
		keeper.Wait()
		h.log.Info("boot ended", "boot", n, "end", int(end), "error", err)
		switch {
		case err != nil:
			return err
		case end == EndOff, end == EndRebooted && h.isStopping():
			return nil
		case end != EndRebooted:
			return errors.New("the guest ended without powering off")
		case n == maxBoots:
			return fmt.Errorf("the guest restarted more than %d times", maxBoots)
		}
	}
}

func (h *holder) isStopping() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopping
}

// set changes the state, on disk first.
func (h *holder) set(change func(*compute.State)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.state
	change(&next)
	if err := writeWhole(filepath.Join(h.dir, stateFile), next); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	h.state = next
	close(h.changed)
	h.changed = make(chan struct{})
	return nil
}

// look returns the state and what is closed when it changes.
func (h *holder) look() (compute.State, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state, h.changed
}

func (h *holder) serve(l *link) (*http.Server, error) {
	ln, err := net.Listen("unix", filepath.Join(h.order.Runtime, socketFile))
	if err != nil {
		return nil, fmt.Errorf("listening for the server: %w", err)
	}
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: h.handler(l), Protocols: p}
	go srv.Serve(ln) // ends with Close
	return srv, nil
}

// takeReady returns the pipe on which the starting server waits for the
// outcome, or nil. Its end without a word says that the start failed, so no
// child may inherit it.
func takeReady() *os.File {
	if os.Getenv(readyVariable) == "" {
		return nil
	}
	os.Unsetenv(readyVariable) // cannot fail for a valid name
	syscall.CloseOnExec(3)
	return os.NewFile(3, "ready")
}

func (h *holder) reportReady() {
	if h.ready != nil {
		h.ready.WriteString("ok") // the server may be gone: then nobody asks
		h.ready.Close()
	}
}
