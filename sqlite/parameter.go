package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"ingot.dev/ingot"
)

// PutParameter implements ingot.ParameterStore.
func (db *DB) PutParameter(ctx context.Context, p ingot.Parameter) (ingot.Parameter, error) {
	stored := p
	err := db.Write(ctx, func(t ingot.Tx) error {
		s := t.(tx)
		known, err := s.parameter(ctx, p.Scope, p.Name)
		switch {
		case ingot.ErrorCode(err) == ingot.CodeNotFound:
		case err != nil:
			return err
		case known.Value == p.Value && known.DataType == p.DataType:
			stored = known
			return nil
		}
		stored.Version = known.Version + 1
		return s.putParameter(ctx, stored)
	})
	return stored, err
}

func (t tx) putParameter(ctx context.Context, p ingot.Parameter) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding parameter %s: %w", p.Name, err)
	}
	_, err = t.exec(ctx, `INSERT INTO parameter (region, account, name, document) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET document = excluded.document`, p.Region, p.Account, p.Name, string(data))
	return classify("saving parameter "+p.Name, err)
}

// FindParameter implements ingot.ParameterStore.
func (db *DB) FindParameter(ctx context.Context, scope ingot.Scope, name string) (ingot.Parameter, error) {
	p, err := db.parameter(ctx, scope, name)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		if managed, err := db.parameter(ctx, ingot.Scope{Account: ingot.ManagedAccount, Region: scope.Region}, name); err == nil {
			return managed, nil
		}
	}
	return p, err
}

// parameter finds one of the scope's own.
func (r reader) parameter(ctx context.Context, scope ingot.Scope, name string) (p ingot.Parameter, err error) {
	var data []byte
	err = r.scan(ctx, `SELECT document FROM parameter WHERE region = ? AND account = ? AND name = ?`,
		[]any{scope.Region, scope.Account, name}, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return p, parameterNotFound(scope, name)
	}
	if err != nil {
		return p, classify("reading parameter "+name, err)
	}
	return p, json.Unmarshal(data, &p)
}

func parameterNotFound(scope ingot.Scope, name string) error {
	return ingot.Errorf(ingot.CodeNotFound, "The parameter '%s' does not exist in %s of account %s.", name, scope.Region, scope.Account)
}

// ListParameters implements ingot.ParameterStore.
func (db *DB) ListParameters(ctx context.Context, scope ingot.Scope, after string, limit int) ([]ingot.Parameter, error) {
	return documents[ingot.Parameter](ctx, db.reader,
		`SELECT document FROM parameter WHERE region = ? AND account = ? AND name > ? ORDER BY name LIMIT +?`,
		scope.Region, scope.Account, after, limit)
}

// DeleteParameter implements ingot.ParameterStore.
func (db *DB) DeleteParameter(ctx context.Context, scope ingot.Scope, name string) error {
	res, err := db.writes.exec(ctx, `DELETE FROM parameter WHERE region = ? AND account = ? AND name = ?`, scope.Region, scope.Account, name)
	if err != nil {
		return classify("deleting parameter "+name, err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return parameterNotFound(scope, name)
}
