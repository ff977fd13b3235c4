package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"ingot.dev/ingot"
)

// Account implements ingot.AccountReader.
func (s reader) Account(ctx context.Context, id string) (ingot.Account, error) {
	a, created := ingot.Account{ID: id}, int64(0)
	err := s.scan(ctx, `SELECT name, created FROM account WHERE id = ?`, []any{id}, &a.Name, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.Account{}, ingot.Errorf(ingot.CodeNotFound, "account %s does not exist", id)
	}
	a.Created = time.Unix(0, created).UTC()
	return a, classify("reading account "+id, err)
}

// Accounts implements ingot.AccountReader.
func (s reader) Accounts(ctx context.Context) (list []ingot.Account, err error) {
	err = s.each(ctx, `SELECT id, name, created FROM account ORDER BY id`, nil, func(rows *sql.Rows) error {
		var a ingot.Account
		var created int64
		err := rows.Scan(&a.ID, &a.Name, &created)
		a.Created = time.Unix(0, created).UTC()
		list = append(list, a)
		return err
	})
	return list, classify("listing accounts", err)
}

// CreateAccount implements ingot.IdentityWriter.
func (t tx) CreateAccount(ctx context.Context, a ingot.Account) error {
	_, err := t.exec(ctx, `INSERT INTO account (id, name, created) VALUES (?, ?, ?)`, a.ID, a.Name, a.Created.UnixNano())
	if isTaken(err) {
		return ingot.Errorf(ingot.CodeExists, "an account with the id %s or the name %s already exists", a.ID, a.Name)
	}
	return classify("storing account "+a.ID, err)
}
