package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"

	"ingot.dev/ingot"
)

// Resolve implements ingot.RecordReader.
func (s reader) Resolve(ctx context.Context, arn ingot.ARN, statuses ...string) (ingot.Record, error) {
	if arn.IsExact() {
		r, err := s.Get(ctx, arn)
		if err == nil && len(statuses) > 0 && !slices.Contains(statuses, r.Status) {
			return ingot.Record{}, ingot.NotFound(arn)
		}
		return r, err
	}
	q := ingot.Query{Scope: arn.Scope(), Kind: arn.Kind, Under: arn, Limit: 1}
	if len(statuses) > 0 {
		q.Filters = []ingot.Filter{{Name: ingot.FilterStatus, Values: statuses}}
	}
	page, err := s.List(ctx, q)
	if err != nil {
		return ingot.Record{}, err
	}
	if len(page.Records) == 0 {
		return ingot.Record{}, ingot.NotFound(arn)
	}
	return page.Records[0], nil
}

// List implements ingot.RecordReader.
func (s reader) List(ctx context.Context, q ingot.Query) (ingot.Page, error) {
	sel, err := s.selection(ctx, q, q.Limit+1) // one more tells whether there is a next page
	if err != nil || sel.text == "" {
		return ingot.Page{}, err
	}
	var page ingot.Page
	err = s.each(ctx, entriesQuery(sel), sel.args, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		page.Records = append(page.Records, r.Record)
		return err
	})
	if err != nil {
		return ingot.Page{}, classify("listing "+string(q.Kind), err)
	}
	if len(page.Records) > q.Limit {
		page.Records = page.Records[:q.Limit]
		last := page.Records[q.Limit-1]
		page.Next = string(viewOf(q).position(listOf(q), last.ARN, last.Created.UnixNano()))
	}
	return page, nil
}

// entriesQuery reads the records of selected postings, in their order.
func entriesQuery(sel selection) string {
	return `SELECT ` + recordColumns + ` FROM (` + sel.text + `) AS entry
		JOIN record ON record.id = entry.record ORDER BY entry.position`
}

// Count implements ingot.RecordReader.
func (s reader) Count(ctx context.Context, q ingot.Query) (n int, err error) {
	if isWhole(q) {
		n, err := s.countKind(ctx, q.Scope, q.Kind)
		return min(n, q.Limit), err
	}
	sel, err := s.selection(ctx, q, q.Limit)
	if err != nil || sel.text == "" {
		return 0, err
	}
	err = s.scan(ctx, `SELECT count(*) FROM (`+sel.text+`)`, sel.args, &n)
	return n, classify("counting "+string(q.Kind), err)
}

func viewOf(q ingot.Query) view {
	if q.Shared != "" {
		return sharedView(q.Scope, q.Shared)
	}
	return ownView(q.Scope)
}

func listOf(q ingot.Query) list {
	if q.Newest {
		return listNewest
	}
	return list(q.Collapse)
}

// selection is the query for the postings of a page. It is empty when nothing
// can match.
type selection struct {
	text string
	args []any
}

