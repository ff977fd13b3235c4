package journal

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"ingot.dev/ingot/flow"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is the journal's own: the rest of the file has other owners.
const versionTable = "flow_version"

// saveTimeout bounds one write: the other writers of the file hold it for milliseconds.
const saveTimeout = 30 * time.Second

// store is the journal's tables.
type store struct {
	db *sql.DB

	mu     sync.RWMutex // read-held while writing a run's progress
	closed bool
}

// record is a run as it is stored.
type record struct {
	function  string
	input     []byte
	state     []byte
	cancelled bool
	ended     bool
	failure   string
	events    map[string]event // by position
}

func (r record) outcome() error {
	if r.failure == "" {
		return nil
	}
	return decodeError([]byte(r.failure))
}

// event is one journalled request of a run.
type event struct {
	kind, name string
	deadline   time.Time // of a wait
	done       bool
	output     []byte // JSON
	err        []byte // a flow.Error in JSON
}

// result is what the request answered.
func (e event) result(out any) error {
	if e.err != nil {
		return decodeError(e.err)
	}
	if out == nil || e.output == nil {
		return nil
	}
	if err := json.Unmarshal(e.output, out); err != nil {
		return fmt.Errorf("reading the output of %s %s: %w", e.kind, e.name, err)
	}
	return nil
}

// decodeError restores the errors of package flow as themselves.
func decodeError(data []byte) error {
	e := new(flow.Error)
	if err := json.Unmarshal(data, e); err != nil {
		return fmt.Errorf("reading a journalled error: %w", err)
	}
	switch e.Kind {
	case kindCancelled:
		return flow.ErrCancelled
	case kindTimeout:
		return flow.ErrTimeout
	}
	return e
}

func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// close makes every later save of a run's progress fail, and waits for those in progress.
func (s *store) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}

// save runs f, which uses the journal for a run, unless the engine has closed. It
// does not end with the run's context: what happened must be kept.
func (s *store) save(f func(ctx context.Context) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return flow.ErrInterrupted
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	return f(ctx)
}

func (s *store) create(ctx context.Context, id, function string, input []byte, now time.Time) error {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO flow_run (id, function, input, started) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		id, function, input, format(now))
	if err != nil {
		return fmt.Errorf("journalling run %s: %w", id, err)
	}
	return nil
}

