package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ingot.dev/ingot"
)

const duesQuery = `SELECT record.arn, due.at FROM due JOIN record ON record.id = due.record ORDER BY due.at LIMIT +?`

// Dues implements ingot.ScheduleReader.
func (s reader) Dues(ctx context.Context, limit int) (list []ingot.Due, err error) {
	err = s.each(ctx, duesQuery, []any{limit}, func(rows *sql.Rows) error {
		var text string
		var at int64
		if err := rows.Scan(&text, &at); err != nil {
			return err
		}
		arn, err := ingot.ParseARN(text)
		list = append(list, ingot.Due{Pipeline: arn, At: instant(at)})
		return err
	})
	return list, classify("listing what is due", err)
}

// Due implements ingot.ScheduleReader.
func (s reader) Due(ctx context.Context, pipeline ingot.ARN) (ingot.Due, error) {
	var at int64
	err := s.scan(ctx, `SELECT due.at FROM record JOIN due ON due.record = record.id WHERE record.key = ?`, []any{pipeline.Key()}, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.Due{}, ingot.Errorf(ingot.CodeNotFound, "The pipeline '%s' does not run by itself.", pipeline)
	}
	return ingot.Due{Pipeline: pipeline, At: instant(at)}, classify("reading when "+pipeline.String()+" is due", err)
}

// instant is the time of a column, of which 0 is none.
func instant(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}

// PutDue implements ingot.ScheduleWriter.
func (t tx) PutDue(ctx context.Context, d ingot.Due) error {
	at := int64(0)
	if !d.At.IsZero() {
		at = d.At.UnixNano()
	}
	res, err := t.exec(ctx, `INSERT INTO due (record, at) SELECT id, ? FROM record WHERE key = ?
		ON CONFLICT (record) DO UPDATE SET at = excluded.at`, at, d.Pipeline.Key())
	if err != nil {
		return classify("setting when "+d.Pipeline.String()+" is due", err)
	}
	return foundRow(res, d.Pipeline)
}

// DeleteDue implements ingot.ScheduleWriter.
func (t tx) DeleteDue(ctx context.Context, pipeline ingot.ARN) error {
	_, err := t.exec(ctx, `DELETE FROM due WHERE record = (SELECT id FROM record WHERE key = ?)`, pipeline.Key())
	return classify("clearing when "+pipeline.String()+" is due", err)
}

const ticksQuery = `SELECT document FROM tick WHERE record = (SELECT id FROM record WHERE key = ?) ORDER BY at DESC LIMIT +?`

// Ticks implements ingot.ScheduleReader.
func (s reader) Ticks(ctx context.Context, pipeline ingot.ARN, limit int) ([]ingot.Tick, error) {
	return documents[ingot.Tick](ctx, s, ticksQuery, pipeline.Key(), limit)
}

// oldTicks are those of a pipeline that its newest ones have pushed out.
const oldTicks = `DELETE FROM tick WHERE record = ?1
	AND at <= (SELECT at FROM tick WHERE record = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)`

// PutTick implements ingot.ScheduleWriter.
func (t tx) PutTick(ctx context.Context, pipeline ingot.ARN, k ingot.Tick) error {
	data, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encoding a tick of %s: %w", pipeline, err)
	}
	var record int64
	err = t.scan(ctx, `SELECT id FROM record WHERE key = ?`, []any{pipeline.Key()}, &record)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.NotFound(pipeline)
	}
	if err != nil {
		return classify("recording a tick of "+pipeline.String(), err)
	}
	if _, err := t.exec(ctx, `INSERT INTO tick (record, at, document) VALUES (?, ?, ?)
		ON CONFLICT (record, at) DO UPDATE SET document = excluded.document`, record, k.At.UnixNano(), string(data)); err != nil {
		return classify("recording a tick of "+pipeline.String(), err)
	}
	_, err = t.exec(ctx, oldTicks, record, ingot.KeptTicks)
	return classify("forgetting old ticks of "+pipeline.String(), err)
}

const linesQuery = `SELECT id, account, region, log_group, stream, line FROM log_line ORDER BY id LIMIT +?`

// LogLines implements ingot.ScheduleReader.
func (s reader) LogLines(ctx context.Context, limit int) (list []ingot.LogLine, err error) {
	err = s.each(ctx, linesQuery, []any{limit}, func(rows *sql.Rows) error {
		var l ingot.LogLine
		err := rows.Scan(&l.Order, &l.Stream.Account, &l.Stream.Region, &l.Stream.Group, &l.Stream.Name, &l.Text)
		list = append(list, l)
		return err
	})
	return list, classify("listing lines of logs", err)
}

// PutLogLine implements ingot.ScheduleWriter.
func (t tx) PutLogLine(ctx context.Context, l ingot.LogStream, text string) error {
	_, err := t.exec(ctx, `INSERT INTO log_line (account, region, log_group, stream, line) VALUES (?, ?, ?, ?, ?)`,
		l.Account, l.Region, l.Group, l.Name, text)
	return classify("keeping a line of log group "+l.Group, err)
}

// DeleteLogLines implements ingot.ScheduleWriter.
func (t tx) DeleteLogLines(ctx context.Context, last int64) error {
	_, err := t.exec(ctx, `DELETE FROM log_line WHERE id <= ?`, last)
	return classify("forgetting lines of logs", err)
}
