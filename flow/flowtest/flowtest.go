// Package flowtest is the suite that every engine of durable functions passes.
//
//	func TestMain(m *testing.M) { os.Exit(flowtest.Main(m, suite)) }
//	func TestEngine(t *testing.T) { flowtest.Run(t, suite) }
//
// One function has everything that a function can have (example.go). Before and
// after each of its calls, and at the beginning and the end of each action, is a
// point (point.go). The suite cancels the run at each point, kills its process
// there with kill -9 (kill.go), and does both; then another engine goes on with
// the same store. Random functions, killed at random points, are in random.go.
package flowtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot/flow"
)

// Program is what an engine of a test runs.
type Program struct {
	Functions map[string]flow.Function
	Actions   map[string]flow.Action
}

// Suite describes an engine to Run.
type Suite struct {
	// Open opens an engine on the store in the folder dir, which may be new, and
	// goes on with what is there. close ends the store, after the engine's Close.
	Open func(dir string, p Program) (e flow.Engine, close func() error, err error)
}

// limit bounds whatever a test waits for.
const limit = 30 * time.Second

// effects is the world outside of the engine: lines of a file.
type effects struct {
	path string
	mu   sync.Mutex
}

func newEffects(dir string) *effects { return &effects{path: filepath.Join(dir, "effects")} }

// add writes a line.
func (e *effects) add(line string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.write(line)
}

// make writes a line that is not there: what an action does that is
// idempotent by name.
func (e *effects) make(line string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines, err := e.lines()
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l == line {
			return nil
		}
	}
	return e.write(line)
}

func (e *effects) write(line string) error {
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

func (e *effects) lines() ([]string, error) {
	data, err := os.ReadFile(e.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nil
}

// count is how often a line begins with text.
func (e *effects) count(t *testing.T, text string) int {
	t.Helper()
	lines, err := e.lines()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range lines {
		if strings.HasPrefix(line, text) {
			n++
		}
	}
	return n
}

// bench is an engine under test.
type bench struct {
	*testing.T
	suite  Suite
	dir    string
	engine flow.Engine
	end    func() error
}

func newBench(t *testing.T, s Suite) *bench { return &bench{T: t, suite: s, dir: t.TempDir()} }

func (b *bench) open(p Program) {
	b.Helper()
	var err error
	if b.engine, b.end, err = b.suite.Open(b.dir, p); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { b.close(limit) })
}

// close stops the engine; with no grace it abandons what its actions do.
func (b *bench) close(grace time.Duration) {
	b.Helper()
	if b.engine == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := b.engine.Close(ctx); err != nil && grace > 0 {
		b.Errorf("Close: %v", err)
	}
	b.engine = nil
	if err := b.end(); err != nil {
		b.Error(err)
	}
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// await waits until a run has ended and returns its error.
func (b *bench) await(id string) error {
	b.Helper()
	stopped, err := awaitEnd(b.Context(), b.engine, id)
	if stopped != nil {
		b.Fatal(stopped)
	}
	return err
}

// awaitEnd waits until a run has ended and returns its error, or why it does not end.
func awaitEnd(ctx context.Context, e flow.Engine, id string) (stopped, err error) {
	deadline := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ended, err := e.Result(ctx, id)
		switch {
		case ended:
			return nil, err
		case err != nil:
			return fmt.Errorf("run %s: %w", id, err), nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("run %s has not ended within %s", id, limit), nil
		}
	}
}

func (b *bench) receive(c <-chan struct{}, what string) {
	b.Helper()
	select {
	case <-c:
	case <-time.After(limit):
		b.Fatalf("%s did not happen within %s", what, limit)
	}
}
