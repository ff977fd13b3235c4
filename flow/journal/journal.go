// Package journal runs durable functions on one machine, with their journal in
// a SQLite file.
//
// A run is replayed: its function starts again from the top, and whatever it
// asks for that is in the journal is answered from there. A step is written
// when it has ended, so the step in flight at a crash is performed again. Each
// request is journalled under its place in the function; a replay that asks for
// something else at that place is stopped before it does harm.
//
// Nothing is written after Close has returned. A run whose step cannot be saved
// waits where it is until it can: a state that was not saved did not happen.
package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot/flow"
)

// Engine implements flow.Engine. Register what it runs before Open.
type Engine struct {
	Now   func() time.Time // for deadlines
	Log   *slog.Logger
	Retry time.Duration // pause before progress that could not be saved is saved again
	Keep  time.Duration // how long the outcome of an ended run is kept, and its id never runs again

	store     store
	lock      *os.File // held while open; nil for a database in memory
	functions map[string]flow.Function
	actions   map[string]flow.Action

	ctx       context.Context // of all detached work; ends with Close
	interrupt context.CancelCauseFunc
	running   sync.WaitGroup

	mu      sync.Mutex
	open    bool
	runs    map[string]*run  // in progress in this process
	stopped map[string]error // open runs that this process gave up, and why
}

var _ flow.Engine = (*Engine)(nil)

// New makes an engine over a database, which stays the caller's to close.
func New(db *sql.DB) *Engine {
	ctx, interrupt := context.WithCancelCause(context.Background())
	return &Engine{
		Now: time.Now, Log: slog.Default(), Retry: 5 * time.Second, Keep: 90 * 24 * time.Hour,
		store:     store{db: db},
		functions: map[string]flow.Function{}, actions: map[string]flow.Action{},
		ctx: ctx, interrupt: interrupt,
		runs: map[string]*run{}, stopped: map[string]error{},
	}
}

// Function registers a durable function. It must be called before Open.
func (e *Engine) Function(name string, f flow.Function) { e.functions[name] = f }

// Action registers an action. It must be called before Open.
func (e *Engine) Action(name string, a flow.Action) { e.actions[name] = a }

// Open brings the tables up to date and goes on with every open run. It is
// refused while another engine has the file open.
func (e *Engine) Open(ctx context.Context) (err error) {
	if e.lock, err = lockFile(ctx, e.store.db); err != nil {
		return err
	}
	if err := e.store.migrate(ctx); err != nil {
		return fmt.Errorf("preparing the journal: %w", err)
	}
	ids, err := e.store.openRuns(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.open = true
	e.mu.Unlock()
	for _, id := range ids {
		if err := e.resume(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// Start begins a run, or goes on with one that was stopped. An id that is
// running or has ended is left alone.
func (e *Engine) Start(ctx context.Context, id, function string, in any) error {
	if e.functions[function] == nil {
		return fmt.Errorf("starting run %s: no function %q is registered", id, function)
	}
	input, err := encode("input", in)
	if err != nil {
		return fmt.Errorf("starting run %s: %w", id, err)
	}
	if !e.isOpen() {
		return fmt.Errorf("starting run %s: %w", id, flow.ErrInterrupted)
	}
	if err := e.store.create(ctx, id, function, input, e.Now()); err != nil {
		return err
	}
	return e.resume(ctx, id)
}

// resume runs an open run in this process, unless it is already.
func (e *Engine) resume(ctx context.Context, id string) error {
	r, err := e.claim(id)
	if r == nil {
		return err
	}
	record, err := e.store.load(ctx, id)
	if err == nil && !record.ended && e.functions[record.function] == nil {
		r.stop(e.unknown(record.function))
		return nil // one run of an unknown function must not keep the others from going on
	}
	if err != nil || record.ended {
		e.release(r, nil)
		return err
	}
	r.begin(record)
	go r.execute(e.functions[record.function], record.input)
	return nil
}

// unknown says why a run of a function cannot go on in this program.
func (e *Engine) unknown(function string) error {
	name, _, _ := strings.Cut(function, "@")
	for have := range e.functions {
		if base, _, _ := strings.Cut(have, "@"); base == name {
			return fmt.Errorf("%w: it began with function %s, and this program has %s; the program that began it can end it, or cancel it", flow.ErrStopped, function, have)
		}
	}
	return fmt.Errorf("%w: it began with function %s, which this program does not have", flow.ErrStopped, function)
}

// claim makes the one run of an id in this process; nil if there is one.
func (e *Engine) claim(id string) (*run, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.open {
		return nil, fmt.Errorf("starting run %s: %w", id, flow.ErrInterrupted)
	}
	if e.runs[id] != nil {
		return nil, nil
	}
	r := newRun(e, id)
	e.runs[id] = r
	delete(e.stopped, id)
	e.running.Add(1)
	return r, nil
}

// release forgets a run that does not go on in this process.
func (e *Engine) release(r *run, why error) {
	r.cancel(nil)
	e.mu.Lock()
	delete(e.runs, r.id)
	if why != nil {
		e.stopped[r.id] = why
	}
	e.mu.Unlock()
	e.running.Done()
}

// find returns the run in progress, or why it was stopped.
func (e *Engine) find(id string) (r *run, stopped error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id], e.stopped[id]
}

func (e *Engine) isOpen() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open
}

// Signal answers the Wait of that name, now or when the run comes to it. The
// same value again does nothing; another one, or one after the wait is over, is
// an error.
func (e *Engine) Signal(ctx context.Context, id, name string, value any) error {
	data, err := encode("value", value)
	if err == nil && !e.isOpen() {
		err = flow.ErrInterrupted
	}
	if err != nil {
		return fmt.Errorf("signalling %s to run %s: %w", name, id, err)
	}
	if err := e.store.signal(ctx, id, name, data); err != nil {
		return fmt.Errorf("signalling %s to run %s: %w", name, id, err)
	}
	if r, _ := e.find(id); r != nil {
		r.wake()
	}
	return nil
}

// Cancel ends the context of what the run does now and answers
// flow.ErrCancelled to all it asks for after, Detached calls aside. A run that
// was stopped ends at once; one that has ended is left alone.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	if !e.isOpen() {
		return fmt.Errorf("cancelling run %s: %w", id, flow.ErrInterrupted)
	}
	if err := e.store.cancel(ctx, id); err != nil {
		return fmt.Errorf("cancelling run %s: %w", id, err)
	}
	r, stopped := e.find(id)
	switch {
	case r != nil:
		r.cancel(flow.ErrCancelled)
	case stopped != nil:
		return e.abandon(id)
	}
	return nil
}

