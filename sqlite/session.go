package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// session runs statements over a pool or in one of its transactions. It
// prepares each text once: parsing costs more than most of our queries. The
// number of texts is small, for none holds a value.
//
// A parameter of LIMIT is written +?: SQLite takes the value of a bare one into
// the plan, and prepares the statement again whenever it is bound.
//
// Statements of a transaction are not cancelled with their caller: SQLite would
// roll back what others wrote in it.
type session struct {
	pool     *sql.DB
	prepared *sync.Map // text to *sql.Stmt
	tx       *sql.Tx   // nil outside of transactions
	fresh    *[]string // texts that the transaction had to prepare for itself
}

func newSession(pool *sql.DB) *session { return &session{pool: pool, prepared: &sync.Map{}} }

func (s *session) in(tx *sql.Tx) *session {
	return &session{pool: s.pool, prepared: s.prepared, tx: tx, fresh: &[]string{}}
}

func (s *session) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	known, ok := s.prepared.Load(text)
	switch {
	case ok && s.tx != nil:
		return s.tx.StmtContext(ctx, known.(*sql.Stmt)), nil
	case ok:
		return known.(*sql.Stmt), nil
	case s.tx != nil:
		// Preparing on the pool would wait for the connection that this
		// transaction holds: keep is called after it.
		*s.fresh = append(*s.fresh, text)
		return s.tx.PrepareContext(ctx, text)
	}
	return s.keep(ctx, text)
}

func (s *session) uncancelled(ctx context.Context) context.Context {
	if s.tx == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// keep prepares text on the pool, for good.
func (s *session) keep(ctx context.Context, text string) (*sql.Stmt, error) {
	fresh, err := s.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	if known, raced := s.prepared.LoadOrStore(text, fresh); raced {
		return known.(*sql.Stmt), fresh.Close()
	}
	return fresh, nil
}

func (s *session) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	ctx = s.uncancelled(ctx)
	st, err := s.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// scan runs a query for one row; sql.ErrNoRows when there is none.
func (s *session) scan(ctx context.Context, text string, args []any, into ...any) error {
	ctx = s.uncancelled(ctx)
	st, err := s.statement(ctx, text)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(into...)
}

// each runs a query and calls row for each of its rows.
func (s *session) each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) (err error) {
	ctx = s.uncancelled(ctx)
	st, err := s.statement(ctx, text)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *session) close() error {
	var errs []error
	s.prepared.Range(func(_, st any) bool {
		errs = append(errs, st.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(append(errs, s.pool.Close())...)
}
