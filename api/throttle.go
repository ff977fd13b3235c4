package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ingot.dev/ingot/model"
)

// Rate is a token bucket: Burst requests at once, and Rate a second after that.
type Rate struct {
	Rate  float64 `yaml:"rate" json:"rate"` // requests a second; 0: no bound
	Burst int     `yaml:"burst" json:"burst"`
}

// Throttle bounds the requests of each account to each operation. The zero
// value lets all pass.
type Throttle struct {
	Rate       `yaml:",inline"`
	Operations map[string]Rate `yaml:"operations" json:"operations,omitempty"` // in place of Rate
}

// Check refuses rates that would let nothing pass, and operations that are none.
func (t Throttle) Check() error {
	if err := t.Rate.check(); err != nil {
		return err
	}
	for name, r := range t.Operations {
		if !slices.ContainsFunc(model.Routes, func(route model.Route) bool { return route.Operation == name }) {
			return fmt.Errorf("operations.%s: there is no such operation", name)
		}
		if err := r.check(); err != nil {
			return fmt.Errorf("operations.%s.%w", name, err)
		}
	}
	return nil
}

func (r Rate) check() error {
	switch {
	case r.Rate < 0 || math.IsNaN(r.Rate) || math.IsInf(r.Rate, 0):
		return fmt.Errorf("rate %v: must be a number of requests a second, or 0 for no bound", r.Rate)
	case r.Rate > 0 && r.Burst < 1:
		return fmt.Errorf("burst %d: must be at least 1, or nothing would pass", r.Burst)
	}
	return nil
}

func (t Throttle) of(operation string) Rate {
	if r, ok := t.Operations[operation]; ok {
		return r
	}
	return t.Rate
}

// buckets are the token buckets that are not full: a full one is as good as
// none and is dropped, so they are at most those used in the last moments.
type buckets struct {
	throttle Throttle

	mu    sync.Mutex
	used  map[bucketKey]*rate.Limiter
	sweep int // number of buckets at which full ones are dropped
}

type bucketKey struct{ account, operation string }

// minSweep keeps small numbers of buckets from being swept again and again.
const minSweep = 1024

func newBuckets(t Throttle) *buckets {
	return &buckets{throttle: t, used: map[bucketKey]*rate.Limiter{}, sweep: minSweep}
}

// take takes a token, or returns how long it is until there is one.
func (b *buckets) take(account, operation string, now time.Time) (wait time.Duration) {
	r := b.throttle.of(operation)
	if r.Rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := bucketKey{account, operation}
	bucket, ok := b.used[key]
	if !ok {
		b.dropFull(now)
		bucket = rate.NewLimiter(rate.Limit(r.Rate), r.Burst)
		b.used[key] = bucket
	}
	token := bucket.ReserveN(now, 1)
	if wait = token.DelayFrom(now); wait > 0 {
		token.CancelAt(now)
	}
	return wait
}

// dropFull sweeps when the number has doubled since the last time, so its cost
// spreads over the requests that made it double.
func (b *buckets) dropFull(now time.Time) {
	if len(b.used) < b.sweep {
		return
	}
	for key, bucket := range b.used {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(b.used, key)
		}
	}
	b.sweep = max(minSweep, 2*len(b.used))
}

// throttled takes a token of the caller's account, which has proved that it is
// one: nobody else can use up its bucket. Source: api.md §1.5.
func (s *Server) throttled(c *call) error {
	wait := s.buckets.take(c.Account, c.operation, s.Now())
	if wait == 0 {
		return nil
	}
	exception := "CallRateLimitExceededException"
	if c.operation == "DistributeImage" {
		exception = "TooManyRequestsException"
	}
	r := s.Throttle.of(c.operation)
	return &fault{
		exception: exception, status: http.StatusTooManyRequests, retryAfter: wait,
		message: fmt.Sprintf("The account has sent more than %v requests a second of %s, after %d at once. Send the request again in %s.", r.Rate, c.operation, r.Burst, wait.Round(time.Millisecond)),
	}
}

// slotWait is how long a request may wait for others to be done.
const slotWait = time.Second

// slots bound the requests that are worked on at once, whoever sent them; nil
// does not bound them.
type slots chan struct{}

func newSlots(n int) slots {
	if n <= 0 {
		return nil
	}
	return make(slots, n)
}

// take waits for a slot, which leave gives back.
func (s slots) take(ctx context.Context) (leave func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	leave = func() { <-s }
	select {
	case s <- struct{}{}:
		return leave, nil
	default:
	}
	wait := time.NewTimer(slotWait)
	defer wait.Stop()
	select {
	case s <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, &fault{
			exception: "ServiceUnavailableException", status: http.StatusServiceUnavailable, retryAfter: slotWait,
			message: fmt.Sprintf("The server works on %d requests, as many as it may at once. Send the request again.", cap(s)),
		}
	}
}
