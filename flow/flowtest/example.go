package flowtest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ingot.dev/ingot/flow"
)

// outcome is what the example has learnt; its last step is given it.
type outcome struct {
	One      string
	Attempts int
	Branches [5]string // of the group, by its steps
	Kept     string    // the error of a branch that did not end the others
	Race     string    // the error of a group of which one branch failed
	Loser    string    // what the other branch heard of it
	Answers  [3]string
	Failure  string // of a step: kind, message, detail
}

// answers are the signals that the example waits for.
var answers = []string{"par-beside", "early", "asleep"}

// example is the function of the suite: steps one after another, a loop of
// attempts with pauses, a group with a group inside, branches that fail with and
// without ending the others, waits that are answered and waits that expire, and
// detached clean-up.
func example(ctx flow.Context) error {
	var o outcome
	err := work(ctx, &o)
	return errors.Join(err, ctx.Detached(func(ctx flow.Context) error { return tidy(ctx, o) }))
}

func work(ctx flow.Context, o *outcome) error {
	if err := step(ctx, task{Name: "one"}, &o.One); err != nil {
		return err
	}
	if err := ctx.State(o); err != nil {
		return err
	}
	for _, part := range []func(flow.Context, *outcome) error{attempts, group, race, waits, failure} {
		if err := part(ctx, o); err != nil {
			return err
		}
	}
	return step(ctx, task{Name: "last"}, nil)
}

// attempts fails twice. A pause is a wait that nobody answers.
func attempts(ctx flow.Context, o *outcome) error {
	for o.Attempts = 1; ; o.Attempts++ {
		err := step(ctx, task{Name: fmt.Sprint("attempt:", o.Attempts), Fail: o.Attempts < 3}, nil)
		var failed *flow.Error
		if !errors.As(err, &failed) {
			return err
		}
		if err := ctx.Wait(fmt.Sprint("pause:", o.Attempts), time.Millisecond, nil); !errors.Is(err, flow.ErrTimeout) {
			return err
		}
	}
}

// group waits for all of its branches, although one fails.
func group(ctx flow.Context, o *outcome) error {
	return ctx.Group(
		func(ctx flow.Context) error { return step(ctx, task{Name: "par:left"}, &o.Branches[0]) },
		func(ctx flow.Context) error { return ctx.Wait("par-beside", time.Hour, &o.Branches[1]) },
		func(ctx flow.Context) error {
			err := step(ctx, task{Name: "par:kept", Fail: true}, nil)
			var failed *flow.Error
			if errors.As(err, &failed) {
				o.Kept, err = failed.Message, nil
			}
			return err
		},
		func(ctx flow.Context) error {
			err := ctx.Group(
				func(ctx flow.Context) error { return step(ctx, task{Name: "par:inner-1"}, &o.Branches[2]) },
				func(ctx flow.Context) error {
					return errors.Join(step(ctx, task{Name: "par:inner-2"}, nil), step(ctx, task{Name: "par:inner-3"}, &o.Branches[3]))
				})
			if err != nil {
				return err
			}
			return step(ctx, task{Name: "par:right"}, &o.Branches[4])
		})
}

// race is a group of which the one branch ends the other.
func race(ctx flow.Context, o *outcome) error {
	err := ctx.Group(
		func(ctx flow.Context) error {
			err := ctx.Wait("par-never", time.Hour, nil)
			o.Loser = fmt.Sprint(err)
			return err
		},
		func(ctx flow.Context) error { return step(ctx, task{Name: "par:failing", Fail: true}, nil) })
	var failed *flow.Error
	if !errors.As(err, &failed) {
		return err
	}
	o.Race = failed.Step + ": " + failed.Message
	return nil
}

func waits(ctx flow.Context, o *outcome) error {
	for i, name := range []string{"early", "asleep"} {
		if err := ctx.Wait(name, time.Hour, &o.Answers[i]); err != nil {
			return err
		}
	}
	err := ctx.Wait("expires", 2*pending, nil)
	if !errors.Is(err, flow.ErrTimeout) {
		return err
	}
	o.Answers[2] = err.Error()
	return nil
}

func failure(ctx flow.Context, o *outcome) error {
	err := step(ctx, task{Name: "fail", Fail: true}, nil)
	var failed *flow.Error
	if !errors.As(err, &failed) {
		return err
	}
	o.Failure = failed.Kind + ": " + failed.Message + " " + string(failed.Detail)
	return nil
}

// tidy is the clean-up.
func tidy(ctx flow.Context, o outcome) error {
	return errors.Join(
		step(ctx, task{Name: "tidy:first"}, nil),
		ctx.Group(func(ctx flow.Context) error { return step(ctx, task{Name: "tidy:beside"}, nil) }),
		step(ctx, task{Name: "tidy:last", Note: o}, nil))
}

// wantLast is the effect of the last step of a run that nobody cancelled.
const wantLast = `made tidy:last {"Answers":["yes","yes","the wait timed out"],"Attempts":3,` +
	`"Branches":["made by par:left","yes","made by par:inner-1","made by par:inner-3","made by par:right"],` +
	`"Failure":"expected: no [1]","Kept":"no","Loser":"the run was cancelled","One":"made by one","Race":"par:failing: no"}`

// exampleSteps are all steps of the example.
var exampleSteps = []string{
	"one", "attempt:1", "attempt:2", "attempt:3", "par:left", "par:kept", "par:inner-1", "par:inner-2", "par:inner-3",
	"par:right", "par:failing", "fail", "last", "tidy:first", "tidy:beside", "tidy:last",
}

func exampleProgram(e *effects, at func(point string)) Program {
	p := Program{Functions: map[string]flow.Function{"f": watch(example, at)}, Actions: map[string]flow.Action{}}
	for _, name := range exampleSteps {
		name, _, _ = strings.Cut(name, ":")
		p.Actions[name] = action(e, at)
	}
	return p
}

// waitsAt is the wait that a point is in, or "".
func waitsAt(point string) string {
	if name, ok := strings.CutPrefix(point, "in "); ok {
		for _, a := range append(answers, "expires", "par-never") {
			if a == name {
				return name
			}
		}
	}
	return ""
}
