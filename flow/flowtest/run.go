package flowtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/flow"
)

// Run checks an engine against the contract of package flow.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"complete": testComplete, "interrupt": testInterrupt, "kill": testKill, "cancel": testCancel,
		"cancelKill": testCancelKill, "random": testRandom, "start": testStart, "wait": testWait,
		"expire": testExpire, "group": testGroup, "detached": testDetached, "panic": testPanic,
		"changed": testChanged, "version": testVersion, "twice": testTwice, "lock": testLock,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// answer signals what the example waits for, but not the wait called
// unanswered, unless the run has ended.
func (b *bench) answer(unanswered string) {
	b.Helper()
	for _, name := range answers {
		if name == unanswered {
			continue
		}
		if err := b.engine.Signal(b.Context(), "run", name, "yes"); err != nil {
			if ended, _ := b.engine.Result(b.Context(), "run"); !ended {
				b.Fatal(err)
			}
		}
	}
}

// start begins the example.
func (b *bench) start(p Program, unanswered string) {
	b.Helper()
	b.open(p)
	b.check(b.engine.Start(b.Context(), "run", "f", nil))
	b.answer(unanswered)
}

// wantExample checks that the example came to its end, that all its effects
// are there once, and that no step began twice but those that may have been in
// flight when the run was disturbed at a point.
func wantExample(b *bench, e *effects, disturbed string) {
	b.Helper()
	if err := b.await("run"); err != nil {
		b.Fatalf("the run ended with %v", err)
	}
	if e.count(b.T, wantLast) != 1 {
		lines, _ := e.lines()
		b.Errorf("the last step was not given %s, but %s", wantLast, lines[len(lines)-1])
	}
	for _, step := range exampleSteps {
		begun, made := e.count(b.T, "begin "+step), e.count(b.T, "made "+step)
		if begun == 0 || made != 1 {
			b.Errorf("step %s began %d times and had its effect %d times, want once", step, begun, made)
		}
		if begun > 1 && !inFlight(step, disturbed) {
			b.Errorf("step %s began %d times, although it had ended", step, begun)
		}
	}
}

// inFlight reports whether a step may have been in progress at a point.
func inFlight(step, point string) bool {
	switch {
	case point == "in expires": // a wait that ends by itself
		return true
	case concurrent(point) && concurrent(step):
		return true
	}
	return point == "in "+step || point == "done "+step
}

// eachPoint runs a test for every point of the example.
func eachPoint(t *testing.T, s Suite, test func(*bench, string)) {
	var r recorder
	b := newBench(t, s)
	e := newEffects(b.dir)
	b.start(exampleProgram(e, r.at), "")
	wantExample(b, e, "")
	b.close(limit)
	points := []string{"in par-beside", "in early", "in asleep", "in expires"}
	for _, p := range r.points {
		if waitsAt(p) == "" {
			points = append(points, p)
		}
	}
	if len(points) < 4*len(exampleSteps) {
		t.Fatalf("the example has %d points, want 4 for each of its %d steps", len(points), len(exampleSteps))
	}
	for i, p := range points {
		if testing.Short() && i%7 != 0 { // a sample
			continue
		}
		t.Run(strings.ReplaceAll(p, " ", "_"), func(t *testing.T) {
			t.Parallel() // they wait for the disk
			test(newBench(t, s), p)
		})
	}
}

func testComplete(t *testing.T, s Suite) {
	b := newBench(t, s)
	e := newEffects(b.dir)
	b.start(exampleProgram(e, func(string) {}), "")
	wantExample(b, e, "")
}

// testKill kills the process at each point, and goes on.
func testKill(t *testing.T, s Suite) {
	eachPoint(t, s, func(b *bench, point string) {
		b.mustKill(order{Dir: b.dir, Point: point})
		e := newEffects(b.dir)
		b.start(exampleProgram(e, func(string) {}), "")
		wantExample(b, e, point)
	})
}

// testCancel cancels the run at each point. Clean-up runs; nothing else begins.
func testCancel(t *testing.T, s Suite) {
	eachPoint(t, s, func(b *bench, point string) {
		e := newEffects(b.dir)
		var once sync.Once
		b.start(exampleProgram(e, func(at string) {
			if at != point {
				return
			}
			once.Do(func() {
				if err := errors.Join(b.engine.Cancel(b.Context(), "run"), e.add("cancelled")); err != nil {
					b.Error(err)
				}
			})
		}), waitsAt(point))
		if point == "after last" || point == "done last" || isTidy(point) { // too late
			wantExample(b, e, "")
			return
		}
		wantCancelled(b, e)
		lines, err := e.lines()
		b.check(err)
		for _, line := range lines[slices.Index(lines, "cancelled")+1:] {
			step, begins := strings.CutPrefix(line, "begin ")
			if begins && !isTidy(step) && !(concurrent(step) && concurrent(point)) {
				b.Errorf("step %s began after the cancellation", step)
			}
		}
	})
}

// isTidy reports whether a step or a point is of the clean-up.
func isTidy(name string) bool { return strings.Contains(name, "tidy:") }

func wantCancelled(b *bench, e *effects) {
	b.Helper()
	if err := b.await("run"); !errors.Is(err, flow.ErrCancelled) {
		b.Errorf("the run ended with %v, want %v", err, flow.ErrCancelled)
	}
	for _, step := range []string{"tidy:first", "tidy:beside", "tidy:last"} {
		if n := e.count(b.T, "made "+step); n != 1 {
			b.Errorf("%s of the clean-up was made %d times, want once", step, n)
		}
	}
	b.check(b.engine.Cancel(b.Context(), "run")) // does nothing any more
}

