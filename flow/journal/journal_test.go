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

func TestMain(m *testing.M) {
	if os.Getenv(killDir) != "" {
		if err := dieAtCommit(); err != nil {
			fmt.Fprintln(os.Stderr, "the process to be killed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(flowtest.Main(m, suite))
}

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

// TestForgets: outcomes are kept for a time, and no longer.
func TestForgets(t *testing.T) {
	e, db := engine(t, func(flow.Context, json.RawMessage) error { return nil }, nil)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e.Now = func() time.Time { return now }
	for _, id := range []string{"first", "second"} {
		start(t, e, id)
		await(t, e)
		now = now.Add(24 * time.Hour)
	}
	now = now.Add(e.Keep - 36*time.Hour)
	start(t, e, "third")
	await(t, e)
	var ids string
	if err := db.QueryRow(`SELECT group_concat(id) FROM (SELECT id FROM flow_run ORDER BY id)`).Scan(&ids); err != nil {
		t.Fatal(err)
	}
	if ids != "second,third" {
		t.Errorf("the runs %s are kept, want second,third", ids)
	}
	if _, err := e.Result(t.Context(), "first"); err == nil {
		t.Error("a forgotten run has a result")
	}
}

// TestGroupReplaysAsItWas: a step that another branch cut off stays cut off,
// although in the replay nothing would keep it from ending.
func TestGroupReplaysAsItWas(t *testing.T) {
	dir := t.TempDir()
	db, err := openDB(dir, "FULL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	function := func(ctx flow.Context, _ json.RawMessage) error {
		var cut error
		raced := ctx.Group(
			func(ctx flow.Context) error { return ctx.Step("failing", "", nil, nil) },
			func(ctx flow.Context) error { cut = ctx.Step("slow", "", nil, nil); return cut })
		if raced == nil || !errors.Is(cut, flow.ErrCancelled) {
			return fmt.Errorf("the group ended with %v, its slow branch with %v", raced, cut)
		}
		return ctx.Step("hold", "", nil, nil)
	}
	begun, held := make(chan struct{}), make(chan struct{})
	run := func(actions map[string]flow.Action) *Engine {
		e := New(db)
		e.Log = slog.New(slog.DiscardHandler)
		e.Function("f", function)
		for name, a := range actions {
			e.Action(name, a)
		}
		if err := e.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	wait := func(ctx context.Context, reached chan<- struct{}) (any, error) {
		close(reached)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	e := run(map[string]flow.Action{
		"failing": func(context.Context, json.RawMessage) (any, error) { <-begun; return nil, errors.New("no") },
		"slow":    func(ctx context.Context, _ json.RawMessage) (any, error) { return wait(ctx, begun) },
		"hold":    func(ctx context.Context, _ json.RawMessage) (any, error) { return wait(ctx, held) },
	})
	start(t, e, "run")
	<-held
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := func(context.Context, json.RawMessage) (any, error) { return nil, nil }
	e = run(map[string]flow.Action{"failing": done, "slow": done, "hold": done})
	await(t, e)
	if ended, err := e.Result(t.Context(), "run"); !ended || err != nil {
		t.Errorf("Result = %t, %v", ended, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLargeErrorIsShortened(t *testing.T) {
	e, db := engine(t, func(ctx flow.Context, _ json.RawMessage) error { return ctx.Step("a", "", nil, nil) },
		map[string]flow.Action{"a": func(context.Context, json.RawMessage) (any, error) {
			detail, _ := json.Marshal(strings.Repeat("x", maxOutput))
			return nil, &flow.Error{Kind: "kind", Message: strings.Repeat("é", maxMessage), Detail: detail}
		}})
	start(t, e, "run")
	await(t, e)
	var size int
	if err := db.QueryRow(`SELECT length(outcome) FROM flow_run`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	_, err := e.Result(t.Context(), "run")
	var failed *flow.Error
	if !errors.As(err, &failed) || failed.Kind != "kind" || size > 2*maxMessage {
		t.Errorf("the outcome takes %d bytes and is %.80v", size, err)
	}
}

var noop = map[string]flow.Action{"a": func(context.Context, json.RawMessage) (any, error) { return nil, nil }}

// BenchmarkStep is a step with its entry in the journal, synced to the disk.
func BenchmarkStep(b *testing.B) {
	e, _ := engine(b, func(ctx flow.Context, _ json.RawMessage) error {
		for i := range b.N {
			if err := ctx.Step(fmt.Sprint("a:", i), "", nil, nil); err != nil {
				return err
			}
		}
		return nil
	}, noop)
	b.ResetTimer()
	start(b, e, "run")
	await(b, e)
}

// BenchmarkReplay opens an engine that goes on with a run of 1,000 steps.
func BenchmarkReplay(b *testing.B) {
	benchmarkOpen(b, 1, func(ctx flow.Context, _ json.RawMessage) error {
		for i := range 1000 {
			if err := ctx.Step(fmt.Sprint("a:", i), "", nil, nil); err != nil {
				return err
			}
		}
		return ctx.Wait("answer", time.Hour, nil)
	})
}

// BenchmarkOpen opens an engine with 1,000 runs that wait.
func BenchmarkOpen(b *testing.B) {
	benchmarkOpen(b, 1000, func(ctx flow.Context, _ json.RawMessage) error {
		if err := ctx.Step("a", "", nil, nil); err != nil {
			return err
		}
		return ctx.Wait("answer", time.Hour, nil)
	})
}

// benchmarkOpen measures from Open until every run of f waits.
func benchmarkOpen(b *testing.B, runs int, f flow.Function) {
	db, err := openDB(b.TempDir(), "OFF")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	open := func() *Engine {
		e := New(db)
		e.Log = slog.New(slog.DiscardHandler)
		e.Function("f", f)
		e.Action("a", noop["a"])
		if err := e.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
		return e
	}
	e := open()
	for i := range runs {
		start(b, e, fmt.Sprint(i))
	}
	awaitWaits(b, e, runs)
	for b.Loop() {
		if err := e.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		e = open()
		awaitWaits(b, e, runs)
	}
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// awaitWaits returns when so many runs have asked for their wait.
func awaitWaits(b *testing.B, e *Engine, runs int) {
	for waiting := 0; waiting < runs; {
		waiting = 0
		e.mu.Lock()
		for _, r := range e.runs {
			r.mu.Lock()
			if r.names["wait answer"] {
				waiting++
			}
			r.mu.Unlock()
		}
		e.mu.Unlock()
		select {
		case <-b.Context().Done():
			b.Fatal("the runs do not come to their wait")
		case <-time.After(time.Millisecond):
		}
	}
}