// abandon ends a run that was stopped as if it had returned flow.ErrCancelled.
func (e *Engine) abandon(id string) error {
	if err := e.store.end(id, outcomeOf(flow.ErrCancelled), e.Now(), e.Keep); err != nil {
		return fmt.Errorf("cancelling run %s: %w", id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.stopped, id)
	return nil
}

// Result says whether a run has ended, and the error its function returned:
// flow.ErrCancelled or a *flow.Error. For an open run err is why this process
// does not go on with it, if so.
func (e *Engine) Result(ctx context.Context, id string) (ended bool, err error) {
	record, err := e.store.load(ctx, id)
	if err != nil {
		return false, err
	}
	if record.ended {
		return true, record.outcome()
	}
	_, stopped := e.find(id)
	return false, stopped
}

// State decodes what a run published last into out, and reports whether it has
// published anything.
func (e *Engine) State(ctx context.Context, id string, out any) (bool, error) {
	record, err := e.store.load(ctx, id)
	if err != nil || record.state == nil {
		return false, err
	}
	return true, json.Unmarshal(record.state, out)
}

// Close ends the contexts of running actions with flow.ErrInterrupted and waits
// for them until ctx ends. Actions still running then are abandoned: what they
// return is not saved.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.open = false
	e.mu.Unlock()
	e.interrupt(flow.ErrInterrupted)
	idle := make(chan struct{})
	go func() {
		e.running.Wait()
		close(idle)
	}()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("closing the engine: %d runs are still busy: %w", e.busy(), ctx.Err())
	}
	e.store.close()
	if e.lock != nil {
		err = errors.Join(err, unlockFile(e.lock))
		e.lock = nil
	}
	return err
}

func (e *Engine) busy() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.runs)
}

// outcomeOf is how a function's error is kept.
func outcomeOf(err error) *flow.Error {
	var failure *flow.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, flow.ErrCancelled):
		return &flow.Error{Kind: kindCancelled, Message: err.Error()}
	case errors.As(err, &failure):
		kept := *failure
		kept.Message = shorten(err.Error())
		return &kept
	}
	return &flow.Error{Message: shorten(err.Error())}
}

// Kinds of flow.Error that this engine sets and recognises.
const (
	kindCancelled = "flow: cancelled"
	kindTimeout   = "flow: timeout"
	kindPanic     = "panic"
)
