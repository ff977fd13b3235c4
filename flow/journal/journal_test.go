package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"go.uber.org/goleak"

	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/flow/flowtest"
)

var suite = flowtest.Suite{Open: func(dir string, p flowtest.Program) (flow.Engine, func() error, error) {
	db, err := openDB(dir, "OFF") // kill -9 takes nothing from the system's cache
	if err != nil {
		return nil, nil, err
	}
	e := New(db)
	e.Log = slog.New(slog.DiscardHandler)
	for name, f := range p.Functions {
		e.Function(name, f)
	}
	for name, a := range p.Actions {
		e.Action(name, a)
	}
	return e, db.Close, e.Open(context.Background())
}}

func openDB(dir, synchronous string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "journal.db")+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=synchronous("+synchronous+")")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func TestMain(m *testing.M) { os.Exit(flowtest.Main(m, suite)) }

func TestConformance(t *testing.T) { flowtest.Run(t, suite) }

// engine opens an engine that runs one function.
func engine(t testing.TB, f flow.Function, actions map[string]flow.Action) (*Engine, *sql.DB) {
	t.Helper()
	db, err := openDB(t.TempDir(), "FULL")
	if err != nil {
		t.Fatal(err)
	}
	e := New(db)
	e.Log = slog.New(slog.DiscardHandler)
	e.Function("f", f)
	for name, a := range actions {
		e.Action(name, a)
	}
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return e, db
}

func start(t testing.TB, e *Engine, id string) {
	t.Helper()
	if err := e.Start(context.Background(), id, "f", nil); err != nil {
		t.Fatal(err)
	}
}

// await waits until no run is in progress in this process.
func await(t testing.TB, e *Engine) {
	t.Helper()
	idle := make(chan struct{})
	go func() {
		e.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(30 * time.Second):
		t.Fatal("the run does not end")
	}
}

func TestState(t *testing.T) {
	held := make(chan struct{})
	e, _ := engine(t, func(ctx flow.Context, _ json.RawMessage) error {
		return errors.Join(ctx.State("first"), ctx.Step("hold", "", nil, nil), ctx.State("second"))
	}, map[string]flow.Action{"hold": func(context.Context, json.RawMessage) (any, error) { <-held; return nil, nil }})
	if _, err := e.State(t.Context(), "run", new(string)); err == nil {
		t.Error("State of an unknown run has no error")
	}
	start(t, e, "run")
	close(held)
	await(t, e)
	var got string
	if published, err := e.State(t.Context(), "run", &got); !published || err != nil || got != "second" {
		t.Errorf("State = %q, %t, %v; want second", got, published, err)
	}
}

// TestUnsavedStepHoldsTheRun: a state that was not saved did not happen.
func TestUnsavedStepHoldsTheRun(t *testing.T) {
	later := 0
	e, db := engine(t, func(ctx flow.Context, _ json.RawMessage) error {
		err := ctx.Step("a", "", nil, nil)
		return errors.Join(err, ctx.Detached(func(ctx flow.Context) error { return ctx.Step("later", "", nil, nil) }))
	}, map[string]flow.Action{
		"a":     func(context.Context, json.RawMessage) (any, error) { return nil, nil },
		"later": func(context.Context, json.RawMessage) (any, error) { later++; return nil, nil },
	})
	e.Retry = time.Millisecond
	said := make(chan string, 1)
	e.Log = slog.New(slog.NewTextHandler(firstLine(said), nil))
	deny := `CREATE TRIGGER deny BEFORE INSERT ON flow_event BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`
	if _, err := db.Exec(deny); err != nil {
		t.Fatal(err)
	}
	start(t, e, "run")
	select {
	case line := <-said:
		if !strings.Contains(line, "the disk is full") {
			t.Errorf("the log says %q, want the reason", line)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is said of a run that waits")
	}
	if ended, err := e.Result(t.Context(), "run"); ended || err != nil {
		t.Errorf("Result = %t, %v; want an open run that goes on", ended, err)
	}
	if later != 0 {
		t.Error("a step began after one that was not saved")
	}
	if _, err := db.Exec(`DROP TRIGGER deny`); err != nil {
		t.Fatal(err)
	}
	await(t, e)
	if ended, err := e.Result(t.Context(), "run"); !ended || err != nil || later != 1 {
		t.Errorf("after the repair Result = %t, %v, and the last step ran %d times", ended, err, later)
	}
}

// firstLine is a writer that sends what is written first.
type firstLine chan string

func (c firstLine) Write(line []byte) (int, error) {
	select {
	case c <- string(line):
	default:
	}
	return len(line), nil
}

func TestLargeOutputIsRefused(t *testing.T) {
	e, _ := engine(t, func(ctx flow.Context, _ json.RawMessage) error { return ctx.Step("a", "", nil, nil) },
		map[string]flow.Action{"a": func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", maxOutput), nil }})
	start(t, e, "run")
	await(t, e)
	if ended, err := e.Result(t.Context(), "run"); !ended || err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("Result = %t, %v; want the size as the reason", ended, err)
	}
}

func TestUnknownFunctionDoesNotStopOthers(t *testing.T) {
	dir := t.TempDir()
	hold := func(ctx context.Context, _ json.RawMessage) (any, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	step := func(ctx flow.Context, _ json.RawMessage) error { return ctx.Step("a", "", nil, nil) }
	db, err := openDB(dir, "FULL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(action flow.Action, names ...string) *Engine {
		e := New(db)
		e.Log = slog.New(slog.DiscardHandler)
		e.Action("a", action)
		for _, name := range names {
			e.Function(name, step)
		}
		if err := e.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := run(hold, "old", "f")
	if err := errors.Join(e.Start(t.Context(), "1", "old", nil), e.Start(t.Context(), "2", "f", nil), e.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	e = run(func(context.Context, json.RawMessage) (any, error) { return nil, nil }, "f")
	await(t, e)
	if ended, err := e.Result(t.Context(), "1"); ended || err == nil || !strings.Contains(err.Error(), "function old,") {
		t.Errorf("Result of the unknown function's run = %t, %v", ended, err)
	}
	if ended, err := e.Result(t.Context(), "2"); !ended || err != nil {
		t.Errorf("Result of the other run = %t, %v", ended, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	db, err := openDB(t.TempDir(), "FULL")
	if err != nil {
		t.Fatal(err)
	}
	e := New(db)
	e.Function("f", func(ctx flow.Context, _ json.RawMessage) error { return ctx.Wait("never", time.Hour, nil) })
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, e, "run")
	if err := errors.Join(e.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, ignore)
}

func BenchmarkStep(b *testing.B) {
	e, _ := engine(b, func(ctx flow.Context, _ json.RawMessage) error {
		for i := range b.N {
			if err := ctx.Step(fmt.Sprint("a:", i), "", nil, nil); err != nil {
				return err
			}
		}
		return nil
	}, map[string]flow.Action{"a": func(context.Context, json.RawMessage) (any, error) { return nil, nil }})
	b.ResetTimer()
	start(b, e, "run")
	await(b, e)
}
