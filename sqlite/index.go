package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

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

// term is one attribute value; the zero term is everything.
type term struct{ attribute, value string }

// termsIn are the terms of a record in a list of a view. An image's tags are
// only where lifecycle policies look for them.
func (v view) termsIn(l list, r ingot.Record) []term {
	ts := terms(r)
	if l != listBuilds || v.shared || r.ARN.Kind != ingot.KindImage {
		return ts
	}
	for key, value := range r.Tags {
		ts = append(ts, term{ingot.FilterTag, ingot.TagTerm(key, value)})
	}
	return sorted(ts)
}

func terms(r ingot.Record) []term {
	ts := []term{{}, {ingot.FilterName, r.Name}, {ingot.FilterName, r.ARN.Name}}
	if r.Status != "" {
		ts = append(ts, term{ingot.FilterStatus, r.Status})
	}
	if !r.ARN.Version.IsZero() {
		for _, v := range r.ARN.Version.Terms(r.ARN.Build) {
			ts = append(ts, term{ingot.FilterVersion, v})
		}
	}
	for name, values := range r.Attributes {
		for _, v := range values {
			ts = append(ts, term{name, v})
		}
	}
	return sorted(ts)
}

// sorted puts terms in order, each once.
func sorted(ts []term) []term {
	slices.SortFunc(ts, func(a, b term) int {
		return bytes.Compare([]byte(a.attribute+"\x00"+a.value), []byte(b.attribute+"\x00"+b.value))
	})
	return slices.Compact(ts)
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
	return t.represent(ctx, v, r.ARN, nil)
}

// leave takes r, as it was when it was part of it, out of a view.
func (t tx) leave(ctx context.Context, v view, r row) error {
	for _, l := range r.lists(v) {
		if err := t.removeEntry(ctx, v, l, r); err != nil {
			return err
		}
	}
	return t.represent(ctx, v, r.ARN, &r)
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
	for _, tm := range v.termsIn(l, r.Record) {
		if err := t.addPosting(ctx, v, l, r, tm); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) removeEntry(ctx context.Context, v view, l list, r row) error {
	for _, tm := range v.termsIn(l, r.Record) {
		if err := t.removePosting(ctx, v, l, r, tm); err != nil {
			return err
		}
	}
	return nil
}

// changeEntry brings the entry of a record up to date with its attributes.
func (t tx) changeEntry(ctx context.Context, v view, l list, before, after row) error {
	was, is := v.termsIn(l, before.Record), v.termsIn(l, after.Record)
	for _, tm := range was {
		if !slices.Contains(is, tm) {
			if err := t.removePosting(ctx, v, l, before, tm); err != nil {
				return err
			}
		}
	}
	for _, tm := range is {
		if !slices.Contains(was, tm) {
			if err := t.addPosting(ctx, v, l, after, tm); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t tx) addPosting(ctx context.Context, v view, l list, r row, tm term) error {
	at := []any{v.scope, string(r.ARN.Kind), l, tm.attribute, tm.value}
	if _, err := t.exec(ctx, `INSERT INTO term (scope, kind, list, attribute, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, at...); err != nil {
		return classify("adding a term", err)
	}
	_, err := t.exec(ctx, `INSERT INTO posting (term, position, record)
		SELECT id, ?, ? FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = ? AND value = ?`,
		append([]any{v.position(l, r.ARN, r.Created.UnixNano()), r.id}, at...)...)
	return classify("adding a posting of "+r.ARN.String(), err)
}

func (t tx) removePosting(ctx context.Context, v view, l list, r row, tm term) error {
	_, err := t.exec(ctx, `DELETE FROM posting WHERE position = ? AND term =
		(SELECT id FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = ? AND value = ?)`,
		v.position(l, r.ARN, r.Created.UnixNano()), v.scope, string(r.ARN.Kind), l, tm.attribute, tm.value)
	return classify("removing a posting of "+r.ARN.String(), err)
}

// represent makes the highest build stand for its version, and for its name,
// after the builds of arn's version in a view have changed. gone is a record that is
// no longer in it and may still be an entry.
func (t tx) represent(ctx context.Context, v view, arn ingot.ARN, gone *row) error {
	if !arn.Kind.HasBuilds() {
		return nil
	}
	for l, prefix := range map[list][]byte{listVersions: v.versionPrefix(arn), listNames: v.namePrefix(arn)} {
		is, err := t.first(ctx, v, listBuilds, arn, prefix)
		if err != nil {
			return err
		}
		was, err := t.first(ctx, v, l, arn, prefix)
		if err != nil {
			return err
		}
		if err := t.replaceEntry(ctx, v, l, was, is, gone); err != nil {
			return err
		}
	}
	return nil
}

// replaceEntry changes the record of an entry from one id to another; 0 is none.
func (t tx) replaceEntry(ctx context.Context, v view, l list, was, is int64, gone *row) error {
	if was == is {
		return nil
	}
	if was != 0 {
		old := gone
		if old == nil || old.id != was {
			r, err := t.load(ctx, `id = ?`, was)
			if err != nil {
				return err
			}
			old = &r
		}
		if err := t.removeEntry(ctx, v, l, *old); err != nil {
			return err
		}
	}
	if is == 0 {
		return nil
	}
	r, err := t.load(ctx, `id = ?`, is)
	if err != nil {
		return err
	}
	return t.addEntry(ctx, v, l, r)
}

// first is the id of the first record of arn's kind in a view that has the
// prefix in a list, or 0.
func (s reader) first(ctx context.Context, v view, l list, arn ingot.ARN, prefix []byte) (id int64, err error) {
	err = s.scan(ctx, `SELECT record FROM posting WHERE term =
		(SELECT id FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = '' AND value = '')
		AND position >= ? AND position < ? ORDER BY position LIMIT 1`,
		[]any{v.scope, string(arn.Kind), l, prefix, successor(prefix)}, &id)
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
