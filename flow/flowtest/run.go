package flowtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/flow"
)

// Run checks an engine against the contract of package flow.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"complete": testComplete, "interrupt": testInterrupt, "kill": testKill, "cancel": testCancel,
		"start": testStart, "wait": testWait, "expire": testExpire, "group": testGroup,
		"detached": testDetached, "panic": testPanic, "changed": testChanged, "twice": testTwice,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// wantExample checks that the example came to its end, and that each step but
// the one that was cut off was done once.
func wantExample(b *bench, w *world, cut string) {
	b.Helper()
	b.check(b.engine.Signal(b.Context(), "run", "answer", "yes"))
	if err := b.await("run"); err != nil {
		b.Fatalf("the run ended with %v", err)
	}
	for _, step := range allSteps {
		action, _, _ := strings.Cut(step, ":")
		want := 1
		if action == "right" {
			want = 2
		}
		if begun := w.count(b.T, action+" begins"); begun < want || !inFlight(action, cut) && begun > want {
			b.Errorf("step %s began %d times, want %d", action, begun, want)
		}
	}
	wantOutcome := `tidy ends {"One":"made by one","Left":"made by left","Right":"made by right","Answer":"yes","Failure":"expected: wrapped: no [1]"}`
	if w.count(b.T, wantOutcome) != 1 {
		b.Errorf("the last step was not given %s", wantOutcome)
	}
}

// inFlight reports whether a step may have been in progress when the step cut
// was cut off: itself, and its neighbour in the group.
func inFlight(step, cut string) bool {
	grouped := func(s string) bool { return s == "left" || s == "right" }
	return step == cut || grouped(step) && grouped(cut)
}

func testComplete(t *testing.T, s Suite) {
	b := newBench(t, s)
	w := newWorld(b.dir, "")
	b.open(w.program())
	b.check(b.engine.Start(t.Context(), "run", "example", nil))
	wantExample(b, w, "")
}

func eachAction(t *testing.T, test func(*testing.T, string)) {
	for _, action := range []string{"one", "left", "right", "fail", "tidy"} {
		t.Run(action, func(t *testing.T) { test(t, action) })
	}
}

// testInterrupt stops the engine while an action runs, with and without grace.
func testInterrupt(t *testing.T, s Suite) {
	eachAction(t, func(t *testing.T, action string) {
		for _, grace := range []time.Duration{limit, 0} {
			b := newBench(t, s)
			w := newWorld(b.dir, action)
			b.open(w.program())
			b.check(b.engine.Start(t.Context(), "run", "example", nil))
			b.check(b.engine.Signal(t.Context(), "run", "answer", "yes"))
			b.receive(w.held, "step "+action)
			b.close(grace)
			b.open(newWorld(b.dir, "").program())
			wantExample(b, w, action)
			b.close(limit)
		}
	})
}

// testCancel cancels the run in each step. Clean-up runs, nothing else begins.
func testCancel(t *testing.T, s Suite) {
	eachAction(t, func(t *testing.T, action string) {
		if action == "tidy" {
			t.Skip("clean-up is not cancelled")
		}
		for _, restart := range []bool{false, true} {
			b := newBench(t, s)
			w := newWorld(b.dir, action)
			b.open(w.program())
			b.check(b.engine.Start(t.Context(), "run", "example", nil))
			b.check(b.engine.Signal(t.Context(), "run", "answer", "yes"))
			b.receive(w.held, "step "+action)
			b.check(b.engine.Cancel(t.Context(), "run"))
			if restart {
				b.close(0)
				b.open(newWorld(b.dir, "").program())
			}
			if err := b.await("run"); !errors.Is(err, flow.ErrCancelled) {
				t.Errorf("the run ended with %v, want %v", err, flow.ErrCancelled)
			}
			if n := w.count(t, "tidy ends"); n != 1 {
				t.Errorf("the clean-up ran %d times, want once", n)
			}
			b.check(b.engine.Cancel(t.Context(), "run")) // does nothing any more
			b.close(limit)
		}
	})
}

