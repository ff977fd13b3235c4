package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// Commits go to a log of pages beside the file (WAL). SQLite by itself has the
// commit that makes the log long copy it into the file, while all other writes
// wait. The checkpointer does it beside them: most of the log while writing
// goes on, and only the end of it, with which the log begins again, in a turn
// of its own.
type checkpointer struct {
	pool *sql.DB
	file *os.File      // the database, to sync it; closing it drops all locks that the process has on it
	long int           // pages of a log that is copied
	wake chan struct{} // something was committed
	stop context.CancelFunc
	done chan struct{}
}

// Lengths of the log, in pages of 4 KiB. The syncs of commits wait for that of
// the file: that of 1000 pages takes 6 ms, and after 8000 writes were seen to wait 40 ms.
const (
	longLog  = 1000         // it is copied into the file
	shortLog = 100          // writers may wait for it to be copied
	tooLong  = 20 * longLog // commits help, as if there were no checkpointer
)

// copyRounds bounds the rounds that bring the rest of the log below shortLog:
// each takes about as long as what was written during the one before.
const copyRounds = 4

// The log begins again when nobody reads it: whoever begins to read when all of
// it is copied reads the file. Writers wait for those who were there before,
// which read a page or two each. SQLite's own waiting is of no use: it waits
// for a place among the readers that the next ones take again.
const (
	readersTries = 20
	readersWait  = time.Millisecond // before another try
)

// checkpoints starts the checkpointer of the file at path.
func (db *DB) checkpoints(path string) error {
	pool, err := openPool(path, 1, 0, "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return errors.Join(fmt.Errorf("opening database: %w", err), pool.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	db.checkpointer = checkpointer{pool: pool, file: file, long: longLog, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(db.checkpointer.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-db.checkpointer.wake:
			}
			// What keeps the log from being copied does not harm it, and is
			// tried again at the next commit; a full disk stops that, too.
			_ = db.checkpoint(ctx)
		}
	}()
	return nil
}

func (c *checkpointer) committed() {
	select {
	case c.wake <- struct{}{}:
	default: // it is known already
	}
}

func (c *checkpointer) close() error {
	c.stop()
	<-c.done
	return c.pool.Close()
}

// checkpoint copies a long log into the file, and lets it begin again.
func (db *DB) checkpoint(ctx context.Context) error {
	log, err := db.checkpointer.copy(ctx, "NOOP")
	if err != nil || log.left < db.checkpointer.long {
		return err
	}
	for range copyRounds {
		if _, err := db.checkpointer.copy(ctx, "PASSIVE"); err != nil {
			return err
		}
		// SQLite syncs what it copied when it has copied all, which is in the turn.
		if err := db.checkpointer.file.Sync(); err != nil {
			return fmt.Errorf("syncing the database: %w", err)
		}
		if log, err = db.checkpointer.copy(ctx, "NOOP"); err != nil {
			return err
		}
		if log.left <= shortLog {
			break
		}
	}
	if err := db.turns.takeBetween(ctx); err != nil {
		return err
	}
	defer db.turns.leave()
	return db.checkpointer.restart(ctx)
}

// restart copies the rest of the log, and has the next commit begin it again.
// Without success it is tried when the log is long again.
func (c *checkpointer) restart(ctx context.Context) error {
	for range readersTries {
		r, err := c.copy(ctx, "RESTART")
		if err != nil || !r.busy {
			return err
		}
		select {
		case <-time.After(readersWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// logState is what is left of the log when a checkpoint is over, leaving aside
// what was written in the meantime.
type logState struct {
	left int  // pages that are not in the file
	busy bool // somebody was in the way
}

// copy runs a checkpoint of SQLite's: NOOP copies nothing, PASSIVE waits for
// nobody, RESTART keeps writers out.
func (c *checkpointer) copy(ctx context.Context, mode string) (s logState, err error) {
	var length, copied int
	err = c.pool.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&s.busy, &length, &copied)
	s.left = length - copied
	return s, classify("copying the log into the file", err)
}
