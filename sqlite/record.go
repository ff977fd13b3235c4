package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ingot.dev/ingot"
)

const recordColumns = `record.id, record.arn, record.name, record.status, record.created, record.updated,
	record.attributes, record.document, record.tags, record.policy, record.shares`

// Get implements ingot.RecordReader.
func (s reader) Get(ctx context.Context, arn ingot.ARN) (ingot.Record, error) {
	r, err := s.find(ctx, arn)
	return r.Record, err
}

// find returns the record of an exact ARN, with its row.
func (s reader) find(ctx context.Context, arn ingot.ARN) (row, error) {
	r, err := s.load(ctx, `key = ?`, arn.Key())
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, ingot.NotFound(arn)
	}
	return r, err
}

// load returns the one record that the condition selects.
func (s reader) load(ctx context.Context, condition string, arg any) (r row, err error) {
	err = s.each(ctx, `SELECT `+recordColumns+` FROM record WHERE `+condition, []any{arg}, func(rows *sql.Rows) error {
		r, err = scanRecord(rows)
		return err
	})
	if err != nil {
		return row{}, classify("reading a record", err)
	}
	if r.id == 0 {
		return row{}, sql.ErrNoRows
	}
	r.References, err = s.references(ctx, r.id)
	return r, err
}

func scanRecord(rows *sql.Rows) (row, error) {
	var (
		r                            row
		arn                          string
		created, updated             int64
		attributes, document, tagged []byte
		shares                       []byte
	)
	if err := rows.Scan(&r.id, &arn, &r.Name, &r.Status, &created, &updated, &attributes, &document, &tagged, &r.Policy, &shares); err != nil {
		return row{}, err
	}
	var err error
	if r.ARN, err = ingot.ParseARN(arn); err != nil {
		return row{}, fmt.Errorf("record %d: %w", r.id, err)
	}
	if err := errors.Join(json.Unmarshal(attributes, &r.Attributes), json.Unmarshal(tagged, &r.Tags), json.Unmarshal(shares, &r.Shares)); err != nil {
		return row{}, fmt.Errorf("record %s: %w", arn, err)
	}
	r.Created, r.Updated, r.Document = time.Unix(0, created).UTC(), time.Unix(0, updated).UTC(), document
	return r, nil
}

func (s reader) references(ctx context.Context, id int64) (refs []string, err error) {
	err = s.each(ctx, `SELECT arn FROM reference WHERE record = ? ORDER BY arn`, []any{id}, func(rows *sql.Rows) error {
		var ref string
		defer func() { refs = append(refs, ref) }()
		return rows.Scan(&ref)
	})
	return refs, classify("reading references", err)
}

// Referrers implements ingot.RecordReader.
func (s reader) Referrers(ctx context.Context, limit int, targets ...ingot.ARN) (arns []ingot.ARN, err error) {
	for _, target := range targets {
		err := s.each(ctx, `SELECT record.arn FROM reference JOIN record ON record.id = reference.record
			WHERE reference.target = ? ORDER BY reference.record LIMIT +?`, []any{target.Key(), limit - len(arns)},
			func(rows *sql.Rows) error {
				var text string
				if err := rows.Scan(&text); err != nil {
					return err
				}
				arn, err := ingot.ParseARN(text)
				arns = append(arns, arn)
				return err
			})
		if err != nil {
			return nil, classify("looking for users of "+target.String(), err)
		}
	}
	return arns, nil
}

// NextBuild implements ingot.RecordWriter.
func (t tx) NextBuild(ctx context.Context, version ingot.ARN) (build int, err error) {
	err = t.scan(ctx, `INSERT INTO build_count (version, builds) VALUES (?, 1)
		ON CONFLICT (version) DO UPDATE SET builds = builds + 1 RETURNING builds`,
		[]any{version.VersionARN().Key()}, &build)
	return build, classify("counting builds of "+version.String(), err)
}

