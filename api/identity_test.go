package api

import (
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/sqlite"
)

// BenchmarkFindIdentity is what a request pays for its key being in the store:
// known is every request but the first after a change.
func BenchmarkFindIdentity(b *testing.B) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ingot.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	err = store.Write(b.Context(), func(tx ingot.Tx) error {
		return ingot.PutAdministrator(b.Context(), tx, "111122223333", ingot.AccessKey{ID: "AKIA1", Secret: "s", Created: time.Unix(0, 0)})
	})
	if err != nil {
		b.Fatal(err)
	}
	who := &identities{store: store, partition: "aws"}
	find := func(b *testing.B) {
		if found, err := who.find(b.Context(), "AKIA1"); found == nil || err != nil {
			b.Fatal(found, err)
		}
	}
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			find(b)
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			who.known = nil
			find(b)
		}
	})
}
