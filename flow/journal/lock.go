package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockSuffix names the file of the lock, beside the database: a lock on the
// database itself would be given up with any descriptor that SQLite closes.
const lockSuffix = "-flow"

// lockFile locks the journal in a database for as long as the file it returns
// is open. A database in memory has no other users, and needs none.
func lockFile(ctx context.Context, db *sql.DB) (*os.File, error) {
	var path string
	if err := db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		return nil, fmt.Errorf("finding the journal's file: %w", err)
	}
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errors.New("another engine runs its functions; end that process first")
	}
	return nil, errors.Join(fmt.Errorf("locking the journal in %s: %w", path, err), f.Close())
}

// unlockFile gives the lock up. To close the file is not enough: a process that
// is just being started has it, too, until its program runs.
func unlockFile(f *os.File) error {
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}