// testStart: an id is one run, for ever.
func testStart(t *testing.T, s Suite) {
	b := newBench(t, s)
	w := newWorld(b.dir, "")
	b.open(w.program())
	for range 3 {
		b.check(b.engine.Start(t.Context(), "run", "example", nil))
	}
	wantExample(b, w, "")
	b.check(b.engine.Start(t.Context(), "run", "example", nil))
	b.close(limit)
	b.open(w.program())
	b.check(b.engine.Start(t.Context(), "run", "example", nil))
	if ended, err := b.engine.Result(t.Context(), "run"); !ended || err != nil {
		t.Errorf("after its end and a restart Result is %t, %v", ended, err)
	}
	if n := w.count(t, "one begins"); n != 1 {
		t.Errorf("the first step began %d times, want once", n)
	}
	if err := b.engine.Start(t.Context(), "other", "unknown", nil); err == nil {
		t.Error("an unknown function was started")
	}
	if _, err := b.engine.Result(t.Context(), "nobody"); err == nil {
		t.Error("Result of an unknown run has no error")
	}
}

// program runs one function, whose actions are given.
func program(f func(flow.Context) error, actions map[string]flow.Action) Program {
	return Program{
		Functions: map[string]flow.Function{"f": func(ctx flow.Context, _ json.RawMessage) error { return f(ctx) }},
		Actions:   actions,
	}
}

func noop(context.Context, json.RawMessage) (any, error) { return nil, nil }

