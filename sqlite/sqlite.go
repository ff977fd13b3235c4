// Package sqlite keeps Ingot's records in one SQLite file.
//
// A file has one writer connection and several readers, which never wait for
// it (WAL). Every commit is synced before it is reported; those who wait for the
// writer share one (batch.go), and none of them copies the log into the file
// (checkpoint.go). Lists are read from an inverted index (index.go), so a page
// costs the same however much is stored.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ingot.dev/ingot"
)

//go:embed migrations/*.sql
var migrations embed.FS

// writeWait is how long a transaction waits for the writer before the caller
// hears that the store is busy. Source: api.md §1.8.
const writeWait = 5 * time.Second

// busyWait is how long a connection waits for one that is not of this process's
// store, such as a program that looks into the file.
const busyWait = 5 * time.Second

// DB is an open database file. It implements ingot.Store.
type DB struct {
	Quotas ingot.Quotas // of every account; set before the first Write

	reader   // of committed state
	writes   *session
	written  chan struct{} // a message was committed
	identity *atomic.Int64 // see IdentityVersion

	turns turns  // of the callers of Write
	batch *batch // that whoever has the turn may join; nil: none is open

	checkpointer checkpointer
}

var _ ingot.Store = (*DB)(nil)

// Open opens the file at path, creates it if need be, and brings its tables up
// to date. Close it after use.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("creating database: %w", err)
	}
	writer, err := openPool(path, 1, busyWait, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		fmt.Sprintf("_pragma=wal_autocheckpoint(%d)", tooLong))
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, writer); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, err), writer.Close())
	}
	readers, err := openPool(path, max(4, runtime.NumCPU()), busyWait, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	db := &DB{
		Quotas: ingot.DefaultQuotas(),
		reader: reader{session: newSession(readers), known: newKnown()}, writes: newSession(writer),
		written: make(chan struct{}, 1), identity: &atomic.Int64{},
	}
	if err := db.checkpoints(path); err != nil {
		return nil, errors.Join(err, db.reader.close(), db.writes.close())
	}
	return db, nil
}

// createPrivate makes the file readable for its owner only, if it is new: it
// holds keys. SQLite gives its companion files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// openPool makes a pool of connections that is never shrunk: opening a
// connection costs more than most queries. Its connections wait for locks of
// others as long as busy says.
func openPool(path string, size int, busy time.Duration, options ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	dsn := url.URL{Scheme: "file", Path: abs}
	dsn.RawQuery = fmt.Sprintf("_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)", busy.Milliseconds())
	for _, o := range options {
		dsn.RawQuery += "&" + o
	}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Writer is the connection that writes, for packages that keep tables of their
// own in the file. It is one connection: whoever holds it must let go of it
// before calling Write.
func (db *DB) Writer() *sql.DB { return db.writes.pool }

// Close closes all connections.
func (db *DB) Close() error {
	return errors.Join(db.checkpointer.close(), db.reader.close(), db.writes.close(), db.checkpointer.file.Close())
}

// IdentityVersion implements ingot.Store. This process is the only writer.
func (db *DB) IdentityVersion() int64 { return db.identity.Load() }

func (db *DB) acquireWriter(ctx context.Context) (*sql.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	conn, err := db.writes.pool.Conn(wait)
	if err != nil && ctx.Err() == nil && wait.Err() != nil {
		return nil, busy()
	}
	return conn, classify("waiting for the store", err)
}

func busy() error {
	return ingot.Errorf(ingot.CodeInUse, "Other requests kept the store busy for %s. Send the request again.", writeWait)
}

// secretSize is the key length of HMAC-SHA-256.
const secretSize = 32

// Secret returns the random bytes kept under name, making them when they are new.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, secretSize)
	rand.Read(fresh)
	if _, err := db.writes.exec(ctx, `INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
		return nil, classify("making secret "+name, err)
	}
	var value []byte
	err := db.writes.scan(ctx, `SELECT value FROM secret WHERE name = ?`, []any{name}, &value)
	return value, classify("reading secret "+name, err)
}

// tx is an open write transaction. It implements ingot.Tx.
type tx struct {
	reader
	quotas   ingot.Quotas
	told     *bool // set when a message was put
	identity *bool // set when the version of identities changes with the commit
}

// Quotas implements ingot.Tx.
func (t tx) Quotas() ingot.Quotas { return t.quotas }

// reader implements ingot.Reader, in a transaction or over the pool of readers.
type reader struct {
	*session
	known  *known
	looked map[termKey]int64 // terms that the transaction looked up, which may be its own; nil outside of one
}

// classify gives an error of the driver its code, by result code.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	switch e.Code() & 0xff { // the primary result code; the rest says where
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return ingot.Errorf(ingot.CodeUnavailable, "%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isTaken reports whether err is a violated uniqueness rule.
func isTaken(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}
