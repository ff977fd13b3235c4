package build

import "sync"

// attendance knows which builds do nothing but wait for somebody's action:
// those hold no slot.
type attendance struct {
	mu      sync.Mutex
	busy    map[string]int // actions at work, by image
	waiting map[string]int // steps that wait, by image
}

func newAttendance() *attendance {
	return &attendance{busy: map[string]int{}, waiting: map[string]int{}}
}

func (a *attendance) come(image string) { a.add(a.busy, image, 1) }

// leave reports whether the image's build only waits from now on.
func (a *attendance) leave(image string) (idle bool) {
	a.add(a.busy, image, -1)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.busy[image] == 0 && a.waiting[image] > 0
}

func (a *attendance) wait(image string) { a.add(a.waiting, image, 1) }

func (a *attendance) resume(image string) {
	a.mu.Lock()
	waits := a.waiting[image] > 0 // not after a restart
	a.mu.Unlock()
	if waits {
		a.add(a.waiting, image, -1)
	}
}

// forget drops what is known of a build that has ended.
func (a *attendance) forget(image string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, image)
}

func (a *attendance) add(counts map[string]int, image string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if counts[image] += n; counts[image] == 0 {
		delete(counts, image)
	}
}
