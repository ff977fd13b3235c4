package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
)

// fill stores n images: fifty builds of each of n/50 names, every tenth failed.
func fill(b *testing.B, db *DB, n int) {
	b.Helper()
	document := []byte(`{"description":"` + strings.Repeat("x", 2000) + `"}`)
	const batch = 1000
	for done := 0; done < n; done += batch {
		err := db.Write(b.Context(), func(tx ingot.Tx) error {
			for i := done; i < min(done+batch, n); i++ {
				r := benchRecord(b, i)
				r.Document = document
				if err := tx.Create(b.Context(), r); err != nil {
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

func benchRecord(b testing.TB, i int) ingot.Record {
	name := fmt.Sprintf("image-%05d", i/50)
	a, err := ingot.ParseARN(fmt.Sprintf("arn:aws:imagebuilder:us-east-1:111122223333:image/%s/1.0.0/%d", name, i%50+1))
	if err != nil {
		b.Fatal(err)
	}
	status := "AVAILABLE"
	if i%10 == 0 {
		status = "FAILED"
	}
	created := time.Unix(int64(i), 0)
	return ingot.Record{
		ARN: a, Name: name, Status: status, Created: created, Updated: created,
		Attributes: map[string][]string{"platform": {"Linux"}, "osVersion": {"Debian 12"}, "type": {"AMI"}},
	}
}

// BenchmarkStore shows that what is stored does not change what a read costs.
func BenchmarkStore(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		if n > 10_000 && os.Getenv("INGOT_BENCH_LARGE") == "" {
			continue // filling it takes minutes
		}
		path := filepath.Join(b.TempDir(), "ingot.db")
		db, err := Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		fill(b, db, n)
		b.Run(fmt.Sprintf("images=%d", n), func(b *testing.B) { benchReads(b, db, n) })
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("images=%d/Open", n), func(b *testing.B) {
			for b.Loop() {
				db, err := Open(b.Context(), path)
				if err != nil {
					b.Fatal(err)
				}
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchReads(b *testing.B, db *DB, n int) {
	middle := benchRecord(b, n/2)
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Get(b.Context(), middle.ARN); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Resolve", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Resolve(b.Context(), middle.ARN.VersionARN(), "AVAILABLE"); err != nil {
				b.Fatal(err)
			}
		}
	})
	all := ingot.Query{Scope: testScope, Kind: ingot.KindImage, Limit: 25, After: string(ownView(testScope).namePrefix(middle.ARN))}
	filtered := all
	filtered.Filters = []ingot.Filter{{Name: "status", Values: []string{"AVAILABLE", "PENDING"}}, {Name: "platform", Values: []string{"Linux"}}}
	for name, q := range map[string]ingot.Query{"List": all, "ListFiltered": filtered} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.List(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Create", func(b *testing.B) {
		for i := n; b.Loop(); i++ {
			r := benchRecord(b, i)
			r.Document = []byte(`{}`)
			if err := db.Write(b.Context(), func(tx ingot.Tx) error { return tx.Create(b.Context(), r) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
