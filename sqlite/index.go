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

// position is where a record stands in a list. Positions sort as bytes: the
// name, a zero byte (and the workflow type, and another), then the numbers of
// version and build, counted down from the highest. A position ends where the
// list stops telling records apart, so an entry keeps its place when another
// build comes to represent it.
func position(l list, arn ingot.ARN, created int64) []byte {
	switch l {
	case listNames:
		return namePrefix(arn)
	case listVersions:
		return versionPrefix(arn)
	case listNewest:
		p := binary.BigEndian.AppendUint64(nil, ^uint64(created))
		return append(p, position(listBuilds, arn, created)...)
	}
	p := versionPrefix(arn)
	if arn.Kind.HasBuilds() {
		p = binary.BigEndian.AppendUint32(p, uint32(ingot.MaxVersionNode-arn.Build))
	}
	return p
}

func namePrefix(arn ingot.ARN) []byte {
	p := append([]byte(arn.Name), 0)
	if arn.WorkflowType != "" {
		p = append(append(p, arn.WorkflowType...), 0)
	}
	return p
}

// versionPrefix is the common beginning of all that match the version of arn.
func versionPrefix(arn ingot.ARN) []byte {
	p := namePrefix(arn)
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
	slices.SortFunc(ts, func(a, b term) int {
		return bytes.Compare([]byte(a.attribute+"\x00"+a.value), []byte(b.attribute+"\x00"+b.value))
	})
	return slices.Compact(ts)
}

func scopeKey(s ingot.Scope) string { return s.Region + "/" + s.Account }

// row is a record with its place in the file.
type row struct {
	id int64
	ingot.Record
}

// lists are those that r stands in by itself, as opposed to for others.
func (r row) lists() []list {
	if len(r.Attributes[ingot.FilterSource]) > 0 {
		return []list{listBuilds, listNewest}
	}
	return []list{listBuilds}
}

// addEntry makes r the entry at its position in a list.
func (t tx) addEntry(ctx context.Context, l list, r row) error {
	for _, tm := range terms(r.Record) {
		if err := t.addPosting(ctx, l, r, tm); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) removeEntry(ctx context.Context, l list, r row) error {
	for _, tm := range terms(r.Record) {
		if err := t.removePosting(ctx, l, r, tm); err != nil {
			return err
		}
	}
	return nil
}

// changeEntry brings the entry of a record up to date with its attributes.
func (t tx) changeEntry(ctx context.Context, l list, before, after row) error {
	was, is := terms(before.Record), terms(after.Record)
	for _, tm := range was {
		if !slices.Contains(is, tm) {
			if err := t.removePosting(ctx, l, before, tm); err != nil {
				return err
			}
		}
	}
	for _, tm := range is {
		if !slices.Contains(was, tm) {
			if err := t.addPosting(ctx, l, after, tm); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t tx) addPosting(ctx context.Context, l list, r row, tm term) error {
	at := []any{scopeKey(r.ARN.Scope()), string(r.ARN.Kind), l, tm.attribute, tm.value}
	if _, err := t.exec(ctx, `INSERT INTO term (scope, kind, list, attribute, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, at...); err != nil {
		return classify("adding a term", err)
	}
	_, err := t.exec(ctx, `INSERT INTO posting (term, position, record)
		SELECT id, ?, ? FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = ? AND value = ?`,
		append([]any{position(l, r.ARN, r.Created.UnixNano()), r.id}, at...)...)
	return classify("adding a posting of "+r.ARN.String(), err)
}

func (t tx) removePosting(ctx context.Context, l list, r row, tm term) error {
	_, err := t.exec(ctx, `DELETE FROM posting WHERE position = ? AND term =
		(SELECT id FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = ? AND value = ?)`,
		position(l, r.ARN, r.Created.UnixNano()), scopeKey(r.ARN.Scope()), string(r.ARN.Kind), l, tm.attribute, tm.value)
	return classify("removing a posting of "+r.ARN.String(), err)
}

// represent makes the highest build stand for its version, and for its name,
// after the builds of arn's version have changed. gone is a record that was
// deleted and may still be an entry.
func (t tx) represent(ctx context.Context, arn ingot.ARN, gone *row) error {
	if !arn.Kind.HasBuilds() {
		return nil
	}
	for l, prefix := range map[list][]byte{listVersions: versionPrefix(arn), listNames: namePrefix(arn)} {
		is, err := t.first(ctx, listBuilds, arn, prefix)
		if err != nil {
			return err
		}
		was, err := t.first(ctx, l, arn, prefix)
		if err != nil {
			return err
		}
		if err := t.replaceEntry(ctx, l, was, is, gone); err != nil {
			return err
		}
	}
	return nil
}

// replaceEntry changes the record of an entry from one id to another; 0 is none.
func (t tx) replaceEntry(ctx context.Context, l list, was, is int64, gone *row) error {
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
		if err := t.removeEntry(ctx, l, *old); err != nil {
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
	return t.addEntry(ctx, l, r)
}

// first is the id of the first record of arn's kind and scope that has the
// prefix in a list, or 0.
func (s reader) first(ctx context.Context, l list, arn ingot.ARN, prefix []byte) (id int64, err error) {
	err = s.scan(ctx, `SELECT record FROM posting WHERE term =
		(SELECT id FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = '' AND value = '')
		AND position >= ? AND position < ? ORDER BY position LIMIT 1`,
		[]any{scopeKey(arn.Scope()), string(arn.Kind), l, prefix, successor(prefix)}, &id)
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
