package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot/flow"
)

// Kinds of events.
const (
	kindStep  = "step"
	kindWait  = "wait"
	kindState = "state"
)

// maxOutput bounds what one step may journal, in bytes: a step that has more
// to say keeps it in a file and journals the name.
const maxOutput = 8 << 20

// run is one open run in this process.
type run struct {
	engine *Engine
	id     string
	ctx    context.Context // ends with Cancel and with Close
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	events map[string]event
	names  map[string]bool // kind and name of what was asked for in this replay
	halted error           // set: every call returns it, and the run is not ended
	woken  chan struct{}   // closed and replaced when a signal comes
}

func newRun(e *Engine, id string) *run {
	r := &run{engine: e, id: id, names: map[string]bool{}, woken: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(e.ctx)
	return r
}

func (r *run) begin(stored record) {
	r.events = stored.events
	if stored.cancelled {
		r.cancel(flow.ErrCancelled)
	}
}

// execute replays the function and goes on from where the journal ends.
func (r *run) execute(f flow.Function, in json.RawMessage) {
	err := guard(func() error { return f(&scope{run: r, ctx: r.ctx}, in) })
	if halted := r.haltedBy(); halted != nil {
		r.stop(halted)
		return
	}
	if interrupted := r.save("its end", func() error { return r.engine.store.end(r.id, outcomeOf(err), r.engine.Now(), r.engine.Keep) }); interrupted != nil {
		r.stop(interrupted)
		return
	}
	r.engine.release(r, nil)
}

// stop gives the run up in this process; it stays open.
func (r *run) stop(why error) {
	if errors.Is(why, flow.ErrInterrupted) {
		r.engine.release(r, nil)
		return
	}
	r.engine.Log.Error("a run was stopped", "run", r.id, "error", why)
	r.engine.release(r, why)
}

// halt makes this and every later call of the run fail without being journalled.
func (r *run) halt(why error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halted == nil {
		r.halted = why
	}
	return r.halted
}

func (r *run) haltedBy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.halted
}

func (r *run) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.woken)
	r.woken = make(chan struct{})
}

func (r *run) awake() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.woken
}

// scope is the Context of a function, of a branch or of detached work.
type scope struct {
	run  *run
	ctx  context.Context // what ends the work of this scope
	path string          // of this branch, as "2.0."
	next int             // position of the next call in the branch
}

func (s *scope) take() string {
	s.next++
	return s.path + strconv.Itoa(s.next-1)
}

// ask finds what the journal holds for the next call. An event that is not done
// has yet to happen: its kind and name are set.
func (s *scope) ask(kind, name string) (position string, ev event, err error) {
	position = s.take()
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halted != nil {
		return position, ev, r.halted
	}
	if key := kind + " " + name; kind != kindState {
		if r.names[key] {
			r.halted = fmt.Errorf("%w: it asks for %s twice, and names are unique in a run", flow.ErrStopped, key)
			return position, ev, r.halted
		}
		r.names[key] = true
	}
	ev, known := r.events[position]
	switch {
	case known && (ev.kind != kind || ev.name != name):
		r.halted = fmt.Errorf("%w: it asks for %s %s at %s, where its journal has %s %s: its function has changed since it began, or depends on something outside of the run",
			flow.ErrStopped, kind, name, position, ev.kind, ev.name)
		return position, ev, r.halted
	case known && ev.done:
		return position, ev, nil
	}
	ev.kind, ev.name = kind, name
	return position, ev, s.ended()
}

// ended is the reason why nothing new may begin in this scope, or nil.
func (s *scope) ended() error {
	if s.run.engine.ctx.Err() != nil {
		if s.run.halted == nil {
			s.run.halted = flow.ErrInterrupted
		}
		return flow.ErrInterrupted
	}
	if s.ctx.Err() != nil {
		return flow.ErrCancelled
	}
	return nil
}

// errBranchFailed ends the other branches of a group.
var errBranchFailed = errors.New("another branch of the group failed")

