package schedule

import (
	"context"
	"log/slog"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/logs"
)

// Config is a Scheduler's surroundings. All fields but KeepLog are required.
type Config struct {
	Store   ingot.Store
	Builder Builder
	Logs    *logs.Store   // of pipelines
	KeepLog time.Duration // of a day, from its end; 0: for good
	Now     func() time.Time
	Log     *slog.Logger
}

// Builder begins the build of a PENDING image. What a crash kept from being
// called, it finds in the records when it starts.
type Builder interface {
	StartImage(ctx context.Context, image ingot.ARN) error
}

// Scheduler starts the builds of pipelines whose schedule says so. When each
// is due is in the store, so neither a start nor waiting costs more when there
// are more pipelines.
type Scheduler struct {
	Config
	changed chan struct{}
	pruned  time.Time // when old logs were removed last
}

// New makes a Scheduler.
func New(c Config) *Scheduler {
	return &Scheduler{Config: c, changed: make(chan struct{}, 1)}
}

// Changed tells that a pipeline was written, and may be due earlier than what
// the Scheduler waits for.
func (s *Scheduler) Changed() {
	select {
	case s.changed <- struct{}{}:
	default: // it knows
	}
}

const (
	// maxSleep bounds a sleep: timers stand still while the host is suspended,
	// and do not see its clock being set.
	maxSleep = time.Minute
	// retryPause is how long the Scheduler leaves a store alone that failed.
	retryPause = 5 * time.Second
	// batch is how many due pipelines are looked at together.
	batch = 100
)

// Run works until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s.writeLogs(ctx) // what a kill or a full disk kept from it
		s.pruneLogs()
		sleep, err := s.pass(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("the scheduler could not use the store; trying again", "error", err)
			sleep = retryPause
		}
		s.sleep(ctx, sleep)
	}
}

func (s *Scheduler) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.changed:
	case <-ctx.Done():
	}
}

// pass deals with all that is due, and returns how long nothing else is.
func (s *Scheduler) pass(ctx context.Context) (time.Duration, error) {
	for {
		dues, err := s.Store.Dues(ctx, batch)
		if err != nil {
			return 0, err
		}
		now := s.Now()
		ready, first := split(dues, now)
		if len(ready) == 0 {
			return min(maxSleep, first.Sub(now)), nil
		}
		if err := s.plan(ctx, ready); err != nil {
			return 0, err
		}
		for _, due := range ready {
			if due.At.IsZero() {
				continue // planned just now
			}
			if err := s.tick(ctx, due); err != nil {
				return 0, err
			}
		}
		s.writeLogs(ctx)
	}
}

// split returns what is due at now, and the time of what is due first after it.
func split(dues []ingot.Due, now time.Time) (ready []ingot.Due, first time.Time) {
	for i, due := range dues {
		if due.At.After(now) {
			return dues[:i], due.At
		}
	}
	return dues, now.Add(maxSleep)
}

// plan works out when pipelines are due that were written since.
func (s *Scheduler) plan(ctx context.Context, dues []ingot.Due) error {
	if !anyUnplanned(dues) {
		return nil
	}
	return s.Store.Write(ctx, func(tx ingot.Tx) error {
		for _, due := range dues {
			if !due.At.IsZero() {
				continue
			}
			p, err := s.read(ctx, tx, due)
			if err == nil {
				err = p.reschedule(ctx, tx, p.record.Updated)
			}
			if err := s.giveUp(ctx, tx, due, err); err != nil {
				return err
			}
		}
		return nil
	})
}

func anyUnplanned(dues []ingot.Due) bool {
	for _, due := range dues {
		if due.At.IsZero() {
			return true
		}
	}
	return false
}
