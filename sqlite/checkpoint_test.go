package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ingot.dev/ingot"
)

// TestLogBeginsAgain writes several long logs while others read, and holds the
// log's file to the length of a few.
func TestLogBeginsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ingot.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	db.checkpointer.long = 500
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := db.List(context.Background(), ingot.Query{Scope: testScope, Kind: ingot.KindPipeline, Limit: 5}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const rounds, each = 8, 6 // records of more than 100 pages
	for i := range rounds * each {
		r := numbered(i)
		r.Document = []byte(`"` + strings.Repeat("x", 100*4096) + `"`)
		if err := db.Write(t.Context(), func(tx ingot.Tx) error { return tx.Create(t.Context(), r) }); err != nil {
			t.Fatal(err)
		}
		if i%each == each-1 {
			if err := db.checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	readers.Wait()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(4 * db.checkpointer.long * 4096); info.Size() > most {
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), most)
	}
	if n, err := db.Count(t.Context(), ingot.Query{Scope: testScope, Kind: ingot.KindPipeline, Limit: 1 << 30}); err != nil || n != rounds*each {
		t.Errorf("%d records, %v, want %d", n, err, rounds*each)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the log is there after Close: %v", err)
	}
}

// TestTurnBetween takes turns between batches while others write: it never
// meets an open one, and all of them end.
func TestTurnBetween(t *testing.T) {
	db := openTest(t)
	ctx, stop := context.WithCancel(t.Context())
	var writers, between sync.WaitGroup
	between.Go(func() {
		for ctx.Err() == nil {
			if err := db.turns.takeBetween(t.Context()); err != nil {
				t.Error(err)
				return
			}
			if db.batch != nil {
				t.Error("a batch is open")
			}
			db.turns.leave()
		}
	})
	for w := range 8 {
		writers.Go(func() {
			for i := range 30 {
				err := db.Write(t.Context(), func(tx ingot.Tx) error { return tx.Create(t.Context(), numbered(100*w+i)) })
				if err != nil {
					t.Error(fmt.Errorf("write %d of %d: %w", i, w, err))
				}
			}
		})
	}
	writers.Wait()
	stop()
	between.Wait()
}
