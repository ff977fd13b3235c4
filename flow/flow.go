// Package flow is the port to durable execution: a function whose every step
// is remembered, so that it can be cut off anywhere and goes on where it was.
//
// A Function uses its Context only: no clock, chance, map order or goroutines
// of its own. What touches the world is a step: a registered Action, called by
// name with a JSON input, whose JSON output is saved before the function goes
// on. An engine repeats the step that was in flight, so actions are idempotent:
// they look for what they are about to make.
//
// The port has no retries and no groups that let every branch finish: both are
// a few lines of a Function. An attempt is a step with a name of its own, and
// the pause before it a Wait that nobody answers, so that observers see each
// and a restart loses neither. A branch that must not end the others keeps its
// error and returns nil.
//
// A run goes on with the function that it began with. A function whose calls
// change gets another version, the end of its name as in "image@2"; the older
// one may stay registered beside it until its runs have ended.
//
// Two engines implement the port: flow/journal (SQLite, the default) and, in
// larger installations, Temporal. flow/flowtest is the suite both pass.
package flow

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Context is what a durable function may use. Names are unique in a run and
// the same in every replay. Step runs the action named before the first ':'
// of name (all of it without one) on host ("" is any); its error comes back as
// *Error in the first run and in every replay.
type Context interface {
	Step(name, host string, in, out any) error
	Wait(name string, timeout time.Duration, out any) error // for Signal; ErrTimeout
	State(v any) error                                      // publishes progress to observers of the run
	Detached(f func(Context) error) error                   // f is not cancelled with the run: clean-up
	Group(branches ...func(Context) error) error            // side by side; the first error cancels the others and is returned when all have ended
}

// Function is one durable function; Action is one step's work.
type (
	Function func(ctx Context, in json.RawMessage) error
	Action   func(ctx context.Context, in json.RawMessage) (out any, err error)
)

var (
	// ErrCancelled is returned by every call of a Context after Cancel, Detached ones aside.
	ErrCancelled = errors.New("the run was cancelled")
	// ErrTimeout is returned by Wait.
	ErrTimeout = errors.New("the wait timed out")
	// ErrInterrupted is what an action returns when its context ended because
	// the engine is closing: nothing is journalled, the step runs again.
	ErrInterrupted = errors.New("the engine is closing")
	// ErrStopped is why an open run does not go on: the function that it began
	// with is not registered, has changed, or breaks the rules of the port.
	ErrStopped = errors.New("the run was stopped")
)

// Error is a step's failure as the journal keeps it. Kind lets a function tell
// failures apart; Detail is whatever JSON the action attached.
type Error struct {
	Step    string          `json:"step"`
	Kind    string          `json:"kind,omitempty"`
	Message string          `json:"message"`
	Detail  json.RawMessage `json:"detail,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Engine runs functions durably. Start is idempotent by id, across restarts;
// an id that ended stays ended, for as long as the engine keeps ended runs. Open
// runs go on when the engine is opened, in one process at a time. Cancel of a
// run with ErrStopped ends it at once: nothing is left that could clean up.
type Engine interface {
	Start(ctx context.Context, id, function string, in any) error
	Signal(ctx context.Context, id, name string, value any) error
	Cancel(ctx context.Context, id string) error
	Result(ctx context.Context, id string) (ended bool, err error)
	Close(ctx context.Context) error
}
