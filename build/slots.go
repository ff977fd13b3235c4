package build

import (
	"context"
	"sync"
)

// slots bounds how many builds are at work at a time. A build holds one from
// its first step to its end; after a restart it takes one with its next step.
type slots struct {
	max int

	mu    sync.Mutex
	held  map[string]bool // by image ARN
	freed chan struct{}   // closed and replaced when a slot is given back
}

func newSlots(n int) *slots {
	return &slots{max: n, held: map[string]bool{}, freed: make(chan struct{})}
}

// take waits for a slot, unless the image's build has one.
func (s *slots) take(ctx context.Context, image string) error {
	for {
		freed := s.try(image)
		if freed == nil {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// try returns nil when the image's build has a slot, else what to wait for.
func (s *slots) try(image string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[image] || len(s.held) < s.max {
		s.held[image] = true
		return nil
	}
	return s.freed
}

// give ends the build's hold on its slot.
func (s *slots) give(image string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, image)
	close(s.freed)
	s.freed = make(chan struct{})
}
