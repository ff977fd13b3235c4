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

// FindAMI implements ingot.AMIStore.
func (db *DB) FindAMI(ctx context.Context, scope ingot.Scope, id string) (ingot.AMI, error) {
	ami, err := db.findAMI(ctx, scope.Region, id)
	if err != nil {
		return ingot.AMI{}, err
	}
	if ami.Account != scope.Account && ami.Account != ingot.ManagedAccount {
		return ingot.AMI{}, amiNotFound(id)
	}
	return ami, nil
}

func amiNotFound(id string) error {
	return ingot.Errorf(ingot.CodeNotFound, "The AMI '%s' does not exist.", id)
}

func (db *DB) findAMI(ctx context.Context, region, id string) (ami ingot.AMI, err error) {
	var data []byte
	err = db.scan(ctx, `SELECT document FROM ami WHERE region = ? AND id = ?`, []any{region, id}, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.AMI{}, amiNotFound(id)
	}
	if err != nil {
		return ingot.AMI{}, classify("reading "+id, err)
	}
	return ami, json.Unmarshal(data, &ami)
}

// ListAMIs implements ingot.AMIStore; it lists the scope's own, or those of all
// accounts if it names none, by id.
func (db *DB) ListAMIs(ctx context.Context, scope ingot.Scope) ([]ingot.AMI, error) {
	return documents[ingot.AMI](ctx, db.reader, `SELECT document FROM ami WHERE region = ?1 AND (account = ?2 OR ?2 = '') ORDER BY id`, scope.Region, scope.Account)
}

// DeleteAMI implements ingot.AMIStore.
func (db *DB) DeleteAMI(ctx context.Context, scope ingot.Scope, id string) error {
	res, err := db.writes.exec(ctx, `DELETE FROM ami WHERE region = ? AND id = ? AND account = ?`, scope.Region, id, scope.Account)
	if err != nil {
		return classify("deleting "+id, err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return amiNotFound(id)
	}
	return err
}
