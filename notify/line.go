package notify

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"ingot.dev/ingot"
)

// sender hands messages over to one endpoint. An error means that a message
// may not have arrived. At most atOnce are sent at the same time.
type sender interface {
	send(ctx context.Context, d ingot.Delivery, now time.Time) error
	atOnce() int
	close()
}

// line sends the deliveries of one endpoint.
type line struct {
	*Notifier
	name   string
	sender sender
	awake  chan struct{}

	mu     sync.Mutex
	flying map[int64]bool // deliveries that are being sent, or whose outcome is not saved
}

func newLine(n *Notifier, name string, s sender) *line {
	return &line{Notifier: n, name: name, sender: s, awake: make(chan struct{}, 1), flying: map[int64]bool{}}
}

// wake makes the line look at the outbox.
func (l *line) wake() {
	select {
	case l.awake <- struct{}{}:
	default: // it will
	}
}

// run sends until the context ends, and then waits for what is under way.
func (l *line) run(ctx context.Context) {
	defer l.sender.close()
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var sending sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(l.fly(ctx, attempts, &sending))
		select {
		case <-l.awake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	grace := time.AfterFunc(closeGrace, cut)
	defer grace.Stop()
	sending.Wait()
}

// idle is how long a line sleeps that has nothing to send; it is woken before.
const idle = time.Hour

// fly begins to send what is due and fits, and returns when there is more to do.
func (l *line) fly(ctx, attempts context.Context, sending *sync.WaitGroup) time.Duration {
	// Before the outbox is read: one that lands meanwhile is in the list, and
	// must not fly again.
	flying := l.inFlight()
	// Twice as many as may fly: enough of them do not.
	list, err := l.Outbox.DueDeliveries(ctx, l.name, 2*l.sender.atOnce())
	if err != nil {
		if ctx.Err() == nil {
			l.Log.Error("deliveries could not be read; trying again", slog.String("endpoint", l.name), slog.Any("error", err))
		}
		return storePause
	}
	now := l.Now()
	for _, d := range list {
		if flying[d.ID] {
			continue
		}
		if d.Due.After(now) {
			return d.Due.Sub(now)
		}
		if !l.take(d.ID) {
			return idle // whoever lands wakes the line
		}
		sending.Go(func() { l.attempt(attempts, d) })
	}
	return idle
}

func (l *line) inFlight() map[int64]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.flying)
}

// take claims a delivery, if there is room for one more.
func (l *line) take(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.flying) >= l.sender.atOnce() {
		return false
	}
	l.flying[id] = true
	return true
}

// done lets go of a delivery whose outcome is saved.
func (l *line) done(id int64) {
	l.mu.Lock()
	delete(l.flying, id)
	l.mu.Unlock()
	l.wake()
}

// attempt sends a delivery once. One that is cut off has no outcome.
func (l *line) attempt(ctx context.Context, d ingot.Delivery) {
	err := l.sender.send(ctx, d, l.Now())
	if err != nil && ctx.Err() != nil {
		l.done(d.ID)
		return
	}
	l.outcomes <- settled{l.outcome(d, err), l}
}

func (l *line) outcome(d ingot.Delivery, err error) ingot.Outcome {
	now := l.Now()
	if err == nil {
		return ingot.Outcome{ID: d.ID, Delivered: true, Time: now}
	}
	o := ingot.Outcome{ID: d.ID, Problem: err.Error(), Time: now}
	about := []any{
		slog.String("endpoint", l.name), slog.Int64("delivery", d.ID), slog.String("about", d.About),
		slog.Int("attempt", d.Attempts+1), slog.Any("error", err),
	}
	if d.Attempts+1 >= l.Settings.Attempts {
		l.Log.Error("a delivery is dead: it was tried as often as the settings allow", about...)
		return o
	}
	o.Retry = now.Add(l.Backoff.after(d.Attempts+1, l.Chance()))
	if d.Attempts == 0 {
		l.Log.Warn("a delivery failed and is tried again", about...)
	}
	return o
}
