package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"ingot.dev/ingot"
)

// batch is one SQLite transaction that several calls of Write share: the sync
// of a commit costs more than most of them, and one is enough for all. Each
// call has a savepoint of its own, unless it is alone, so it happens whole or not
// at all and the others do not notice. None of them hears of its end before the commit.
//
// Its members are those who waited when it began, so it ends however many come
// after them. One member works at a time: whoever has the turn.
type batch struct {
	conn     *sql.Conn
	tx       *sql.Tx
	reader   reader
	alone    bool  // it has one member
	joining  int   // members that may still come
	undone   bool  // the only member has failed
	broken   error // why nothing of it can be committed
	told     bool  // a message was put
	identity bool  // the version of identities changes with the commit

	done chan struct{}
	err  error // of the commit, once done is closed
}

// turns pass the writer from one call of Write to the next, in their order.
type turns struct {
	mu      sync.Mutex
	taken   bool
	members queue // of batches
	between queue // whoever needs the writer while no batch is open
}

type queue []chan struct{}

// take waits for the turn. Whoever gets it must give it on, with pass or leave.
func (t *turns) take(ctx context.Context) error { return t.await(ctx, &t.members) }

// takeBetween waits until no batch is open. Whoever gets the turn must leave it.
func (t *turns) takeBetween(ctx context.Context) error { return t.await(ctx, &t.between) }

func (t *turns) await(ctx context.Context, q *queue) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	*q = append(*q, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(*q, mine)
	if i < 0 {
		return nil // it came at the same moment
	}
	*q = slices.Delete(*q, i, i+1)
	return ctx.Err()
}

// next gives the turn to the first of a queue, if there is one.
func (q *queue) next() bool {
	if len(*q) == 0 {
		return false
	}
	close((*q)[0])
	*q = (*q)[1:]
	return true
}

// pass gives the turn to another member, if there is one.
func (t *turns) pass() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.members.next()
}

// leave gives the turn on when no batch is open, or back.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = t.between.next() || t.members.next()
}

func (t *turns) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.members)
}

// Write runs f in a transaction. Only one f runs at a time, and what it wrote
// is synced when Write returns.
func (db *DB) Write(ctx context.Context, f func(ingot.Tx) error) (err error) {
	b, err := db.join(ctx)
	if err != nil {
		return err
	}
	func() {
		defer db.part(b) // also when f panics
		err = b.run(ctx, db.Quotas, f)
	}()
	<-b.done
	if b.err != nil {
		return b.err // also if f failed: it may have seen what is not saved
	}
	return err
}

// join waits for the turn, and begins a batch if there is none.
func (db *DB) join(ctx context.Context) (*batch, error) {
	wait, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	if err := db.turns.take(wait); err != nil {
		if ctx.Err() == nil {
			return nil, busy()
		}
		return nil, classify("waiting for the store", err)
	}
	if db.batch == nil {
		b, err := db.begin(ctx)
		if err != nil {
			db.turns.leave()
			return nil, err
		}
		db.batch = b
	}
	return db.batch, nil
}

func (db *DB) begin(ctx context.Context) (*batch, error) {
	conn, err := db.acquireWriter(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil) // it is not this caller's alone
	if err != nil {
		return nil, classify("beginning a transaction", errors.Join(err, conn.Close()))
	}
	others := db.turns.length()
	return &batch{
		conn: conn, tx: tx, reader: reader{db.writes.in(tx), db.known, map[termKey]int64{}},
		alone: others == 0, joining: others, done: make(chan struct{}),
	}, nil
}

// run runs f so that it happens whole or not at all.
func (b *batch) run(ctx context.Context, quotas ingot.Quotas, f func(ingot.Tx) error) error {
	if err := cmp.Or(b.broken, ctx.Err()); err != nil {
		return classify("waiting for the store", err)
	}
	if err := b.save(ctx); err != nil {
		b.broken = err
		return classify("beginning a transaction", err)
	}
	kept := false
	defer func() {
		if err := b.settle(ctx, kept); err != nil {
			b.broken = err
		}
	}()
	told, identity := false, false
	if err := f(tx{b.reader, quotas, &told, &identity}); err != nil {
		return err
	}
	kept = true
	b.told, b.identity = b.told || told, b.identity || identity
	return nil
}

// save makes the savepoint that settle returns to. A member that is alone has
// the transaction for one: SQLite copies each page that it changes after a
// savepoint.
func (b *batch) save(ctx context.Context) error {
	if b.alone {
		return nil
	}
	_, err := b.reader.exec(ctx, `SAVEPOINT member`)
	return err
}

// settle keeps what a member did, or undoes it.
func (b *batch) settle(ctx context.Context, kept bool) error {
	if !kept {
		clear(b.reader.looked) // terms may be gone
		b.undone = b.alone
	}
	if b.alone {
		return nil
	}
	if !kept {
		if _, err := b.reader.exec(ctx, `ROLLBACK TO member`); err != nil {
			return err
		}
	}
	_, err := b.reader.exec(ctx, `RELEASE member`)
	return err
}

// part ends the work of a member: the next one goes on with the batch, or if
// there is none it is committed.
func (db *DB) part(b *batch) {
	if b.joining > 0 {
		b.joining--
		if db.turns.pass() {
			return
		}
	}
	db.batch = nil
	b.err = b.end()
	if b.err == nil && b.told {
		db.wake()
	}
	if b.err == nil {
		db.known.put(b.reader.looked)
		db.checkpointer.committed()
	}
	if b.identity { // also after an error: it may have been committed
		db.identity.Add(1)
	}
	close(b.done)
	for _, text := range *b.reader.fresh {
		if _, err := db.writes.keep(context.Background(), text); err != nil {
			break // it will be prepared by the next transaction, at its cost
		}
	}
	db.turns.leave()
}

// end commits the batch, or rolls it back when it is broken.
func (b *batch) end() error {
	if b.broken != nil {
		return errors.Join(classify("writing", b.broken), b.tx.Rollback(), b.conn.Close())
	}
	if b.undone {
		return errors.Join(classify("undoing", b.tx.Rollback()), b.conn.Close())
	}
	return errors.Join(classify("committing", b.tx.Commit()), b.conn.Close())
}
