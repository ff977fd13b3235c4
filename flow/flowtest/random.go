package flowtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot/flow"
)

// node is a random function: a call, or several below one. Names are unique.
type node struct {
	Kind  string
	Name  string `json:",omitempty"`
	Fails int    `json:",omitempty"` // attempts that fail before one does not
	Kids  []node `json:",omitempty"`
}

// Kinds of nodes.
const (
	nodeStep     = "step"
	nodeAttempts = "attempts" // a loop that ends with the first success
	nodeWait     = "wait"     // answered
	nodeExpire   = "expire"   // not answered
	nodeState    = "state"
	nodeSequence = "sequence"
	nodeGroup    = "group"
	nodeDetached = "detached"
)

// drawNode draws a function of at most depth levels below it.
func drawNode(t *rapid.T, depth int, number *int) node {
	kinds := []string{nodeStep, nodeStep, nodeAttempts, nodeWait, nodeExpire, nodeState}
	if depth > 0 {
		kinds = append(kinds, nodeSequence, nodeSequence, nodeGroup, nodeGroup, nodeDetached)
	}
	*number++
	n := node{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Name: fmt.Sprint("a:", *number)}
	switch n.Kind {
	case nodeAttempts:
		n.Fails = rapid.IntRange(0, 3).Draw(t, "fails")
	case nodeSequence, nodeGroup, nodeDetached:
		for range rapid.IntRange(1, 4).Draw(t, "kids") {
			n.Kids = append(n.Kids, drawNode(t, depth-1, number))
		}
	}
	return n
}

// waits are the names of the signals that the function needs.
func (n node) waits() []string {
	var names []string
	if n.Kind == nodeWait {
		names = append(names, n.Name)
	}
	for _, kid := range n.Kids {
		names = append(names, kid.waits()...)
	}
	return names
}

// steps are the names of the actions of the function.
func (n node) steps() []string {
	var names []string
	switch n.Kind {
	case nodeStep:
		names = append(names, n.Name)
	case nodeAttempts:
		for i := range n.Fails + 1 {
			names = append(names, fmt.Sprint(n.Name, "-", i))
		}
	}
	for _, kid := range n.Kids {
		names = append(names, kid.steps()...)
	}
	return names
}

// program runs the function, and gives what its calls answered to a last step.
func (n node) program(e *effects, at func(point string)) Program {
	f := func(ctx flow.Context) error {
		r := results{calls: map[string]string{}}
		if err := n.run(ctx, &r); err != nil {
			return err
		}
		return step(ctx, task{Name: "a:result", Note: r.calls}, nil)
	}
	return Program{
		Functions: map[string]flow.Function{"f": watch(f, at)},
		Actions:   map[string]flow.Action{"a": action(e, at)},
	}
}

// results are what the calls of a function answered, by name.
type results struct {
	mu    sync.Mutex
	calls map[string]string
}

func (r *results) set(name, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[name] = answer
}

func (n node) run(ctx flow.Context, r *results) error {
	var out string
	var err error
	switch n.Kind {
	case nodeStep:
		err = step(ctx, task{Name: n.Name}, &out)
	case nodeAttempts:
		out, err = n.attempt(ctx)
	case nodeWait:
		err = ctx.Wait(n.Name, time.Hour, &out)
	case nodeExpire:
		if err = ctx.Wait(n.Name, time.Millisecond, &out); errors.Is(err, flow.ErrTimeout) {
			out, err = err.Error(), nil
		}
	case nodeState:
		err = ctx.State(n.Name)
	default:
		return n.runKids(ctx, r)
	}
	r.set(n.Name, out)
	return err
}

func (n node) attempt(ctx flow.Context) (out string, err error) {
	for i := 0; ; i++ {
		name := fmt.Sprint(n.Name, "-", i)
		err := step(ctx, task{Name: name, Fail: i < n.Fails}, &out)
		var failed *flow.Error
		if !errors.As(err, &failed) {
			return out, err
		}
		if err := ctx.Wait(name, time.Millisecond, nil); !errors.Is(err, flow.ErrTimeout) {
			return "", err
		}
	}
}

func (n node) runKids(ctx flow.Context, r *results) error {
	sequence := func(ctx flow.Context) error {
		for _, kid := range n.Kids {
			if err := kid.run(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}
	switch n.Kind {
	case nodeDetached:
		return ctx.Detached(sequence)
	case nodeGroup:
		var branches []func(flow.Context) error
		for _, kid := range n.Kids {
			branches = append(branches, func(ctx flow.Context) error { return kid.run(ctx, r) })
		}
		return ctx.Group(branches...)
	}
	return sequence(ctx)
}

// testRandom kills random functions at random points, again and again. Their
// result is that of a run which nobody disturbed, every action has run, and
// what it makes by name is there once.
func testRandom(t *testing.T, s Suite) {
	rapid.Check(t, func(r *rapid.T) {
		number := 0
		n := node{Kind: nodeSequence, Name: "a:0"}
		for range rapid.IntRange(1, 4).Draw(r, "length") {
			n.Kids = append(n.Kids, drawNode(r, 2, &number))
		}
		var undisturbed recorder
		want, err := n.complete(t, s, mkdir(r, t), undisturbed.at)
		if err != nil {
			r.Fatalf("undisturbed: %v", err)
		}
		dir := mkdir(r, t)
		data, err := json.Marshal(n)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, programFile), data, 0o600)
		}
		if err != nil {
			r.Fatal(err)
		}
		for _, count := range rapid.SliceOfN(rapid.IntRange(1, len(undisturbed.points)), 1, 3).Draw(r, "kills") {
			if _, err := (order{Dir: dir, Count: count, Random: true}).obey(t.Context()); err != nil {
				r.Fatal(err)
			}
		}
		got, err := n.complete(t, s, dir, func(string) {})
		if err != nil {
			r.Fatalf("after the kills: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Errorf("effects (-undisturbed +killed):\n%s", diff)
		}
	})
}

func mkdir(r *rapid.T, t *testing.T) string {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		r.Fatal(err)
	}
	return dir
}

// complete brings the function to its end and returns how often each of its
// effects was made.
func (n node) complete(t *testing.T, s Suite, dir string, at func(point string)) (made map[string]int, err error) {
	e := newEffects(dir)
	engine, end, err := s.Open(dir, n.program(e, at))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(t.Context()), end()) }()
	if err := engine.Start(t.Context(), "run", "f", nil); err != nil {
		return nil, err
	}
	for _, name := range n.waits() {
		if err := engine.Signal(t.Context(), "run", name, "yes"); err != nil {
			if ended, _ := engine.Result(t.Context(), "run"); !ended {
				return nil, err
			}
		}
	}
	if stopped, err := awaitEnd(t.Context(), engine, "run"); stopped != nil || err != nil {
		return nil, errors.Join(stopped, err)
	}
	made = map[string]int{}
	lines, err := e.lines()
	if err != nil {
		return nil, err
	}
	begun := map[string]bool{}
	for _, line := range lines {
		switch verb, name, _ := strings.Cut(line, " "); verb {
		case "begin":
			begun[name] = true
		case "made":
			made[name]++
		}
	}
	for _, name := range n.steps() {
		if !begun[name] {
			return nil, fmt.Errorf("action %s never ran", name)
		}
	}
	return made, nil
}