// testCancelKill cancels the run at each point, and the process dies before
// the run can do anything about it.
func testCancelKill(t *testing.T, s Suite) {
	eachPoint(t, s, func(b *bench, point string) {
		b.mustKill(order{Dir: b.dir, Point: point, Cancel: true})
		e := newEffects(b.dir)
		before := e.count(b.T, "begin ") - e.count(b.T, "begin tidy")
		b.open(exampleProgram(e, func(string) {}))
		if point == "after last" || isTidy(point) { // too late
			wantExample(b, e, point)
			return
		}
		wantCancelled(b, e)
		if after := e.count(b.T, "begin ") - e.count(b.T, "begin tidy"); after != before {
			b.Errorf("%d steps began after the cancellation", after-before)
		}
	})
}

// testInterrupt closes the engine inside of each step, with and without grace.
func testInterrupt(t *testing.T, s Suite) {
	for _, step := range exampleSteps {
		t.Run(step, func(t *testing.T) {
			for _, grace := range []time.Duration{limit, 0} {
				b := newBench(t, s)
				e := newEffects(b.dir)
				held := make(chan struct{})
				p := exampleProgram(e, func(string) {})
				for name, action := range p.Actions {
					p.Actions[name] = holding(action, step, held)
				}
				b.start(p, "")
				b.receive(held, "step "+step)
				b.close(grace)
				b.start(exampleProgram(e, func(string) {}), "")
				wantExample(b, e, "in "+step)
				b.close(limit)
			}
		})
	}
}

// holding holds an action in a step until its context ends.
func holding(action flow.Action, step string, held chan<- struct{}) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (any, error) {
		var t task
		if err := json.Unmarshal(in, &t); err != nil {
			return nil, err
		}
		if t.Name != step {
			return action(ctx, in)
		}
		close(held)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
}

// testStart: an id is one run, for ever.
func testStart(t *testing.T, s Suite) {
	b := newBench(t, s)
	e := newEffects(b.dir)
	p := exampleProgram(e, func(string) {})
	b.start(p, "")
	for range 3 {
		b.check(b.engine.Start(t.Context(), "run", "f", nil))
	}
	wantExample(b, e, "")
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	b.close(limit)
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f", nil))
	if ended, err := b.engine.Result(t.Context(), "run"); !ended || err != nil {
		t.Errorf("after its end and a restart Result is %t, %v", ended, err)
	}
	if n := e.count(t, "begin one"); n != 1 {
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
	b.check(b.engine.Cancel(t.Context(), "run"))
	if err := b.await("run"); !errors.Is(err, flow.ErrCancelled) {
		t.Errorf("a stopped run that was cancelled ended with %v, want %v", err, flow.ErrCancelled)
	}
}

// testVersion: a run goes on with the function that it began with, as long as
// that is registered; without it, it is stopped, and can only be cancelled.
func testVersion(t *testing.T, s Suite) {
	b := newBench(t, s)
	held := make(chan struct{})
	p := Program{
		Functions: map[string]flow.Function{"f@1": watch(func(ctx flow.Context) error { return ctx.Step("one", "", nil, nil) }, func(string) {})},
		Actions: map[string]flow.Action{"two": noop, "one": func(ctx context.Context, _ json.RawMessage) (any, error) {
			close(held)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}},
	}
	b.open(p)
	b.check(b.engine.Start(t.Context(), "run", "f@1", nil))
	b.check(b.engine.Start(t.Context(), "other", "f@1", nil))
	b.receive(held, "the step")
	b.close(0)

	second := func(ctx flow.Context) error { return ctx.Step("two", "", nil, nil) }
	p.Functions, p.Actions["one"] = map[string]flow.Function{"f@2": watch(second, func(string) {})}, noop
	old := p.Functions
	b.open(p)
	b.check(b.engine.Start(t.Context(), "new", "f@2", nil))
	b.check(b.await("new"))
	b.wantStopped("run", "f@1", "f@2")
	b.check(b.engine.Cancel(t.Context(), "run"))
	if err := b.await("run"); !errors.Is(err, flow.ErrCancelled) {
		t.Errorf("a stopped run that was cancelled ended with %v, want %v", err, flow.ErrCancelled)
	}
	b.close(limit)

	old["f@1"] = watch(func(ctx flow.Context) error { return ctx.Step("one", "", nil, nil) }, func(string) {})
	b.open(p)
	b.check(b.await("other"))
}

// testLock: while an engine has a store, no other opens it, in this process or
// in another; one that was killed is in nobody's way.
func testLock(t *testing.T, s Suite) {
	b := newBench(t, s)
	e := newEffects(b.dir)
	b.mustKill(order{Dir: b.dir, Point: "in one"})
	b.start(exampleProgram(e, func(string) {}), "asleep")
	if engine, end, err := s.Open(b.dir, Program{}); err == nil {
		t.Errorf("a second engine has opened the store (%v)", errors.Join(engine.Close(t.Context()), end()))
	}
	if killed, err := (order{Dir: b.dir, Point: "after last"}).obey(t.Context()); killed || err == nil {
		t.Errorf("another process has opened the store: killed %t, %v", killed, err)
	}
	b.check(b.engine.Signal(t.Context(), "run", "asleep", "yes"))
	wantExample(b, e, "in one")
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
			if !errors.Is(err, flow.ErrStopped) {
				b.Errorf("the run was stopped because %v, want %v", err, flow.ErrStopped)
			}
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