// selection reads the postings of one filter, the driver, in order, and looks
// each up among those of the others. A driver with several values merges their
// postings, which are in the same order, and so do several names.
func (s reader) selection(ctx context.Context, q ingot.Query, limit int) (selection, error) {
	groups, err := s.termGroups(ctx, q)
	if err != nil || groups == nil {
		return selection{}, err
	}
	var parts []string
	var args []any
	for _, id := range groups[0] {
		for _, in := range spans(q) {
			part := `SELECT position, record FROM posting AS p WHERE term = ? AND position >= ? AND position < ?`
			args = append(args, id, in.low, in.high)
			for _, other := range groups[1:] {
				part += ` AND EXISTS (SELECT 1 FROM posting WHERE term IN (?` +
					strings.Repeat(`, ?`, len(other)-1) + `) AND position = p.position)`
				for _, id := range other {
					args = append(args, id)
				}
			}
			if in.display != "" {
				part += ` AND EXISTS (SELECT 1 FROM record WHERE id = p.record AND name = ?)`
				args = append(args, in.display)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return selection{}, nil
	}
	text := strings.Join(parts, " UNION ") + ` ORDER BY position LIMIT +?`
	return selection{text, append(args, limit)}, nil
}

// termGroups are the ids of the terms of each filter, the driver first; nil if
// a filter matches nothing at all.
func (s reader) termGroups(ctx context.Context, q ingot.Query) ([][]int64, error) {
	filters := slices.Clone(q.Filters)
	// A name matches the fewest records, so it drives.
	slices.SortStableFunc(filters, func(a, b ingot.Filter) int {
		return rank(a) - rank(b)
	})
	groups := [][]int64{}
	for _, f := range filters {
		values, all := termValues(f)
		if all || f.Name == ingot.FilterName && !q.Newest { // see spans
			continue
		}
		ids, err := s.termIDs(ctx, q, f.Name, values)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		groups = append(groups, ids)
	}
	if len(groups) > 0 {
		return groups, nil
	}
	ids, err := s.termIDs(ctx, q, "", []string{""})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return [][]int64{ids}, nil
}

func rank(f ingot.Filter) int {
	switch f.Name {
	case ingot.FilterName, ingot.FilterTag:
		return 0
	case ingot.FilterSource:
		return 1
	}
	return 2
}

// termValues are the values of a filter as terms have them. all is set when
// one of them matches every record.
func termValues(f ingot.Filter) (values []string, all bool) {
	if f.Name != ingot.FilterVersion {
		return f.Values, false
	}
	for _, v := range f.Values {
		term, ok := ingot.VersionTerm(v)
		if ok && term == "" {
			return nil, true
		}
		if ok {
			values = append(values, term)
		}
	}
	return values, false
}

func (s reader) termIDs(ctx context.Context, q ingot.Query, attribute string, values []string) ([]int64, error) {
	var ids []int64
	for _, v := range values {
		id, err := s.termID(ctx, termKey{viewOf(q).scope, q.Kind, listOf(q), term{attribute, v}})
		if err != nil {
			return nil, err
		}
		if id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// span is a range of positions: from low, up to but not including high.
type span struct {
	low, high []byte
	display   string // the name of its records, as submitted; empty: any
}

// spans are where the records of a page may be. Positions begin with the normal
// form of a name, except in the list by date, so that a name is a range.
func spans(q ingot.Query) []span {
	low, high := bounds(q)
	in := []span{{low: low, high: high}}
	for _, f := range q.Filters {
		if f.Name == ingot.FilterName && !q.Newest {
			in = named(in, f.Values)
		}
	}
	return in
}

// named are the parts of spans that have one of the names, each once.
func named(in []span, names []string) (parts []span) {
	for _, s := range in {
		for _, name := range names {
			normal := ingot.NormalizeName(name)
			if name != normal && s.display != "" && s.display != name {
				continue
			}
			prefix := append([]byte(normal), 0)
			part := span{later(s.low, prefix), earlier(s.high, successor(prefix)), s.display}
			if name != normal {
				part.display = name
			}
			if bytes.Compare(part.low, part.high) < 0 && !slices.ContainsFunc(parts, part.equal) {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

func (s span) equal(o span) bool {
	return bytes.Equal(s.low, o.low) && bytes.Equal(s.high, o.high) && s.display == o.display
}

func later(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

func earlier(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

// bounds are the positions that a page may hold: from low, up to but not including high.
func bounds(q ingot.Query) (low, high []byte) {
	var prefix []byte
	if q.Under.Name != "" {
		prefix = viewOf(q).versionPrefix(q.Under)
		if q.Under.IsBuild() {
			prefix = viewOf(q).position(listBuilds, q.Under, 0)
		}
	}
	low = prefix
	if q.After != "" {
		low = append([]byte(q.After), 0) // the first position after it
	}
	low = later(low, prefix)
	if low == nil {
		low = []byte{} // nil would be NULL
	}
	return low, successor(prefix)
}
