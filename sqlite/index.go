package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"ingot.dev/ingot"
)

// list is one order of the records of a kind. The first three have an entry
// per build, version and name, as ingot.Collapse counts them.
type list int

const (
	listBuilds list = iota
	listVersions
	listNames
	listNewest // only records that have ingot.FilterSource
)

// view is one set of the lists: of a scope's own records, or of those of other
// accounts that it may get or list.
type view struct {
	scope  string
	shared bool
}

func ownView(s ingot.Scope) view { return view{scope: s.Region + "/" + s.Account} }

func sharedView(s ingot.Scope, share ingot.Share) view {
	return view{scope: s.Region + "/" + s.Account + "/" + string(share), shared: true}
}

// position is where a record stands in a list. Positions sort as bytes: the
// name, a zero byte (in a shared view the owner, in front of a workflow's
// version its type, and another), then the numbers of version and build,
// counted down from the highest. A position ends where the list stops telling
// records apart, so an entry keeps its place when another build comes to
// represent it.
func (v view) position(l list, arn ingot.ARN, created int64) []byte {
	switch l {
	case listNames:
		return v.namePrefix(arn)
	case listVersions:
		return v.versionPrefix(arn)
	case listNewest:
		p := binary.BigEndian.AppendUint64(nil, ^uint64(created))
		return append(p, v.position(listBuilds, arn, created)...)
	}
	p := v.versionPrefix(arn)
	if arn.Kind.HasBuilds() {
		p = binary.BigEndian.AppendUint32(p, uint32(ingot.MaxVersionNode-arn.Build))
	}
	return p
}

func (v view) namePrefix(arn ingot.ARN) []byte {
	p := append([]byte(arn.Name), 0)
	if v.shared {
		p = append(append(p, arn.Account...), 0)
	}
	if arn.WorkflowType != "" {
		p = append(append(p, arn.WorkflowType...), 0)
	}
	return p
}

// versionPrefix is the common beginning of all that match the version of arn.
func (v view) versionPrefix(arn ingot.ARN) []byte {
	p := v.namePrefix(arn)
	if arn.Version.IsZero() {
		return p
	}
	for i := range arn.Version.Fixed() {
		p = binary.BigEndian.AppendUint32(p, uint32(ingot.MaxVersionNode-arn.Version.Node(i)))
	}
	return p
}

// row is a record with its place in the file.
type row struct {
	id int64
	ingot.Record
}

// views are those that r is in.
func (r row) views() []view {
	views := []view{ownView(r.ARN.Scope())}
	for share, accounts := range r.Shares {
		for _, account := range accounts {
			views = append(views, sharedView(ingot.Scope{Account: account, Region: r.ARN.Region}, share))
		}
	}
	return views
}

// lists are those of a view that r stands in by itself, as opposed to for others.
func (r row) lists(v view) []list {
	if len(r.Attributes[ingot.FilterSource]) > 0 && !v.shared {
		return []list{listBuilds, listNewest}
	}
	return []list{listBuilds}
}

// enter makes r part of a view.
func (t tx) enter(ctx context.Context, v view, r row) error {
	for _, l := range r.lists(v) {
		if err := t.addEntry(ctx, v, l, r); err != nil {
			return err
		}
	}
	return t.represent(ctx, v, r)
}

// leave takes r, as it was when it was part of it, out of a view.
func (t tx) leave(ctx context.Context, v view, r row) error {
	for _, l := range r.lists(v) {
		if err := t.removeEntry(ctx, v, l, r); err != nil {
			return err
		}
	}
	return t.represent(ctx, v, r)
}

// change brings a view that a record stays in up to date with its attributes.
func (t tx) change(ctx context.Context, v view, before, after row) error {
	for _, l := range []list{listBuilds, listVersions, listNames, listNewest} {
		id, err := t.first(ctx, v, l, after.ARN, v.position(l, after.ARN, after.Created.UnixNano()))
		if err != nil {
			return err
		}
		if id != after.id {
			continue // another record stands for it in this list
		}
		if err := t.changeEntry(ctx, v, l, before, after); err != nil {
			return err
		}
	}
	return nil
}

// addEntry makes r the entry at its position in a list.
func (t tx) addEntry(ctx context.Context, v view, l list, r row) error {
	return t.addPostings(ctx, v, l, r, v.termsIn(l, r.Record))
}

func (t tx) removeEntry(ctx context.Context, v view, l list, r row) error {
	return t.removePostings(ctx, v, l, r, v.termsIn(l, r.Record))
}