// Create implements ingot.RecordWriter.
func (t tx) Create(ctx context.Context, r ingot.Record) error {
	if !r.ARN.IsExact() {
		return fmt.Errorf("creating %s: not the ARN of a single resource", r.ARN)
	}
	columns, err := columnsOf(r)
	if err != nil {
		return err
	}
	args := append([]any{r.ARN.Key(), r.ARN.String(), r.Name, r.Created.UnixNano()}, columns...)
	res, err := t.exec(ctx, `INSERT INTO record (key, arn, name, created, status, updated, attributes, document, tags, policy, shares)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	if isTaken(err) {
		taken, err := t.Get(ctx, r.ARN)
		if err != nil {
			return err
		}
		return ingot.AlreadyExists(taken.ARN)
	}
	if err != nil {
		return classify("storing "+r.ARN.String(), err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return classify("storing "+r.ARN.String(), err)
	}
	return t.index(ctx, row{id, r})
}

// index adds what is derived from a new record.
func (t tx) index(ctx context.Context, r row) error {
	if err := t.refer(ctx, r); err != nil {
		return err
	}
	if err := t.addCount(ctx, r.ARN, 1); err != nil {
		return err
	}
	for _, v := range r.views() {
		if err := t.enter(ctx, v, r); err != nil {
			return err
		}
	}
	return nil
}

// columnsOf are the columns of a record that an update may change.
func columnsOf(r ingot.Record) ([]any, error) {
	attributes, err := json.Marshal(orEmpty(r.Attributes))
	if err != nil {
		return nil, fmt.Errorf("encoding the attributes of %s: %w", r.ARN, err)
	}
	tagged, err := json.Marshal(orEmpty(r.Tags))
	if err != nil {
		return nil, fmt.Errorf("encoding the tags of %s: %w", r.ARN, err)
	}
	shares, err := json.Marshal(orEmpty(r.Shares))
	if err != nil {
		return nil, fmt.Errorf("encoding the shares of %s: %w", r.ARN, err)
	}
	return []any{r.Status, r.Updated.UnixNano(), string(attributes), string(r.Document), string(tagged), r.Policy, string(shares)}, nil
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// refer stores what a record names. References that are no ARNs of ours name
// nothing that could be deleted here. One to another account's resource is kept
// under a key that nobody asks for: a user does not keep an owner from deleting.
func (t tx) refer(ctx context.Context, r row) error {
	for _, ref := range r.References {
		target, err := ingot.ParseARN(ref)
		if err != nil {
			continue
		}
		if _, err := t.exec(ctx, `INSERT INTO reference (target, record, arn) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			referenceKey(r.ARN, target), r.id, ref); err != nil {
			return classify("storing a reference to "+ref, err)
		}
	}
	return nil
}

func referenceKey(by, target ingot.ARN) string {
	if target.Account == by.Account || target.IsManaged() {
		return target.Key()
	}
	return "shared " + target.Key()
}

// Update implements ingot.RecordWriter.
func (t tx) Update(ctx context.Context, arn ingot.ARN, from []string, change func(*ingot.Record) error) (ingot.Record, error) {
	before, err := t.find(ctx, arn)
	if err != nil {
		return ingot.Record{}, err
	}
	if len(from) > 0 && !slices.Contains(from, before.Status) {
		return ingot.Record{}, ingot.Errorf(ingot.CodeInUse, "The resource '%s' is in the state %s, not in one of %v.", arn, before.Status, from)
	}
	after, err := t.find(ctx, arn) // a second copy: change may work in place
	if err != nil {
		return ingot.Record{}, err
	}
	if err := change(&after.Record); err != nil {
		return ingot.Record{}, err
	}
	after.ARN, after.Name, after.Created = before.ARN, before.Name, before.Created
	columns, err := columnsOf(after.Record)
	if err != nil {
		return ingot.Record{}, err
	}
	if _, err := t.exec(ctx, `UPDATE record SET status = ?, updated = ?, attributes = ?, document = ?, tags = ?, policy = ?, shares = ? WHERE id = ?`,
		append(columns, after.id)...); err != nil {
		return ingot.Record{}, classify("updating "+arn.String(), err)
	}
	return after.Record, t.reindex(ctx, before, after)
}

// reindex brings what is derived from a record up to date.
func (t tx) reindex(ctx context.Context, before, after row) error {
	if !slices.Equal(before.References, after.References) {
		if _, err := t.exec(ctx, `DELETE FROM reference WHERE record = ?`, after.id); err != nil {
			return classify("clearing references", err)
		}
		if err := t.refer(ctx, after); err != nil {
			return err
		}
	}
	were, are := before.views(), after.views()
	for _, v := range were {
		if slices.Contains(are, v) {
			if err := t.change(ctx, v, before, after); err != nil {
				return err
			}
		} else if err := t.leave(ctx, v, before); err != nil {
			return err
		}
	}
	for _, v := range are {
		if slices.Contains(were, v) {
			continue
		}
		if err := t.enter(ctx, v, after); err != nil {
			return err
		}
	}
	return nil
}

// SetTags implements ingot.RecordWriter.
func (t tx) SetTags(ctx context.Context, arn ingot.ARN, tags map[string]string) error {
	before, err := t.find(ctx, arn)
	if err != nil {
		return err
	}
	tagged, err := json.Marshal(orEmpty(tags))
	if err != nil {
		return fmt.Errorf("encoding the tags of %s: %w", arn, err)
	}
	if _, err := t.exec(ctx, `UPDATE record SET tags = ? WHERE id = ?`, string(tagged), before.id); err != nil {
		return classify("tagging "+arn.String(), err)
	}
	after := before
	after.Tags = tags
	return t.changeEntry(ctx, ownView(before.ARN.Scope()), listBuilds, before, after)
}

func foundRow(res sql.Result, arn ingot.ARN) error {
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return ingot.NotFound(arn)
	}
	return nil
}

// Delete implements ingot.RecordWriter.
func (t tx) Delete(ctx context.Context, arn ingot.ARN) error {
	r, err := t.find(ctx, arn)
	if err != nil {
		return err
	}
	if err := t.addCount(ctx, r.ARN, -1); err != nil {
		return err
	}
	for _, v := range r.views() {
		if err := t.leave(ctx, v, r); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, `DELETE FROM record WHERE id = ?`, r.id); err != nil {
		return classify("deleting "+arn.String(), err)
	}
	return t.deleteExecutions(ctx, r.ARN)
}
