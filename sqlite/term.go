package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ingot.dev/ingot"
)

// term is one attribute value; the zero term is everything.
type term struct{ attribute, value string }

// termsIn are the terms of a record in a list of a view. An image's tags are
// only where lifecycle policies look for them, and names where positions do not
// begin with them.
func (v view) termsIn(l list, r ingot.Record) []term {
	ts := terms(r)
	if l == listNewest {
		return sorted(append(ts, term{ingot.FilterName, r.Name}, term{ingot.FilterName, r.ARN.Name}))
	}
	if l != listBuilds || v.shared || r.ARN.Kind != ingot.KindImage {
		return ts
	}
	for key, value := range r.Tags {
		ts = append(ts, term{ingot.FilterTag, ingot.TagTerm(key, value)})
	}
	return sorted(ts)
}

func terms(r ingot.Record) []term {
	ts := []term{{}}
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

// termKey is a term of one list of a kind.
type termKey struct {
	scope string // of the view
	kind  ingot.Kind
	list  list
	term
}

// maxKnown bounds the terms that are kept in memory. It is more than lists in
// use mostly have; descriptions and tags are without number.
const maxKnown = 4096

// known are the ids of terms that were looked up. A term is never deleted, so
// what was committed once holds for good.
type known struct {
	mu  sync.RWMutex
	ids map[termKey]int64
}

func newKnown() *known { return &known{ids: map[termKey]int64{}} }

func (k *known) id(key termKey) int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ids[key]
}

func (k *known) put(ids map[termKey]int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ids)+len(ids) > maxKnown {
		clear(k.ids) // those in use are soon back
	}
	for key, id := range ids {
		if len(k.ids) < maxKnown {
			k.ids[key] = id
		}
	}
}

func (s reader) knownID(key termKey) int64 {
	if id := s.looked[key]; id != 0 {
		return id
	}
	return s.known.id(key)
}

// termID is the id of a term, or 0 if there is none.
func (s reader) termID(ctx context.Context, key termKey) (id int64, err error) {
	if id := s.knownID(key); id != 0 {
		return id, nil
	}
	err = s.scan(ctx, `SELECT id FROM term WHERE scope = ? AND kind = ? AND list = ? AND attribute = ? AND value = ?`, key.columns(), &id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, classify(fmt.Sprintf("looking up the filter %s", key.attribute), err)
	case s.looked != nil:
		s.looked[key] = id
	default:
		s.known.put(map[termKey]int64{key: id})
	}
	return id, nil
}

// makeTerm is termID for a term that there may not be yet.
func (t tx) makeTerm(ctx context.Context, key termKey) (int64, error) {
	// What is not known is mostly new.
	if id := t.knownID(key); id != 0 {
		return id, nil
	}
	res, err := t.exec(ctx, `INSERT INTO term (scope, kind, list, attribute, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, key.columns()...)
	if err != nil {
		return 0, classify("adding a term", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return t.termID(ctx, key)
	}
	return res.LastInsertId()
}

func (k termKey) columns() []any {
	return []any{k.scope, string(k.kind), k.list, k.attribute, k.value}
}
