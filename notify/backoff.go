package notify

import "time"

// Backoff is the pause after a failed attempt: it doubles from First to Most,
// and chance takes up to half of it away, so that what failed together does
// not come back together.
type Backoff struct {
	First, Most time.Duration
}

// after is the pause after so many failures, for a chance from 0 to 1.
func (b Backoff) after(failures int, chance float64) time.Duration {
	pause := b.First
	for i := 1; i < failures && pause < b.Most; i++ {
		pause *= 2
	}
	pause = min(pause, b.Most)
	return pause - time.Duration(chance*float64(pause)/2)
}
