package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// slots lets builds be at work, as Limits say. A build holds one from its
// first step to its end, except while it waits for somebody's action; after a
// restart it takes one with its next step. The order is in the records: who
// restarts, queues again with the same times.
type slots struct {
	limits   Limits
	describe func(ctx context.Context, image string) (ticket, error)

	mu      sync.Mutex
	opened  bool               // before, nobody is admitted: the older ones may not be here yet
	held    map[string]ticket  // by image ARN
	waiting map[string]*waiter // by image ARN
	turns   map[string]int     // of accounts and pipelines that are here: the number of their last admission
	turn    int                // of the last admission
}

// waiter is a ticket and those who wait for it: steps side by side may, and
// between a start of the server and the first step nobody does.
type waiter struct {
	ticket
	steps    int
	admitted chan struct{} // closed
}

func newSlots(l Limits, describe func(context.Context, string) (ticket, error)) *slots {
	return &slots{limits: l, describe: describe, held: map[string]ticket{}, waiting: map[string]*waiter{}, turns: map[string]int{}}
}

// take waits for a slot, unless the image's build has one.
func (s *slots) take(ctx context.Context, image string) error {
	if s.has(image) {
		return nil
	}
	t, err := s.describe(ctx, image)
	if err != nil {
		return fmt.Errorf("queueing the build of %s: %w", image, err)
	}
	w := s.enlist(t, 1)
	select {
	case <-w.admitted:
		return nil
	case <-ctx.Done():
		s.leave(w)
		return context.Cause(ctx)
	}
}

func (s *slots) has(image string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, held := s.held[image]
	return held
}

// enlist puts a ticket into the queue for so many steps. Whoever is new there
// comes after those who wait, as if it had just had its turn.
func (s *slots) enlist(t ticket, steps int) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[t.image]
	if w == nil {
		w = &waiter{ticket: t, admitted: make(chan struct{})}
		if _, held := s.held[t.image]; held {
			close(w.admitted)
			return w
		}
		s.waiting[t.image] = w
		for _, key := range keys(t) {
			if _, known := s.turns[key]; !known {
				s.turns[key] = s.turn
			}
		}
	}
	w.steps += steps
	s.admit()
	return w
}

func keys(t ticket) []string { return []string{accountKey(t), pipelineKey(t)} }

// open begins to admit.
func (s *slots) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = true
	s.admit()
}

// admit lets in whoever may be at work now.
func (s *slots) admit() {
	for s.opened {
		var queue []ticket
		for _, w := range s.waiting {
			queue = append(queue, w.ticket)
		}
		i := s.limits.next(slices.Collect(maps.Values(s.held)), queue, s.turns)
		if i < 0 {
			return
		}
		t := queue[i]
		s.turn++
		for _, key := range keys(t) {
			s.turns[key] = s.turn
		}
		s.held[t.image] = t
		close(s.waiting[t.image].admitted)
		delete(s.waiting, t.image)
	}
}

// leave ends the wait of one step.
func (s *slots) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.steps--; w.steps == 0 && s.waiting[w.image] == w {
		s.drop(w.image)
	}
}

// give ends the build's hold on its slot.
func (s *slots) give(image string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, image)
	if w := s.waiting[image]; w == nil || w.steps == 0 {
		s.drop(image)
	}
}

// drop forgets an image, and the turns of those who are not here any more.
func (s *slots) drop(image string) {
	delete(s.waiting, image)
	here := map[string]bool{}
	for _, t := range s.held {
		here[accountKey(t)], here[pipelineKey(t)] = true, true
	}
	for _, w := range s.waiting {
		here[accountKey(w.ticket)], here[pipelineKey(w.ticket)] = true, true
	}
	maps.DeleteFunc(s.turns, func(key string, _ int) bool { return !here[key] })
	s.admit()
}

// ticket describes the build of an image to the queue.
func (b *Builder) ticket(ctx context.Context, image string) (ticket, error) {
	arn, err := ingot.ParseARN(image)
	if err != nil {
		return ticket{}, err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return ticket{}, err
	}
	return ticketOf(record)
}

func ticketOf(record ingot.Record) (ticket, error) {
	image, err := ingot.Decode[model.Image](record)
	if err != nil {
		return ticket{}, err
	}
	t := ticket{
		image: record.ARN.String(), account: record.ARN.Account, pipeline: image.SourcePipelineArn, created: record.Created,
		begun: record.Status != string(model.ImageStatusPending),
	}
	types := []string{defaultType}
	if c := image.InfrastructureConfiguration; c != nil && len(c.InstanceTypes) > 0 {
		types = c.InstanceTypes
	}
	for _, text := range types {
		m, err := parseMachine(text, "")
		if err != nil {
			continue // the plan refuses it
		}
		t.cpus, t.memoryMiB = max(t.cpus, m.CPUs), max(t.memoryMiB, m.MemoryMiB)
	}
	return t, nil
}
