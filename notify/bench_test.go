package notify

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"ingot.dev/ingot"
)

// BenchmarkWebhook is what a message costs from the outbox to a webhook's
// answer: about as many images as messages, and about one alone, where each
// waits for the one before.
func BenchmarkWebhook(b *testing.B) {
	for _, about := range []int{1000, 1} {
		b.Run(fmt.Sprintf("images=%d", about), func(b *testing.B) {
			db := newStore(b)
			fill(b, db, b.N, about)
			deliver(b, db, int64(b.N))
		})
	}
}

// deliver starts a notifier and waits until n messages have arrived.
func deliver(b *testing.B, outbox ingot.Outbox, n int64) {
	var taken atomic.Int64
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if taken.Add(1) == n {
			close(done)
		}
	}))
	defer server.Close()
	b.ResetTimer()
	notifier, err := Start(Config{Outbox: outbox, Settings: settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: server.URL}}}), Log: quiet(), Backoff: quick})
	if err != nil {
		b.Fatal(err)
	}
	<-done
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
	notifier.Close()
}

// fill writes n messages about so many images.
func fill(b *testing.B, db ingot.Store, n, about int) {
	b.Helper()
	const batch = 5000
	for done := 0; done < n; done += batch {
		err := db.Write(b.Context(), func(tx ingot.Tx) error {
			for i := done; i < min(done+batch, n); i++ {
				if err := tx.PutMessage(b.Context(), event(i%about, i/about)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWaiting shows that what waits does not change what a message costs:
// an endpoint has so many others waiting for it, which nobody takes.
func BenchmarkWaiting(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		if n > 1000 && os.Getenv("INGOT_BENCH_LARGE") == "" {
			continue // filling it takes a minute
		}
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) {
			db := newStore(b)
			fill(b, db, n, 1000)
			for routed := 1; routed > 0; {
				var err error
				if routed, err = db.RouteMessages(b.Context(), 5000, now, func(ingot.Message) []string { return []string{"hook"} }); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			deliver(b, db, int64(b.N))
			b.StopTimer()
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
		})
	}
}

// BenchmarkTell is what telling adds to a transaction that changes something.
func BenchmarkTell(b *testing.B) {
	for _, told := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("messages=%d", told), func(b *testing.B) {
			db := newStore(b)
			for i := 0; b.Loop(); i++ {
				err := db.Write(b.Context(), func(tx ingot.Tx) error {
					key := ingot.TokenKey{Operation: "x", Token: fmt.Sprint(i)}
					if err := tx.SaveToken(b.Context(), key, ingot.TokenResponse{Response: []byte(`{}`), Expires: now}, now); err != nil {
						return err
					}
					for n := range told {
						if err := tx.PutMessage(b.Context(), event(i, n)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