// changeEntry brings the entry of a record up to date with its attributes.
func (t tx) changeEntry(ctx context.Context, v view, l list, before, after row) error {
	was, is := v.termsIn(l, before.Record), v.termsIn(l, after.Record)
	if err := t.removePostings(ctx, v, l, before, without(was, is)); err != nil {
		return err
	}
	return t.addPostings(ctx, v, l, after, without(is, was))
}

func without(ts, others []term) []term {
	return slices.DeleteFunc(slices.Clone(ts), func(tm term) bool { return slices.Contains(others, tm) })
}

// maxTogether bounds the postings of one statement, and so the number of texts
// that are prepared.
const maxTogether = 32

// addPostings adds the postings of a record in a list by one statement: its
// terms are many.
func (t tx) addPostings(ctx context.Context, v view, l list, r row, ts []term) error {
	position := v.position(l, r.ARN, r.Created.UnixNano())
	for some := range slices.Chunk(ts, maxTogether) {
		args := []any{position, r.id}
		for _, tm := range some {
			id, err := t.makeTerm(ctx, termKey{v.scope, r.ARN.Kind, l, tm})
			if err != nil {
				return err
			}
			args = append(args, id)
		}
		if _, err := t.exec(ctx, insertPostings(len(some)), args...); err != nil {
			return classify("adding the postings of "+r.ARN.String(), err)
		}
	}
	return nil
}

// insertPostings takes a position, a record and n terms.
func insertPostings(n int) string {
	text := `INSERT INTO posting (position, record, term) VALUES `
	for i := range n {
		if i > 0 {
			text += `, `
		}
		text += `(?1, ?2, ?` + strconv.Itoa(3+i) + `)`
	}
	return text
}

func (t tx) removePostings(ctx context.Context, v view, l list, r row, ts []term) error {
	position := v.position(l, r.ARN, r.Created.UnixNano())
	for _, tm := range ts {
		id, err := t.termID(ctx, termKey{v.scope, r.ARN.Kind, l, tm})
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM posting WHERE term = ? AND position = ?`, id, position); err != nil {
			return classify("removing a posting of "+r.ARN.String(), err)
		}
	}
	return nil
}

// represent makes the highest build stand for its version, and for its name,
// after r has entered or left a view.
func (t tx) represent(ctx context.Context, v view, r row) error {
	if !r.ARN.Kind.HasBuilds() {
		return nil
	}
	for l, prefix := range map[list][]byte{listVersions: v.versionPrefix(r.ARN), listNames: v.namePrefix(r.ARN)} {
		is, err := t.first(ctx, v, listBuilds, r.ARN, prefix)
		if err != nil {
			return err
		}
		was, err := t.first(ctx, v, l, r.ARN, prefix)
		if err != nil {
			return err
		}
		if err := t.replaceEntry(ctx, v, l, was, is, r); err != nil {
			return err
		}
	}
	return nil
}

// replaceEntry changes the record of an entry from one id to another; 0 is
// none. One of them may be r: it is not read again, and may be gone.
func (t tx) replaceEntry(ctx context.Context, v view, l list, was, is int64, r row) error {
	if was == is {
		return nil
	}
	find := func(id int64) (row, error) {
		if id == r.id {
			return r, nil
		}
		return t.load(ctx, `id = ?`, id)
	}
	if was != 0 {
		old, err := find(was)
		if err != nil {
			return err
		}
		if err := t.removeEntry(ctx, v, l, old); err != nil {
			return err
		}
	}
	if is == 0 {
		return nil
	}
	now, err := find(is)
	if err != nil {
		return err
	}
	return t.addEntry(ctx, v, l, now)
}

// first is the id of the first record of arn's kind in a view that has the
// prefix in a list, or 0.
func (s reader) first(ctx context.Context, v view, l list, arn ingot.ARN, prefix []byte) (id int64, err error) {
	all, err := s.termID(ctx, termKey{v.scope, arn.Kind, l, term{}})
	if err != nil || all == 0 {
		return 0, err
	}
	err = s.scan(ctx, `SELECT record FROM posting WHERE term = ? AND position >= ? AND position < ? ORDER BY position LIMIT 1`,
		[]any{all, prefix, successor(prefix)}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking for the entry of %s: %w", arn, err)
	}
	return id, nil
}

// successor is the first position after all that begin with prefix.
func successor(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return []byte{0xff} // after every name, which is ASCII, and every date to come
}
