package api

import (
	"fmt"
	"testing"
	"time"
)

// TestBucketsAreBounded has a million accounts send a request each, a thousand
// a second: only the buckets that are not yet full again are kept.
func TestBucketsAreBounded(t *testing.T) {
	b := newBuckets(Throttle{Rate: Rate{Rate: 1, Burst: 10}})
	now := time.Unix(1_000_000, 0)
	most := 0
	for i := range 1_000_000 {
		if wait := b.take(fmt.Sprint(i), "GetImage", now); wait != 0 {
			t.Fatalf("the first request of account %d has to wait %s", i, wait)
		}
		now = now.Add(time.Millisecond)
		most = max(most, len(b.used))
	}
	if most > 3*minSweep {
		t.Errorf("%d buckets at once, want at most %d: a bucket is full after a second, when a thousand others are not", most, 3*minSweep)
	}
}
