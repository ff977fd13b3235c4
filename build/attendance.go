package build

import "sync"

// attendance knows which builds do nothing but wait for somebody's action:
// those hold no slot.
type attendance struct {
	mu      sync.Mutex
	busy    map[string]int             // actions at work, or that wait for the slot to be, by image
	waiting map[string]map[string]bool // signals that steps wait for, by image
}

func newAttendance() *attendance {
	return &attendance{busy: map[string]int{}, waiting: map[string]map[string]bool{}}
}

func (a *attendance) come(image string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy[image]++
}

// leave reports whether the image's build only waits from now on.
func (a *attendance) leave(image string) (idle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[image]--; a.busy[image] == 0 {
		delete(a.busy, image)
	}
	return a.idle(image)
}

// idle is isIdle under the lock.
func (a *attendance) idle(image string) bool { return a.busy[image] == 0 && len(a.waiting[image]) > 0 }

// isIdle reports whether the image's build does nothing but wait.
func (a *attendance) isIdle(image string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.idle(image)
}

// wait notes that a step waits for a signal; after a restart both the step and
// the records say so.
func (a *attendance) wait(image, signal string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting[image] == nil {
		a.waiting[image] = map[string]bool{}
	}
	a.waiting[image][signal] = true
}

// resume notes that the wait is over.
func (a *attendance) resume(image, signal string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting[image], signal)
	if len(a.waiting[image]) == 0 {
		delete(a.waiting, image)
	}
}

// forget drops what is known of a build that has ended.
func (a *attendance) forget(image string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, image)
}
