// Package flowtest is the suite that every engine of durable functions passes.
//
//	func TestMain(m *testing.M) { os.Exit(flowtest.Main(m, suite)) }
//	func TestEngine(t *testing.T) { flowtest.Run(t, suite) }
//
// A test stops the engine in each step of one function and starts another on
// the same store, as a server is restarted: in order, without grace, and, in a
// process of its own, by kill -9.
package flowtest

import (
	"context"
	"encoding/json"
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

// The function of the suite: a step, a group of two branches of which the
// second has two steps, a wait, a failing step, and detached clean-up. What its
// steps do is a line in the file "effects": the world outside of the engine.
var allSteps = []string{"one", "left", "right:1", "right:2", "fail", "tidy"}

// outcome is what the function publishes at its end.
type outcome struct {
	One, Left, Right string
	Answer           string
	Failure          string // of the step fail, with its kind
}

func example(ctx flow.Context, _ json.RawMessage) error {
	var o outcome
	err := work(ctx, &o)
	return errors.Join(err, ctx.Detached(func(ctx flow.Context) error {
		if err != nil && !errors.Is(err, flow.ErrCancelled) {
			return nil
		}
		return ctx.Step("tidy", "", o, nil)
	}))
}

func work(ctx flow.Context, o *outcome) error {
	if err := ctx.Step("one", "", nil, &o.One); err != nil {
		return err
	}
	err := ctx.Group(
		func(ctx flow.Context) error { return ctx.Step("left", "", o.One, &o.Left) },
		func(ctx flow.Context) error {
			if err := ctx.Step("right:1", "", nil, nil); err != nil {
				return err
			}
			return ctx.Step("right:2", "", nil, &o.Right)
		})
	if err != nil {
		return err
	}
	if err := ctx.Wait("answer", time.Hour, &o.Answer); err != nil {
		return err
	}
	err = ctx.Step("fail", "", nil, nil)
	var failed *flow.Error
	if !errors.As(err, &failed) {
		return err
	}
	o.Failure = failed.Kind + ": " + failed.Message + " " + string(failed.Detail)
	return nil
}

// world is what the actions of the example do: lines in a file. It may hold
// one action until its context ends.
type world struct {
	path string
	hold string // name of the action

	mu   sync.Mutex
	held chan struct{} // closed when the action is held
	once sync.Once
}

func newWorld(dir, hold string) *world {
	return &world{path: filepath.Join(dir, "effects"), hold: hold, held: make(chan struct{})}
}

func (w *world) program() Program {
	p := Program{Functions: map[string]flow.Function{"example": example}, Actions: map[string]flow.Action{}}
	for _, step := range allSteps {
		action, _, _ := strings.Cut(step, ":")
		p.Actions[action] = w.action(action)
	}
	return p
}

func (w *world) action(name string) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (any, error) {
		if err := w.write(name + " begins"); err != nil {
			return nil, err
		}
		if name == w.hold {
			w.once.Do(func() { close(w.held) })
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		if name == "fail" {
			return nil, fmt.Errorf("wrapped: %w", &flow.Error{Kind: "expected", Message: "no", Detail: json.RawMessage(`[1]`)})
		}
		if err := w.write(name + " ends " + string(in)); err != nil {
			return nil, err
		}
		return "made by " + name, nil
	}
}

func (w *world) write(line string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// count is how often a line begins with text.
func (w *world) count(t *testing.T, text string) int {
	t.Helper()
	data, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count("\n"+string(data), "\n"+text)
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
	deadline := time.After(limit)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		ended, err := b.engine.Result(b.Context(), id)
		switch {
		case ended:
			return err
		case err != nil:
			b.Fatalf("run %s was stopped: %v", id, err)
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("run %s has not ended within %s", id, limit)
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