// once answers a call from the journal. What is not there yet do does, and
// journals. That a call was cut off by another branch is journalled, too: in a
// replay it might come to its end, and its branch would go on differently. Of a
// run that is cancelled the run itself is marked.
func (s *scope) once(kind, name string, out any, do func(position string, ev event) (event, error)) error {
	position, ev, err := s.ask(kind, name)
	if err == nil && !ev.done {
		ev, err = do(position, ev)
	}
	if errors.Is(err, flow.ErrCancelled) && errors.Is(context.Cause(s.ctx), errBranchFailed) {
		ev.done, ev.output = true, nil
		ev.err = encodeError(name, &flow.Error{Kind: kindCancelled, Message: err.Error()})
		err = s.put(position, ev)
	}
	if err != nil {
		return err
	}
	return ev.result(out)
}

func (s *scope) put(position string, ev event) error {
	return s.keep(ev, func() error { return s.run.engine.store.put(s.run.id, position, ev) })
}

// Step implements flow.Context.
func (s *scope) Step(name, _ string, in, out any) error {
	return s.once(kindStep, name, out, func(position string, ev event) (event, error) {
		ev, err := s.perform(ev, in)
		if err != nil {
			return ev, err
		}
		return ev, s.put(position, ev)
	})
}

// perform does a step's work and returns the event to journal. An error means
// that there is nothing to journal.
func (s *scope) perform(ev event, in any) (event, error) {
	action, _, _ := strings.Cut(ev.name, ":")
	do := s.run.engine.actions[action]
	if do == nil {
		return ev, s.run.halt(fmt.Errorf("%w: step %s: no action %q is registered", flow.ErrStopped, ev.name, action))
	}
	input, err := json.Marshal(in)
	if err != nil {
		return ev, s.run.halt(fmt.Errorf("%w: step %s: encoding its input: %w", flow.ErrStopped, ev.name, err))
	}
	var out any
	err = guard(func() (err error) { out, err = do(s.ctx, input); return err })
	switch {
	case err == nil:
		ev.output, err = encode("output", out)
	case s.run.engine.ctx.Err() != nil || errors.Is(err, flow.ErrInterrupted):
		return ev, s.run.halt(flow.ErrInterrupted)
	case s.ctx.Err() != nil:
		return ev, flow.ErrCancelled
	}
	if err != nil {
		ev.err = encodeError(ev.name, err)
	}
	ev.done = true
	return ev, nil
}

// keep reads or writes the journal for an event. Unless it returns nil the run
// has halted.
func (s *scope) keep(ev event, use func() error) error {
	if err := s.run.save(ev.kind+" "+ev.name, use); err != nil {
		return s.run.halt(err)
	}
	return nil
}

// save writes progress. What was not saved did not happen, so the run waits as
// long as the disk is full, say; the only error is that the engine closes.
func (r *run) save(what string, write func() error) error {
	for {
		err := write()
		if err == nil || errors.Is(err, flow.ErrInterrupted) {
			return err
		}
		r.engine.Log.Error("a run waits: its journal cannot be used; trying again", "run", r.id, "what", what, "error", err)
		select {
		case <-time.After(r.engine.Retry):
		case <-r.engine.ctx.Done():
			return flow.ErrInterrupted
		}
	}
}

// guard turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			detail, _ := json.Marshal(string(debug.Stack())) // a string always encodes
			err = &flow.Error{Kind: kindPanic, Message: fmt.Sprintf("panic: %v", p), Detail: detail}
		}
	}()
	return f()
}

// encode bounds what is journalled. what names it.
func encode(what string, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the %s: %w", what, err)
	}
	if len(data) > maxOutput {
		return nil, fmt.Errorf("the %s has %d bytes, at most %d can be journalled", what, len(data), maxOutput)
	}
	return data, nil
}

// encodeError keeps the kind and detail that the action attached, as far as
// they are JSON and not too large.
func encodeError(step string, err error) []byte {
	kept := flow.Error{Step: step, Message: shorten(err.Error())}
	var attached *flow.Error
	if errors.As(err, &attached) {
		kept.Kind, kept.Detail = attached.Kind, attached.Detail
	}
	data, err := json.Marshal(kept)
	if err != nil || len(data) > maxOutput {
		kept.Detail = nil
		data, _ = json.Marshal(kept) // strings only
	}
	return data
}

