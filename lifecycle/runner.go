// Package lifecycle carries out lifecycle policies, and updates of the states of
// images.
//
//	policy is due     the images are selected, the rules decide, and an execution
//	                  is stored with a row for each image that something is done to
//	execution is due  a few of its images after another: the AMIs of the image,
//	                  each with a row before and after, then its record
//
// What is due is in the store, and each step is a transaction or an effect that
// may be repeated, so a run that is cut off goes on where it was. One goroutine
// does all of it: executions take turns, and none acts on an image beside
// another one. Source: lifecycle.md §2, §3.
package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/region"
)

// Config is a Runner's surroundings. All fields are required.
type Config struct {
	Store   ingot.Store
	Regions *region.Set
	Now     func() time.Time
	Log     *slog.Logger
}

// Runner does what is due.
type Runner struct {
	Config
	changed chan struct{}
}

// New makes a Runner.
func New(c Config) *Runner {
	return &Runner{Config: c, changed: make(chan struct{}, 1)}
}

// Changed tells that something may be due earlier than what the Runner waits for.
func (r *Runner) Changed() {
	select {
	case r.changed <- struct{}{}:
	default: // it knows
	}
}

const (
	// maxSleep bounds a sleep: timers stand still while the host is suspended,
	// and do not see its clock being set.
	maxSleep = time.Minute
	// retryPause is how long the Runner leaves a store alone that failed.
	retryPause = 5 * time.Second
	// batch is how much that is due is read together.
	batch = 100
)

// Run works until ctx ends.
func (r *Runner) Run(ctx context.Context) {
	for ctx.Err() == nil {
		sleep, err := r.Pass(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("lifecycles could not go on; trying again", "error", err)
			sleep = retryPause
		}
		timer := time.NewTimer(sleep)
		select {
		case <-timer.C:
		case <-r.changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Pass does all that is due, and returns how long nothing else is.
func (r *Runner) Pass(ctx context.Context) (time.Duration, error) {
	for {
		dues, err := r.Store.LifecycleDues(ctx, batch)
		if err != nil {
			return 0, err
		}
		worked := false
		for _, due := range dues {
			if wait := due.At.Sub(r.Now()); wait > 0 {
				if !worked {
					return min(maxSleep, wait), nil
				}
				break
			}
			worked = true
			if err := r.do(ctx, due); err != nil {
				return 0, fmt.Errorf("carrying out %s: %w", due.Subject, err)
			}
		}
		if !worked {
			return maxSleep, nil
		}
	}
}

// do does what is due of one policy or execution. What cannot be read is not
// due any more, for it must not keep the others waiting. An error means that
// the store failed, or ctx has ended.
func (r *Runner) do(ctx context.Context, due ingot.LifecycleDue) error {
	act := r.runPolicy
	if strings.HasPrefix(due.Subject, "lce-") {
		act = r.execute
	}
	err := act(ctx, due)
	if err == nil || ingot.IsTransient(ctx, err) {
		return err
	}
	r.Log.Error("a lifecycle policy or execution cannot go on; it waits until it is written again", "subject", due.Subject, "error", err)
	return r.Store.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteLifecycleDue(ctx, due.Subject) })
}
