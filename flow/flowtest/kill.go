package flowtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"ingot.dev/ingot/flow"
)

// childVariable makes the test program the process that is killed: it holds an
// order in JSON.
const childVariable = "INGOT_FLOWTEST_CHILD"

// order is what a process that is to be killed does. It kills itself, so that
// the point is exact.
type order struct {
	Dir    string // of the store
	Point  string // where it dies, or
	Count  int    // at which point it dies
	Cancel bool   // it cancels the run before
	Random bool   // it runs the function in Dir, not the example
}

// Main runs the tests, or the process that a test kills.
func Main(m *testing.M, s Suite) int {
	text := os.Getenv(childVariable)
	if text == "" {
		return m.Run()
	}
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the process to be killed:", err)
		return 1
	}
	return 0
}

// run returns when the run has ended before its point was reached, or cannot.
func (o order) run(s Suite) error {
	ctx := context.Background()
	var engine flow.Engine
	ready := make(chan struct{}) // closed when engine is set
	reached := counter(o.Count)
	at := func(point string) {
		if point != o.Point && !reached() {
			return
		}
		if o.Cancel {
			<-ready
			if err := engine.Cancel(ctx, "run"); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	p, signals, err := o.program(at)
	if err != nil {
		return err
	}
	e, _, err := s.Open(o.Dir, p)
	if err != nil {
		return err
	}
	engine = e
	close(ready)
	if err := e.Start(ctx, "run", "f", nil); err != nil {
		return err
	}
	for _, name := range signals {
		if name == waitsAt(o.Point) {
			continue // it dies waiting; the answer comes when nobody waits
		}
		if err := e.Signal(ctx, "run", name, "yes"); err != nil {
			if ended, result := e.Result(ctx, "run"); ended {
				return result
			}
			return err
		}
	}
	stopped, err := awaitEnd(ctx, e, "run")
	return errors.Join(stopped, err)
}

func (o order) program(at func(string)) (p Program, signals []string, err error) {
	if o.Random {
		n, err := readNode(o.Dir)
		return n.program(newEffects(o.Dir), at), n.waits(), err
	}
	return exampleProgram(newEffects(o.Dir), at), answers, nil
}

// counter returns a function that is true at its nth call; never for 0.
func counter(n int) func() bool {
	calls := make(chan struct{}, max(0, n-1))
	return func() bool {
		if n == 0 {
			return false
		}
		select {
		case calls <- struct{}{}:
			return false
		default:
			return true
		}
	}
}

// obey runs a process until it kills itself, and reports whether it did: it may
// also have come to the run's end.
func (o order) obey(ctx context.Context) (killed bool, err error) {
	data, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(data))
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return false, fmt.Errorf("the process did not get to its point within %s", limit)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, out)
	}
	return false, nil
}

// mustKill has a process killed.
func (b *bench) mustKill(o order) {
	b.Helper()
	if killed, err := o.obey(b.Context()); err != nil || !killed {
		b.Fatalf("the process was killed: %t, %v", killed, err)
	}
}

const programFile = "program.json"

func readNode(dir string) (n node, err error) {
	data, err := os.ReadFile(filepath.Join(dir, programFile))
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(data, &n)
}
