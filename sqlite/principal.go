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

// Principal implements ingot.IdentityReader.
func (s reader) Principal(ctx context.Context, name ingot.PrincipalName) (ingot.Principal, error) {
	list, err := s.principals(ctx, `AND name = ?`, name.Account, name.Kind, name.Name)
	if err == nil && len(list) == 0 {
		return ingot.Principal{}, ingot.Errorf(ingot.CodeNotFound, "%s does not exist", name)
	}
	if err != nil {
		return ingot.Principal{}, err
	}
	return list[0], nil
}

// Principals implements ingot.IdentityReader.
func (s reader) Principals(ctx context.Context, account string, kind ingot.PrincipalKind) ([]ingot.Principal, error) {
	return s.principals(ctx, `ORDER BY name`, account, kind)
}

func (s reader) principals(ctx context.Context, rest string, args ...any) (list []ingot.Principal, err error) {
	err = s.each(ctx, `SELECT account, kind, name, id, tags, created FROM principal WHERE account = ? AND kind = ? `+rest, args, func(rows *sql.Rows) error {
		var p ingot.Principal
		var tagged []byte
		var created int64
		if err := rows.Scan(&p.Account, &p.Kind, &p.Name, &p.ID, &tagged, &created); err != nil {
			return err
		}
		p.Created = time.Unix(0, created).UTC()
		list = append(list, p)
		return json.Unmarshal(tagged, &list[len(list)-1].Tags)
	})
	return list, classify("reading principals", err)
}

// CreatePrincipal implements ingot.IdentityWriter.
func (t tx) CreatePrincipal(ctx context.Context, p ingot.Principal) error {
	if _, err := t.Account(ctx, p.Account); err != nil {
		return err
	}
	tagged, err := json.Marshal(orEmpty(p.Tags))
	if err != nil {
		return fmt.Errorf("encoding the tags of %s: %w", p.PrincipalName, err)
	}
	_, err = t.exec(ctx, `INSERT INTO principal (account, kind, name, id, tags, created) VALUES (?, ?, ?, ?, ?, ?)`,
		p.Account, p.Kind, p.Name, p.ID, string(tagged), p.Created.UnixNano())
	if isTaken(err) {
		return ingot.Errorf(ingot.CodeExists, "%s already exists", p.PrincipalName)
	}
	return t.identityChanged("storing "+p.PrincipalName.String(), err)
}

// DeletePrincipal implements ingot.IdentityWriter. Its keys and policies go by
// their foreign keys.
func (t tx) DeletePrincipal(ctx context.Context, name ingot.PrincipalName) error {
	res, err := t.exec(ctx, `DELETE FROM principal WHERE account = ? AND kind = ? AND name = ?`, name.Account, name.Kind, name.Name)
	return t.identityDeleted(res, err, name.String())
}

// IdentityPolicies implements ingot.IdentityReader.
func (s reader) IdentityPolicies(ctx context.Context, of ingot.PrincipalName) (list []ingot.IdentityPolicy, err error) {
	err = s.each(ctx, `SELECT name, document FROM identity_policy WHERE account = ? AND kind = ? AND principal = ? ORDER BY name`,
		[]any{of.Account, of.Kind, of.Name}, func(rows *sql.Rows) error {
			var p ingot.IdentityPolicy
			err := rows.Scan(&p.Name, &p.Document)
			list = append(list, p)
			return err
		})
	return list, classify("reading the policies of "+of.String(), err)
}

// PutIdentityPolicy implements ingot.IdentityWriter.
func (t tx) PutIdentityPolicy(ctx context.Context, of ingot.PrincipalName, p ingot.IdentityPolicy) error {
	_, err := t.exec(ctx, `INSERT INTO identity_policy (account, kind, principal, name, document) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account, kind, principal, name) DO UPDATE SET document = excluded.document`,
		of.Account, of.Kind, of.Name, p.Name, p.Document)
	return t.identityChanged("storing the policy "+p.Name, err)
}

// DeleteIdentityPolicy implements ingot.IdentityWriter.
func (t tx) DeleteIdentityPolicy(ctx context.Context, of ingot.PrincipalName, name string) error {
	res, err := t.exec(ctx, `DELETE FROM identity_policy WHERE account = ? AND kind = ? AND principal = ? AND name = ?`,
		of.Account, of.Kind, of.Name, name)
	return t.identityDeleted(res, err, fmt.Sprintf("policy %s of %s", name, of))
}

// identityChanged ends a statement that changes what a request may do: what
// was read before is out of date when the transaction is committed.
func (t tx) identityChanged(doing string, err error) error {
	*t.identity = true
	return classify(doing, err)
}

// identityDeleted is identityChanged of a deletion, which must have found its row.
func (t tx) identityDeleted(res sql.Result, err error, what string) error {
	if err := t.identityChanged("deleting "+what, err); err != nil {
		return err
	}
	n, err := res.RowsAffected()
	return errors.Join(err, missing(n, what))
}

func missing(n int64, what string) error {
	if n > 0 {
		return nil
	}
	return ingot.Errorf(ingot.CodeNotFound, "%s does not exist", what)
}
