package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func numbered(i int) ingot.Record {
	return ingot.Record{
		ARN:  ingot.ARN{Partition: "aws", Region: testScope.Region, Account: testScope.Account, Kind: ingot.KindPipeline, Name: fmt.Sprintf("p-%d", i)},
		Name: fmt.Sprint(i), Document: []byte(`{}`),
	}
}

// TestBatch has ten calls wait for one, so that they share a transaction:
// those that fail or panic leave nothing, and the others everything.
func TestBatch(t *testing.T) {
	db := openTest(t)
	entered, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Write(t.Context(), func(ingot.Tx) error {
			close(entered)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	wrong := errors.New("on purpose")
	var mu sync.Mutex
	batches := map[*batch]int{}
	for i := range 10 {
		all.Go(func() {
			defer func() {
				if p := recover(); (p != nil) != (i%5 == 2) {
					t.Errorf("call %d: panic %v", i, p)
				}
			}()
			err := db.Write(t.Context(), func(tx ingot.Tx) error {
				mu.Lock()
				batches[db.batch]++
				mu.Unlock()
				if err := tx.Create(t.Context(), numbered(i)); err != nil {
					return err
				}
				switch i % 5 {
				case 1:
					return wrong
				case 2:
					panic(wrong)
				}
				return nil
			})
			if want := map[bool]error{true: wrong}[i%5 == 1]; !errors.Is(err, want) {
				t.Errorf("call %d: %v, want %v", i, err, want)
			}
		})
	}
	for db.turns.length() < 10 {
		time.Sleep(time.Millisecond) // they have no other sign of waiting
	}
	close(release)
	all.Wait()
	if len(batches) != 1 {
		t.Errorf("the calls were in %d transactions: %v, want one", len(batches), batches)
	}
	for i := range 10 {
		_, err := db.Get(t.Context(), numbered(i).ARN)
		if kept := err == nil; kept != (i%5 != 1 && i%5 != 2) {
			t.Errorf("call %d: kept %t (%v)", i, kept, err)
		}
	}
}

// TestBatchThatCannotCommit: nobody hears of a success, whatever its part was.
func TestBatchThatCannotCommit(t *testing.T) {
	db := openTest(t)
	err := db.Write(t.Context(), func(w ingot.Tx) error {
		if err := w.Create(t.Context(), numbered(1)); err != nil {
			return err
		}
		_, err := w.(tx).exec(t.Context(), `ROLLBACK`) // as SQLite does when the disk is full
		return err
	})
	if err == nil {
		t.Error("a call whose transaction was rolled back returned no error")
	}
	if _, err := db.Get(t.Context(), numbered(1).ARN); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("its record: %v, want not found", err)
	}
	if err := db.Write(t.Context(), func(tx ingot.Tx) error { return tx.Create(t.Context(), numbered(2)) }); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestCancelledMember is cancelled in the middle of its work, which it sees
// through; others of its transaction are not harmed.
func TestCancelledMember(t *testing.T) {
	db := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(ctx, func(tx ingot.Tx) error {
		if err := tx.Create(ctx, numbered(1)); err != nil {
			return err
		}
		cancel()
		return tx.Create(ctx, numbered(2))
	})
	if err != nil {
		t.Errorf("the cancelled call: %v", err)
	}
	if err := db.Write(ctx, func(ingot.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was cancelled before: %v, want %v", err, context.Canceled)
	}
}

// TestTurns: whoever gives up waiting is passed over, and nobody is forgotten.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns
		if err := q.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []int
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10-9*(i%2))*time.Second) // the odd ones have one second
				defer cancel()
				if err := q.take(ctx); err != nil {
					return
				}
				order = append(order, i)
				q.leave()
			})
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		q.leave()
		all.Wait()
		if fmt.Sprint(order) != "[0 2]" || q.taken || q.length() != 0 {
			t.Errorf("turns went to %v, taken %t, %d waiting; want [0 2], false, 0", order, q.taken, q.length())
		}
	})
}

// BenchmarkWrite shows what callers gain by sharing a commit.
func BenchmarkWrite(b *testing.B) {
	db, err := Open(b.Context(), filepath.Join(b.TempDir(), "ingot.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for i := c; i < b.N; i += callers {
						err := db.Write(b.Context(), func(w ingot.Tx) error {
							_, err := w.NextBuild(b.Context(), numbered(c).ARN)
							return err
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestTermsOfFailedWrites makes terms in calls that fail, alone and in a
// batch: what the store remembers of them is not used by those that follow.
func TestTermsOfFailedWrites(t *testing.T) {
	db := openTest(t)
	wrong := errors.New("on purpose")
	create := func(from int, result error) error {
		return db.Write(t.Context(), func(tx ingot.Tx) error {
			for i := from; i < from+2; i++ { // the second looks up what the first has made
				if err := tx.Create(t.Context(), numbered(i)); err != nil {
					return err
				}
			}
			return result
		})
	}
	if err := create(0, wrong); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Write(t.Context(), func(ingot.Tx) error {
			close(entered)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	for i, want := range []error{wrong, nil} {
		all.Go(func() {
			if err := create(10*i, want); !errors.Is(err, want) {
				t.Error(err)
			}
		})
		for db.turns.length() <= i {
			time.Sleep(time.Millisecond) // it has no other sign of waiting
		}
	}
	close(release)
	all.Wait()
	if err := create(20, nil); err != nil {
		t.Fatal(err)
	}
	page, err := db.List(t.Context(), ingot.Query{Scope: testScope, Kind: ingot.KindPipeline, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range page.Records {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"10", "11", "20", "21"}, names); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}
