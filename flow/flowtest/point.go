package flowtest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot/flow"
)

// A point is a moment of a run, by name:
//
//	before NAME  the function is about to make the call of that name
//	in NAME      its action has begun, or the wait is pending
//	done NAME    its action has had its effect, which no journal knows of yet
//	after NAME   the call has returned

// watched is a Context that reports the points of its calls.
type watched struct {
	flow.Context
	at func(point string)
}

func (w watched) Step(name, host string, in, out any) error {
	w.at("before " + name)
	err := w.Context.Step(name, host, in, out)
	w.at("after " + name)
	return err
}

// pending is how long a wait is given to be journalled before it counts as
// pending, unless it is over before. Whether it was journalled makes no
// difference to what must hold.
const pending = 20 * time.Millisecond

func (w watched) Wait(name string, timeout time.Duration, out any) error {
	w.at("before " + name)
	reported := make(chan struct{})
	soon := time.AfterFunc(pending, func() {
		defer close(reported)
		w.at("in " + name)
	})
	err := w.Context.Wait(name, timeout, out)
	if soon.Stop() {
		w.at("in " + name)
	} else {
		<-reported
	}
	w.at("after " + name)
	return err
}

func (w watched) Detached(f func(flow.Context) error) error {
	return w.Context.Detached(w.inside(f))
}

func (w watched) Group(branches ...func(flow.Context) error) error {
	inside := make([]func(flow.Context) error, len(branches))
	for i, branch := range branches {
		inside[i] = w.inside(branch)
	}
	return w.Context.Group(inside...)
}

func (w watched) inside(f func(flow.Context) error) func(flow.Context) error {
	return func(ctx flow.Context) error { return f(watched{ctx, w.at}) }
}

// watch reports the points of a function.
func watch(f func(flow.Context) error, at func(point string)) flow.Function {
	return func(ctx flow.Context, _ json.RawMessage) error { return f(watched{ctx, at}) }
}

// task is the input of the steps of tests.
type task struct {
	Name string
	Fail bool `json:",omitempty"`
	Note any  `json:",omitempty"`
}

// action is what all steps do: an effect that is made once by its name, and
// lines that tell how often it was tried.
func action(e *effects, at func(point string)) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (any, error) {
		var t task
		if err := json.Unmarshal(in, &t); err != nil {
			return nil, err
		}
		if err := e.add("begin " + t.Name); err != nil {
			return nil, err
		}
		at("in " + t.Name)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		made := "made " + t.Name
		if t.Note != nil {
			note, err := json.Marshal(t.Note)
			if err != nil {
				return nil, err
			}
			made += " " + string(note)
		}
		if err := e.make(made); err != nil {
			return nil, err
		}
		at("done " + t.Name)
		if t.Fail {
			return nil, &flow.Error{Kind: "expected", Message: "no", Detail: json.RawMessage(`[1]`)}
		}
		return "made by " + t.Name, nil
	}
}

// step performs a step of a test under its name.
func step(ctx flow.Context, t task, out any) error { return ctx.Step(t.Name, "", t, out) }

// recorder collects points.
type recorder struct {
	mu     sync.Mutex
	points []string
}

func (r *recorder) at(point string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points = append(r.points, point)
}

// concurrent reports whether a point, a step or a wait is in a group: the
// names of those begin with "par".
func concurrent(name string) bool {
	_, call, found := strings.Cut(name, " ")
	if !found {
		call = name
	}
	return strings.HasPrefix(call, "par")
}
