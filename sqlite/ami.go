package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"ingot.dev/ingot"
)

// RegisterAMI implements ingot.AMIStore.
func (db *DB) RegisterAMI(ctx context.Context, ami ingot.AMI) error {
	data, err := json.Marshal(ami)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", ami.ID, err)
	}
	res, err := db.writes.exec(ctx, `INSERT INTO ami (id, account, region, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		ami.ID, ami.Account, ami.Region, string(data))
	if err != nil {
		return classify("registering "+ami.ID, err)
	}
	if n, err := res.RowsAffected(); n == 1 || err != nil {
		return err
	}
	known, err := db.findAMI(ctx, ami.Region, ami.ID)
	if err != nil {
		return err
	}
	if known.Snapshot != ami.Snapshot || known.Account != ami.Account {
		return ingot.Errorf(ingot.CodeExists, "The AMI '%s' already exists with the snapshot %s in %s.", ami.ID, known.Snapshot, known.Region)
	}
	return nil
}

// FindAMI implements ingot.AMIStore and ingot.Tx.
func (r reader) FindAMI(ctx context.Context, scope ingot.Scope, id string) (ingot.AMI, error) {
	ami, err := r.findAMI(ctx, scope.Region, id)
	if err != nil {
		return ingot.AMI{}, err
	}
	if !ami.UsableBy(scope.Account) {
		return ingot.AMI{}, amiNotFound(id)
	}
	return ami, nil
}

func amiNotFound(id string) error {
	return ingot.Errorf(ingot.CodeNotFound, "The AMI '%s' does not exist.", id)
}

func (r reader) findAMI(ctx context.Context, region, id string) (ami ingot.AMI, err error) {
	var data []byte
	err = r.scan(ctx, `SELECT document FROM ami WHERE region = ? AND id = ?`, []any{region, id}, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.AMI{}, amiNotFound(id)
	}
	if err != nil {
		return ingot.AMI{}, classify("reading "+id, err)
	}
	return ami, json.Unmarshal(data, &ami)
}

// FindAMINamed implements ingot.AMIStore.
func (db *DB) FindAMINamed(ctx context.Context, scope ingot.Scope, name string) (ingot.AMI, error) {
	list, err := documents[ingot.AMI](ctx, db.reader, `SELECT document FROM ami WHERE region = ? AND account = ? AND name = ?
		AND document ->> '$.Deregistered' IS NULL LIMIT 1`, scope.Region, scope.Account, name)
	if err == nil && len(list) == 0 {
		err = amiNotFound(name)
	}
	if err != nil {
		return ingot.AMI{}, err
	}
	return list[0], nil
}

// UpdateAMI implements ingot.AMIStore.
func (db *DB) UpdateAMI(ctx context.Context, scope ingot.Scope, id string, change func(*ingot.AMI)) error {
	return db.Write(ctx, func(t ingot.Tx) error {
		s := t.(tx)
		ami, err := s.findAMI(ctx, scope.Region, id)
		if err != nil {
			return err
		}
		if ami.Account != scope.Account || ami.Deregistered {
			return amiNotFound(id)
		}
		fixed := ami
		change(&ami)
		ami.Scope, ami.ID, ami.Snapshot = fixed.Scope, fixed.ID, fixed.Snapshot
		data, err := json.Marshal(ami)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", id, err)
		}
		_, err = s.exec(ctx, `UPDATE ami SET document = ? WHERE region = ? AND id = ?`, string(data), scope.Region, id)
		return classify("updating "+id, err)
	})
}

// ListAMIs implements ingot.AMIStore; it lists the scope's own, or those of all
// accounts if it names none, by id.
func (db *DB) ListAMIs(ctx context.Context, scope ingot.Scope) ([]ingot.AMI, error) {
	return documents[ingot.AMI](ctx, db.reader, `SELECT document FROM ami WHERE region = ?1 AND (account = ?2 OR ?2 = '') ORDER BY id`, scope.Region, scope.Account)
}

const amisOfSnapshot = `SELECT document FROM ami WHERE region = ? AND snapshot = ? LIMIT +?`

// AMIsOfSnapshot implements ingot.AMIStore.
func (db *DB) AMIsOfSnapshot(ctx context.Context, region, snapshot string, limit int) ([]ingot.AMI, error) {
	return documents[ingot.AMI](ctx, db.reader, amisOfSnapshot, region, snapshot, limit)
}

// DeleteAMI implements ingot.AMIStore.
func (db *DB) DeleteAMI(ctx context.Context, scope ingot.Scope, id string) (ami ingot.AMI, err error) {
	var data []byte
	err = db.writes.scan(ctx, `DELETE FROM ami WHERE region = ? AND id = ? AND account = ? RETURNING document`,
		[]any{scope.Region, id, scope.Account}, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.AMI{}, amiNotFound(id)
	}
	if err != nil {
		return ingot.AMI{}, classify("deleting "+id, err)
	}
	return ami, json.Unmarshal(data, &ami)
}