func (s *store) openRuns(ctx context.Context) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id FROM flow_run WHERE ended IS NULL ORDER BY started, id`)
	if err != nil {
		return nil, fmt.Errorf("listing open runs: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("listing open runs: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (s *store) load(ctx context.Context, id string) (record, error) {
	r := record{events: map[string]event{}}
	var ended sql.NullString
	err := s.db.QueryRowContext(ctx,
		`SELECT function, input, state, cancelled, ended, outcome FROM flow_run WHERE id = ?`, id).
		Scan(&r.function, &r.input, &r.state, &r.cancelled, &ended, &r.failure)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("run %s does not exist", id)
	}
	if err != nil {
		return r, fmt.Errorf("reading run %s: %w", id, err)
	}
	r.ended = ended.Valid
	if err := s.loadEvents(ctx, id, r.events); err != nil {
		return r, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	return r, nil
}

func (s *store) loadEvents(ctx context.Context, id string, events map[string]event) error {
	rows, err := s.db.QueryContext(ctx,
		`SELECT position, kind, name, deadline, done, output, error FROM flow_event WHERE run = ?`, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var position string
		var deadline sql.NullString
		var ev event
		if err := rows.Scan(&position, &ev.kind, &ev.name, &deadline, &ev.done, &ev.output, &ev.err); err != nil {
			return err
		}
		if deadline.Valid {
			if ev.deadline, err = time.Parse(time.RFC3339Nano, deadline.String); err != nil {
				return err
			}
		}
		events[position] = ev
	}
	return rows.Err()
}

// put journals an event, or the outcome of one that was open.
func (s *store) put(run, position string, ev event) error {
	return s.save(func(ctx context.Context) error {
		_, err := s.db.ExecContext(ctx,
			`INSERT INTO flow_event (run, position, kind, name, deadline, done, output, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			 ON CONFLICT (run, position) DO UPDATE SET done = excluded.done, output = excluded.output, error = excluded.error`,
			run, position, ev.kind, ev.name, nullTime(ev.deadline), ev.done, nullBytes(ev.output), nullBytes(ev.err))
		return err
	})
}

// publish journals a state and makes it the run's present one.
func (s *store) publish(run, position string, state []byte) error {
	return s.save(func(ctx context.Context) error {
		return s.transact(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE flow_run SET state = ? WHERE id = ?`, state, run); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO flow_event (run, position, kind, name, done) VALUES (?, ?, ?, '', 1)`,
				run, position, kindState)
			return err
		})
	})
}

// expire ends a wait without an answer, unless one has come.
func (s *store) expire(run, position string, ev event) (expired bool, err error) {
	err = s.save(func(ctx context.Context) error {
		res, err := s.db.ExecContext(ctx,
			`UPDATE flow_event SET done = 1, error = ? WHERE run = ?2 AND position = ?3
			 AND NOT EXISTS (SELECT 1 FROM flow_signal WHERE run = ?2 AND name = ?4)`,
			ev.err, run, position, ev.name)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		expired = n == 1
		return err
	})
	return expired, err
}

// findSignal returns the value signalled under a name, or nil.
func (s *store) findSignal(run, name string) (value []byte, err error) {
	err = s.save(func(ctx context.Context) error {
		err := s.db.QueryRowContext(ctx, `SELECT value FROM flow_signal WHERE run = ? AND name = ?`, run, name).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return value, err
}

func (s *store) signal(ctx context.Context, run, name string, value []byte) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		if ended, err := isEnded(ctx, tx, run); err != nil || ended {
			return errors.Join(err, errIf(ended, "the run has ended"))
		}
		var over bool
		err := tx.QueryRowContext(ctx,
			`SELECT EXISTS (SELECT 1 FROM flow_event WHERE run = ? AND kind = ? AND name = ? AND done AND error IS NOT NULL)`,
			run, kindWait, name).Scan(&over)
		if err != nil || over {
			return errors.Join(err, errIf(over, "the wait is over"))
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO flow_signal (run, name, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			run, name, value); err != nil {
			return err
		}
		var kept []byte
		err = tx.QueryRowContext(ctx, `SELECT value FROM flow_signal WHERE run = ? AND name = ?`, run, name).Scan(&kept)
		return errors.Join(err, errIf(err == nil && string(kept) != string(value), "it was answered otherwise"))
	})
}

func (s *store) cancel(ctx context.Context, run string) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		if ended, err := isEnded(ctx, tx, run); err != nil || ended {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE flow_run SET cancelled = 1 WHERE id = ?`, run)
		return err
	})
}

// maxForgotten bounds how many old runs are forgotten with the end of one.
const maxForgotten = 100

// end closes a run and drops its steps: only the outcome is asked for again. It
// also forgets runs that ended longer ago than keep.
func (s *store) end(run string, outcome *flow.Error, now time.Time, keep time.Duration) error {
	text := ""
	if outcome != nil {
		data, err := json.Marshal(outcome)
		if err != nil {
			return err
		}
		text = string(data)
	}
	return s.save(func(ctx context.Context) error {
		return s.transact(ctx, func(tx *sql.Tx) error {
			for _, statement := range []string{`DELETE FROM flow_event WHERE run = ?`, `DELETE FROM flow_signal WHERE run = ?`} {
				if _, err := tx.ExecContext(ctx, statement, run); err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, `UPDATE flow_run SET ended = ?, outcome = ? WHERE id = ?`, format(now), text, run); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `DELETE FROM flow_run WHERE id IN (SELECT id FROM flow_run WHERE ended < ? ORDER BY ended LIMIT ?)`,
				format(now.Add(-keep)), maxForgotten)
			return err
		})
	})
}

func (s *store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit; the error that led here is the one to report
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func isEnded(ctx context.Context, tx *sql.Tx, run string) (ended bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT ended IS NOT NULL FROM flow_run WHERE id = ?`, run).Scan(&ended)
	if errors.Is(err, sql.ErrNoRows) {
		return false, errors.New("it does not exist")
	}
	return ended, err
}

func errIf(is bool, text string) error {
	if is {
		return errors.New(text)
	}
	return nil
}

// format keeps times as text that sorts by time.
func format(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return format(t)
}

// nullBytes keeps nil as NULL: the driver would store an empty blob.
func nullBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
