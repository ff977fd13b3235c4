package sqlite_test

import (
	"path/filepath"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/sqlite"
	"ingot.dev/ingot/storetest"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) ingot.Store { return open(t) })
}
