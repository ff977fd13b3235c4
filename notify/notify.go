// Package notify delivers what is in the outbox of the store to webhooks,
// commands, files and mail.
//
//	outbox ── route ──┬── line of an endpoint ── attempts ──┐
//	                  └── line of an endpoint ── attempts ──┴── settle ── outbox
//
// Each message arrives at each of its endpoints at least once: its delivery is
// removed from the outbox after the endpoint has taken it, so a process that
// is killed in between delivers it again. Messages about one resource arrive
// in the order of their writing, also over failed attempts: the next one is
// due when the one before has arrived or is dead. Endpoints do not wait for
// each other, and neither do resources.
//
// Only what is being sent is in memory, however much waits.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ingot.dev/ingot"
)

// Config is what a Notifier works with. Outbox, Settings and Log are required.
type Config struct {
	Outbox   ingot.Outbox
	Settings Settings // checked
	Log      *slog.Logger

	Now     func() time.Time // nil: time.Now
	Chance  func() float64   // from 0 to 1; nil: a random one
	Backoff Backoff          // zero: from 1 second to 15 minutes
}

// Notifier delivers messages from Start to Close.
type Notifier struct {
	Config
	lines    map[string]*line
	outcomes chan settled

	missing map[string]bool // topics and functions that the log has named; of the router alone
	stop    context.CancelFunc
	routing sync.WaitGroup
	sending sync.WaitGroup
	settler sync.WaitGroup
}

// Start checks the files that the settings name, and begins to deliver.
func Start(c Config) (*Notifier, error) {
	if err := c.Settings.checkFiles(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Chance == nil {
		c.Chance = rand.Float64
	}
	if c.Backoff == (Backoff{}) {
		c.Backoff = Backoff{First: time.Second, Most: 15 * time.Minute}
	}
	n := &Notifier{Config: c, lines: map[string]*line{}, outcomes: make(chan settled), missing: map[string]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	for name, e := range c.Settings.Endpoints {
		_, of, err := e.kind()
		if err != nil {
			stop()
			return nil, fmt.Errorf("endpoint %s: %w", name, err)
		}
		n.lines[name] = newLine(n, name, of.sender())
	}
	n.settler.Go(n.settle)
	for _, l := range n.lines {
		n.sending.Go(func() { l.run(ctx) })
	}
	n.routing.Go(func() { n.route(ctx) })
	n.routing.Go(func() { n.tidy(ctx) })
	return n, nil
}

// closeGrace is how long attempts that are under way may take when the
// notifier is closed.
const closeGrace = 3 * time.Second

// Close lets the attempts that are under way end, for a short time, and saves
// their outcomes. What waits is in the outbox. An attempt that is cut off is
// made again after the next start.
func (n *Notifier) Close() {
	n.stop()
	n.routing.Wait()
	n.sending.Wait()
	close(n.outcomes)
	n.settler.Wait()
}

// batch is how many messages are routed, settled or dropped in one transaction.
const batch = 100

// storePause is how long the notifier waits when the store does not answer.
const storePause = time.Second

// route hands new messages to the lines of their endpoints.
func (n *Notifier) route(ctx context.Context) {
	for {
		took, err := n.Outbox.RouteMessages(ctx, batch, n.Now(), n.endpointsOf)
		if err != nil && ctx.Err() == nil {
			n.Log.Error("messages could not be routed; trying again", slog.Any("error", err))
		}
		if err != nil {
			if !pause(ctx, storePause) {
				return
			}
			continue
		}
		for _, l := range n.lines {
			l.wake()
		}
		if took == batch {
			continue
		}
		select {
		case <-n.Outbox.Written():
		case <-ctx.Done():
			return
		}
	}
}

func (n *Notifier) endpointsOf(m ingot.Message) []string {
	to, ok := n.Settings.route(m)
	if key := string(m.Channel) + " " + m.Name; !ok && !n.missing[key] && len(n.missing) < maxMissing {
		n.missing[key] = true
		n.Log.Warn("a message goes to nobody: the settings name no endpoint for it",
			slog.String("channel", string(m.Channel)), slog.String("name", m.Name), slog.String("about", m.About))
	}
	return to
}

// maxMissing bounds how many topics and functions the log names.
const maxMissing = 1000

// buryOrphans makes deliveries dead whose endpoint is not configured any more.
// Somebody may configure it again, and retry them.
func (n *Notifier) buryOrphans(ctx context.Context) {
	names, err := n.Outbox.Endpoints(ctx)
	for _, name := range names {
		if n.lines[name] != nil || err != nil {
			continue
		}
		n.Log.Warn("an endpoint with deliveries is not configured any more; they are dead", slog.String("endpoint", name))
		err = n.bury(ctx, name)
	}
	if err != nil && ctx.Err() == nil {
		n.Log.Error("deliveries to endpoints that are not configured could not be closed", slog.Any("error", err))
	}
}

func (n *Notifier) bury(ctx context.Context, endpoint string) error {
	for {
		list, err := n.Outbox.DueDeliveries(ctx, endpoint, batch)
		if err != nil || len(list) == 0 {
			return err
		}
		var outcomes []ingot.Outcome
		for _, d := range list {
			outcomes = append(outcomes, ingot.Outcome{ID: d.ID, Problem: "the endpoint is not configured", Time: n.Now()})
		}
		if err := n.Outbox.SettleDeliveries(ctx, outcomes); err != nil {
			return err
		}
	}
}

// tidyEvery is how often messages are dropped that have been kept long enough.
const tidyEvery = 10 * time.Minute

func (n *Notifier) tidy(ctx context.Context) {
	n.buryOrphans(ctx)
	for {
		now := n.Now()
		dropped, err := n.Outbox.DropMessages(ctx, now.Add(-time.Duration(n.Settings.KeepDelivered)), now.Add(-time.Duration(n.Settings.KeepDead)), batch)
		if err != nil && ctx.Err() == nil {
			n.Log.Error("old messages could not be dropped; trying again later", slog.Any("error", err))
		}
		if err == nil && dropped >= batch {
			continue
		}
		if !pause(ctx, tidyEvery) {
			return
		}
	}
}

// pause waits; it reports whether the context lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// settled is an outcome on its way to the outbox, and whom to tell then.
type settled struct {
	ingot.Outcome
	line *line
}

// settle saves outcomes, as many in one transaction as have come in meanwhile.
func (n *Notifier) settle() {
	for first := range n.outcomes {
		list := []settled{first}
		for len(list) < batch {
			select {
			case s, ok := <-n.outcomes:
				if ok {
					list = append(list, s)
					continue
				}
			default:
			}
			break
		}
		n.save(list)
		for _, s := range list {
			s.line.done(s.ID)
		}
	}
}

// saveTries bounds how long outcomes are held while the store does not answer.
// Those that are given up are delivered again.
const saveTries = 5

func (n *Notifier) save(list []settled) {
	outcomes := make([]ingot.Outcome, len(list))
	for i, s := range list {
		outcomes[i] = s.Outcome
	}
	var err error
	for range saveTries {
		if err = n.Outbox.SettleDeliveries(context.Background(), outcomes); err == nil {
			return
		}
		n.Log.Error("outcomes of deliveries could not be saved; trying again", slog.Any("error", err))
		pause(context.Background(), storePause)
	}
	n.Log.Error("outcomes of deliveries were lost; they are delivered again", slog.Any("error", err))
}