// testWait: a signal may come before the wait, during it, and while the engine is down.
func testWait(t *testing.T, s Suite) {
	b := newBench(t, s)
	var got []string
	p := program(func(ctx flow.Context) error {
		got = nil
		for _, name := range []string{"early", "late", "asleep"} {
			var v string
			if err := ctx.Wait(name, time.Hour, &v); err != nil {
				return err
			}
			got = append(got, v)
		}
		return nil
	}, nil)
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.check(b.engine.Signal(t.Context(), "run", "early", "1"))
	b.check(b.engine.Signal(t.Context(), "run", "late", "2"))
	b.check(b.engine.Signal(t.Context(), "run", "late", "2")) // the same again
	if err := b.engine.Signal(t.Context(), "run", "late", "other"); err == nil {
		t.Error("an answered wait took another answer")
	}
	b.close(limit)
	b.open(p)
	b.check(b.engine.Signal(t.Context(), "run", "asleep", "3"))
	b.check(b.await("run"))
	if diff := cmp.Diff([]string{"1", "2", "3"}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if err := b.engine.Signal(t.Context(), "run", "more", "4"); err == nil {
		t.Error("a run that has ended took a signal")
	}
	if err := b.engine.Signal(t.Context(), "nobody", "late", "4"); err == nil {
		t.Error("an unknown run took a signal")
	}
}

// testExpire: a wait that nobody answers ends at its time, which a restart does not move.
func testExpire(t *testing.T, s Suite) {
	b := newBench(t, s)
	expired := make(chan struct{})
	p := program(func(ctx flow.Context) error {
		err := ctx.Wait("answer", time.Millisecond, nil)
		if !errors.Is(err, flow.ErrTimeout) {
			return fmt.Errorf("the wait ended with %v, want %w", err, flow.ErrTimeout)
		}
		return ctx.Step("hold", "", nil, nil)
	}, map[string]flow.Action{"hold": func(ctx context.Context, _ json.RawMessage) (any, error) {
		close(expired)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}})
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.receive(expired, "the timeout")
	if err := b.engine.Signal(t.Context(), "run", "answer", "too late"); err == nil {
		t.Error("a wait that is over took an answer")
	}
	b.close(limit)
	p.Actions["hold"] = noop
	b.open(p)
	b.check(b.await("run"))
}

// testGroup: a branch that fails cancels the others, and its error comes back
// when all have ended.
func testGroup(t *testing.T, s Suite) {
	b := newBench(t, s)
	begun := make(chan struct{})
	ended := false
	p := program(func(ctx flow.Context) error {
		return ctx.Group(
			func(ctx flow.Context) error { return ctx.Step("slow", "", nil, nil) },
			func(ctx flow.Context) error { return ctx.Step("failing", "", nil, nil) },
			func(ctx flow.Context) error { return ctx.Step("fine", "", nil, nil) })
	}, map[string]flow.Action{
		"slow": func(ctx context.Context, _ json.RawMessage) (any, error) {
			close(begun)
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		},
		"failing": func(context.Context, json.RawMessage) (any, error) { <-begun; return nil, errors.New("no") },
		"fine":    noop,
	})
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	err := b.await("run")
	var failed *flow.Error
	if !errors.As(err, &failed) || failed.Message != "no" || failed.Step != "failing" {
		t.Errorf("the run ended with %#v, want the error of the branch that failed", err)
	}
	if !ended {
		t.Error("the run ended before the branch that was cancelled")
	}
}

// testDetached: clean-up runs to its end although the run is cancelled in it.
func testDetached(t *testing.T, s Suite) {
	b := newBench(t, s)
	begun, cancelled := make(chan struct{}), make(chan struct{})
	done := false
	b.open(program(func(ctx flow.Context) error {
		err := ctx.Detached(func(ctx flow.Context) error {
			if err := ctx.Step("first", "", nil, nil); err != nil {
				return err
			}
			return ctx.Group(func(ctx flow.Context) error { return ctx.Step("second", "", nil, nil) })
		})
		if err == nil && !errors.Is(ctx.Step("third", "", nil, nil), flow.ErrCancelled) {
			return errors.New("a step began after the cancellation")
		}
		return err
	}, map[string]flow.Action{
		"first":  func(context.Context, json.RawMessage) (any, error) { close(begun); <-cancelled; return nil, nil },
		"second": func(ctx context.Context, _ json.RawMessage) (any, error) { done = true; return nil, ctx.Err() },
		"third":  noop,
	}))
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.receive(begun, "the clean-up")
	b.check(b.engine.Cancel(t.Context(), "run"))
	close(cancelled)
	if err := b.await("run"); err != nil || !done {
		t.Errorf("the run ended with %v, all of its clean-up done: %t", err, done)
	}
}

// testPanic: a panic is the step's error, not the process's.
func testPanic(t *testing.T, s Suite) {
	b := newBench(t, s)
	b.open(program(func(ctx flow.Context) error { return ctx.Step("boom", "", nil, nil) }, map[string]flow.Action{
		"boom": func(context.Context, json.RawMessage) (any, error) { panic("at the disco") },
	}))
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	var failed *flow.Error
	if err := b.await("run"); !errors.As(err, &failed) || !strings.Contains(failed.Message, "at the disco") {
		t.Errorf("the run ended with %v, want the panic", err)
	}
}

// testChanged: a replay that asks for something else is stopped, not carried on.
func testChanged(t *testing.T, s Suite) {
	b := newBench(t, s)
	held := make(chan struct{})
	first := "a"
	p := program(func(ctx flow.Context) error {
		return errors.Join(ctx.Step(first, "", nil, nil), ctx.Step("hold", "", nil, nil))
	}, map[string]flow.Action{"a": noop, "b": noop, "hold": func(ctx context.Context, _ json.RawMessage) (any, error) {
		close(held)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}})
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.receive(held, "the second step")
	b.close(limit)
	first = "b"
	b.open(p)
	b.wantStopped("run", "step b", "step a")
}

// testTwice: names are unique in a run.
func testTwice(t *testing.T, s Suite) {
	b := newBench(t, s)
	b.open(program(func(ctx flow.Context) error {
		return errors.Join(ctx.Step("a", "", nil, nil), ctx.Step("a", "", nil, nil))
	}, map[string]flow.Action{"a": noop}))
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.wantStopped("run", "twice")
}

// wantStopped waits until the engine gives a run up, for a reason with these words.
func (b *bench) wantStopped(id string, words ...string) {
	b.Helper()
	deadline := time.After(limit)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		ended, err := b.engine.Result(b.Context(), id)
		if ended {
			b.Fatalf("run %s ended with %v, want it stopped", id, err)
		}
		if err != nil {
			for _, word := range words {
				if !strings.Contains(err.Error(), word) {
					b.Errorf("the run was stopped because %q, want %q in it", err, word)
				}
			}
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("run %s was not stopped within %s", id, limit)
		}
	}
}