// maxMessage bounds the text of an error, in bytes.
const maxMessage = 64 << 10

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// Wait implements flow.Context.
func (s *scope) Wait(name string, timeout time.Duration, out any) error {
	return s.once(kindWait, name, out, func(position string, ev event) (event, error) {
		if ev.deadline.IsZero() {
			ev.deadline = s.run.engine.Now().Add(timeout)
			if err := s.put(position, ev); err != nil {
				return ev, err
			}
		}
		return s.await(position, ev)
	})
}

// await journals the answer, or its absence at the deadline.
func (s *scope) await(position string, ev event) (event, error) {
	r := s.run
	timer := time.NewTimer(ev.deadline.Sub(r.engine.Now()))
	defer timer.Stop()
	for late := false; ; {
		awake := r.awake() // before looking: a signal in between wakes us again
		value, err := s.answer(ev)
		if err != nil {
			return ev, err
		}
		if value != nil {
			ev.done, ev.output = true, value
			return ev, s.put(position, ev)
		}
		if late {
			if ev, err = s.expire(position, ev); err != nil || ev.done {
				return ev, err
			}
			continue // answered at the last moment
		}
		select {
		case <-awake:
		case <-timer.C:
			late = true
		case <-s.ctx.Done():
			r.mu.Lock()
			defer r.mu.Unlock()
			return ev, s.ended()
		}
	}
}

// answer is what was signalled for a wait, or nil.
func (s *scope) answer(ev event) (value []byte, err error) {
	err = s.keep(ev, func() (err error) {
		value, err = s.run.engine.store.findSignal(s.run.id, ev.name)
		return err
	})
	return value, err
}

// expire ends a wait without an answer. The event is not done if one has come.
func (s *scope) expire(position string, ev event) (event, error) {
	over := ev
	over.done = true
	over.err = encodeError(ev.name, &flow.Error{Kind: kindTimeout, Message: flow.ErrTimeout.Error()})
	expired := false
	err := s.keep(ev, func() (err error) {
		expired, err = s.run.engine.store.expire(s.run.id, position, over)
		return err
	})
	if expired {
		return over, err
	}
	return ev, err
}

// State implements flow.Context.
func (s *scope) State(v any) error {
	return s.once(kindState, "", nil, func(position string, ev event) (event, error) {
		data, err := encode("state", v)
		if err != nil {
			return ev, s.run.halt(fmt.Errorf("%w: %w", flow.ErrStopped, err))
		}
		ev.done = true
		return ev, s.keep(ev, func() error { return s.run.engine.store.publish(s.run.id, position, data) })
	})
}

// Detached implements flow.Context.
func (s *scope) Detached(f func(flow.Context) error) error {
	return f(&scope{run: s.run, ctx: s.run.engine.ctx, path: s.take() + "."})
}

// Group implements flow.Context. Of several errors it returns that of the first
// branch that was not merely cancelled by another's: the order of branches is
// the same in a replay, their end is not.
func (s *scope) Group(branches ...func(flow.Context) error) error {
	at := s.take()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	errs := make([]error, len(branches))
	var wg sync.WaitGroup
	for i, branch := range branches {
		child := &scope{run: s.run, ctx: ctx, path: at + "." + strconv.Itoa(i) + "."}
		wg.Go(func() {
			if errs[i] = guard(func() error { return branch(child) }); errs[i] != nil {
				cancel(errBranchFailed)
			}
		})
	}
	wg.Wait()
	if halted := s.run.haltedBy(); halted != nil {
		return halted
	}
	return firstFailure(errs)
}

func firstFailure(errs []error) error {
	var cancelled error
	for _, err := range errs {
		if err != nil && !errors.Is(err, flow.ErrCancelled) {
			return err
		}
		cancelled = cmp.Or(cancelled, err)
	}
	return cancelled
}
