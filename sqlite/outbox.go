package sqlite

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"ingot.dev/ingot"
)

// PutMessage implements ingot.MessageWriter.
func (t tx) PutMessage(ctx context.Context, m ingot.Message) error {
	_, err := t.exec(ctx, `INSERT INTO message (uuid, channel, name, about, subject, created, body) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		m.ID, string(m.Channel), m.Name, m.About, m.Subject, m.Time.UnixNano(), string(m.Body))
	*t.told = true
	return classify("storing a message about "+m.About, err)
}

// Written implements ingot.Outbox.
func (db *DB) Written() <-chan struct{} { return db.written }

func (db *DB) wake() {
	select {
	case db.written <- struct{}{}:
	default: // it is known already
	}
}

const messageColumns = `message.uuid, message.channel, message.name, message.about, message.subject, message.created, message.body`

// scanMessage reads messageColumns, and after them what more is given.
func scanMessage(rows *sql.Rows, m *ingot.Message, more ...any) error {
	var created int64
	var body []byte
	err := rows.Scan(append([]any{&m.ID, &m.Channel, &m.Name, &m.About, &m.Subject, &created, &body}, more...)...)
	m.Time, m.Body = time.Unix(0, created).UTC(), body
	return err
}

const newMessages = `SELECT ` + messageColumns + `, id FROM message WHERE open IS NULL ORDER BY id LIMIT +?`

// RouteMessages implements ingot.Outbox.
func (db *DB) RouteMessages(ctx context.Context, limit int, now time.Time, route func(ingot.Message) []string) (n int, err error) {
	err = db.Write(ctx, func(w ingot.Tx) error {
		t := w.(tx)
		messages, err := t.messages(ctx, newMessages, limit)
		for _, m := range messages {
			if err := t.route(ctx, m, now, route(m.Message)); err != nil {
				return err
			}
		}
		n = len(messages)
		return err
	})
	return n, err
}

func (s reader) messages(ctx context.Context, text string, args ...any) (list []ingot.StoredMessage, err error) {
	err = s.each(ctx, text, args, func(rows *sql.Rows) error {
		m := ingot.StoredMessage{Open: -1}
		defer func() { list = append(list, m) }()
		return scanMessage(rows, &m.Message, &m.Row)
	})
	return list, classify("reading messages", err)
}

func (t tx) route(ctx context.Context, m ingot.StoredMessage, now time.Time, endpoints []string) error {
	endpoints = slices.Compact(slices.Sorted(slices.Values(endpoints)))
	for _, e := range endpoints {
		if err := t.deliver(ctx, m.Row, e, m.About, now); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `UPDATE message SET open = ?, settled = ? WHERE id = ?`, len(endpoints), now.UnixNano(), m.Row)
	return classify("routing a message", err)
}

// deliver puts a delivery at the end of its line.
func (t tx) deliver(ctx context.Context, message int64, endpoint, about string, now time.Time) error {
	_, err := t.exec(ctx, `INSERT INTO delivery (message, endpoint, about, attempts, due, problem)
		SELECT ?1, ?2, ?3, 0, CASE WHEN EXISTS (`+firstInLine+`) THEN NULL ELSE ?4 END, ''`, message, endpoint, about, now.UnixNano())
	return classify("storing a delivery to "+endpoint, err)
}

// firstInLine is the first delivery to endpoint ?2 about ?3.
const firstInLine = `SELECT id FROM delivery WHERE endpoint = ?2 AND about = ?3 AND died IS NULL ORDER BY id LIMIT 1`

const (
	deliveryColumns = messageColumns + `, delivery.id, delivery.endpoint, delivery.attempts,
		coalesce(delivery.due, 0), coalesce(delivery.died, 0), delivery.problem`
	deliveryTables = ` FROM delivery JOIN message ON message.id = delivery.message `

	dueDeliveries = `SELECT ` + deliveryColumns + deliveryTables +
		`WHERE delivery.endpoint = ? AND delivery.due IS NOT NULL ORDER BY delivery.due, delivery.id LIMIT +?`
	aliveDeliveries = `SELECT ` + deliveryColumns + deliveryTables +
		`WHERE delivery.died IS NULL AND delivery.id < ? ORDER BY delivery.id DESC LIMIT +?`
	deadDeliveries = `SELECT ` + deliveryColumns + deliveryTables +
		`WHERE delivery.died IS NOT NULL AND delivery.id < ? ORDER BY delivery.id DESC LIMIT +?`
)

// DueDeliveries implements ingot.Outbox.
func (db *DB) DueDeliveries(ctx context.Context, endpoint string, limit int) ([]ingot.Delivery, error) {
	return db.deliveries(ctx, dueDeliveries, endpoint, limit)
}

// Deliveries implements ingot.Outbox.
func (db *DB) Deliveries(ctx context.Context, dead bool, before int64, limit int) ([]ingot.Delivery, error) {
	text := aliveDeliveries
	if dead {
		text = deadDeliveries
	}
	return db.deliveries(ctx, text, orMax(before), limit)
}

// orMax is the place before which a list begins.
func orMax(before int64) int64 {
	if before == 0 {
		return math.MaxInt64
	}
	return before
}

func (s reader) deliveries(ctx context.Context, text string, args ...any) (list []ingot.Delivery, err error) {
	err = s.each(ctx, text, args, func(rows *sql.Rows) error {
		var d ingot.Delivery
		var due, died int64
		if err := scanMessage(rows, &d.Message, &d.ID, &d.Endpoint, &d.Attempts, &due, &died, &d.Problem); err != nil {
			return err
		}
		d.Due, d.Died = timeOf(due), timeOf(died)
		list = append(list, d)
		return nil
	})
	return list, classify("reading deliveries", err)
}

// timeOf is a stored time; 0 is none.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Backlog implements ingot.Outbox. The numbers are kept by triggers.
func (db *DB) Backlog(ctx context.Context) (b ingot.Backlog, err error) {
	err = db.scan(ctx, `SELECT waiting, dead FROM delivery_count`, nil, &b.Waiting, &b.Dead)
	return b, classify("counting deliveries", err)
}

const messagesBefore = `SELECT ` + messageColumns + `, id, coalesce(open, -1) FROM message WHERE id < ? ORDER BY id DESC LIMIT +?`

// Messages implements ingot.Outbox.
func (db *DB) Messages(ctx context.Context, before int64, limit int) (list []ingot.StoredMessage, err error) {
	err = db.each(ctx, messagesBefore, []any{orMax(before), limit}, func(rows *sql.Rows) error {
		var m ingot.StoredMessage
		defer func() { list = append(list, m) }()
		return scanMessage(rows, &m.Message, &m.Row, &m.Open)
	})
	return list, classify("reading messages", err)
}

// Endpoints implements ingot.Outbox. It jumps from one to the next in the index.
func (db *DB) Endpoints(ctx context.Context) (list []string, err error) {
	var next sql.NullString
	for last := ""; ; last = next.String {
		err := db.scan(ctx, `SELECT min(endpoint) FROM delivery WHERE due IS NOT NULL AND endpoint > ?`, []any{last}, &next)
		if err != nil || !next.Valid {
			return list, classify("listing endpoints", err)
		}
		list = append(list, next.String)
	}
}

// SettleDeliveries implements ingot.Outbox.
func (db *DB) SettleDeliveries(ctx context.Context, outcomes []ingot.Outcome) error {
	return db.Write(ctx, func(w ingot.Tx) error {
		for _, o := range outcomes {
			if err := w.(tx).settle(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t tx) settle(ctx context.Context, o ingot.Outcome) error {
	if !o.Delivered && !o.Retry.IsZero() {
		_, err := t.exec(ctx, `UPDATE delivery SET attempts = attempts + 1, due = ?, problem = ? WHERE id = ? AND died IS NULL`,
			o.Retry.UnixNano(), o.Problem, o.ID)
		return classify("recording a delivery", err)
	}
	message, endpoint, about, err := t.conclude(ctx, o)
	if err != nil || message == 0 {
		return err
	}
	if o.Delivered {
		if err := t.countDown(ctx, message, o.Time.UnixNano()); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, `UPDATE delivery SET due = ?1 WHERE id = (`+firstInLine+`) AND due IS NULL`, o.Time.UnixNano(), endpoint, about)
	return classify("making a delivery due", err)
}

// conclude takes a delivery out of its line. The message is 0 when it was in none.
func (t tx) conclude(ctx context.Context, o ingot.Outcome) (message int64, endpoint, about string, err error) {
	text, args := `DELETE FROM delivery WHERE id = ? AND died IS NULL RETURNING message, endpoint, about`, []any{o.ID}
	if !o.Delivered {
		text = `UPDATE delivery SET attempts = attempts + 1, due = NULL, died = ?, problem = ?
			WHERE id = ? AND died IS NULL RETURNING message, endpoint, about`
		args = []any{o.Time.UnixNano(), o.Problem, o.ID}
	}
	err = t.each(ctx, text, args, func(rows *sql.Rows) error { return rows.Scan(&message, &endpoint, &about) })
	return message, endpoint, about, classify("recording a delivery", err)
}

// countDown counts a delivery of a message that is over, at a time in nanoseconds.
func (t tx) countDown(ctx context.Context, message, at int64) error {
	_, err := t.exec(ctx, `UPDATE message SET open = open - 1, settled = max(settled, ?) WHERE id = ?`, at, message)
	return classify("recording a delivery", err)
}

// RetryDelivery implements ingot.Outbox.
func (db *DB) RetryDelivery(ctx context.Context, id int64, now time.Time) error {
	return db.Write(ctx, func(w ingot.Tx) error {
		t := w.(tx)
		var message int64
		var endpoint, about string
		err := t.each(ctx, `DELETE FROM delivery WHERE id = ? AND died IS NOT NULL RETURNING message, endpoint, about`, []any{id},
			func(rows *sql.Rows) error { return rows.Scan(&message, &endpoint, &about) })
		if err != nil {
			return classify("reviving a delivery", err)
		}
		if message == 0 {
			return ingot.Errorf(ingot.CodeNotFound, "There is no dead delivery %d.", id)
		}
		*t.told = true
		return t.deliver(ctx, message, endpoint, about, now)
	})
}

const (
	deliveriesThatDied = `SELECT id FROM delivery WHERE died IS NOT NULL AND died < ? ORDER BY died LIMIT +?`
	messagesSettled    = `SELECT id FROM message WHERE open = 0 AND settled < ? ORDER BY settled LIMIT +?`
)

// DropMessages implements ingot.Outbox.
func (db *DB) DropMessages(ctx context.Context, delivered, died time.Time, limit int) (n int, err error) {
	err = db.Write(ctx, func(w ingot.Tx) error {
		t := w.(tx)
		var messages []int64
		err := t.each(ctx, `DELETE FROM delivery WHERE id IN (`+deliveriesThatDied+`) RETURNING message`, []any{died.UnixNano(), limit},
			func(rows *sql.Rows) error {
				messages = append(messages, 0)
				return rows.Scan(&messages[len(messages)-1])
			})
		if err != nil {
			return classify("dropping dead deliveries", err)
		}
		for _, m := range messages {
			if err := t.countDown(ctx, m, 0); err != nil {
				return err
			}
		}
		res, err := t.exec(ctx, `DELETE FROM message WHERE id IN (`+messagesSettled+`)`, delivered.UnixNano(), limit-len(messages))
		if err != nil {
			return classify("dropping messages", err)
		}
		dropped, err := res.RowsAffected()
		n = len(messages) + int(dropped)
		return err
	})
	return n, err
}
