package sqlite

import (
	"context"
	"database/sql"
	"time"

	"ingot.dev/ingot"
)

// AccessKey implements ingot.IdentityReader.
func (s reader) AccessKey(ctx context.Context, id string) (ingot.AccessKey, error) {
	list, err := s.accessKeys(ctx, `id = ?`, id)
	if err == nil && len(list) == 0 {
		return ingot.AccessKey{}, ingot.Errorf(ingot.CodeNotFound, "access key %s does not exist", id)
	}
	if err != nil {
		return ingot.AccessKey{}, err
	}
	return list[0], nil
}

// AccessKeys implements ingot.IdentityReader.
func (s reader) AccessKeys(ctx context.Context, holder ingot.PrincipalName) ([]ingot.AccessKey, error) {
	return s.accessKeys(ctx, `account = ? AND kind = ? AND principal = ? ORDER BY id`, holder.Account, holder.Kind, holder.Name)
}

func (s reader) accessKeys(ctx context.Context, condition string, args ...any) (list []ingot.AccessKey, err error) {
	err = s.each(ctx, `SELECT id, secret, account, kind, principal, disabled, created, session, token, expires
		FROM access_key WHERE `+condition, args, func(rows *sql.Rows) error {
		var k ingot.AccessKey
		var created, expires int64
		err := rows.Scan(&k.ID, &k.Secret, &k.Holder.Account, &k.Holder.Kind, &k.Holder.Name, &k.Disabled,
			&created, &k.Session, &k.Token, &expires)
		k.Created = time.Unix(0, created).UTC()
		if expires != 0 {
			k.Expires = time.Unix(0, expires).UTC()
		}
		list = append(list, k)
		return err
	})
	return list, classify("reading access keys", err)
}

// PutAccessKey implements ingot.IdentityWriter.
func (t tx) PutAccessKey(ctx context.Context, k ingot.AccessKey) error {
	if _, err := t.Principal(ctx, k.Holder); err != nil {
		return err
	}
	expires := int64(0)
	if !k.Expires.IsZero() {
		expires = k.Expires.UnixNano()
	}
	_, err := t.exec(ctx, `INSERT OR REPLACE INTO access_key
		(id, secret, account, kind, principal, disabled, created, session, token, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k.ID, k.Secret, k.Holder.Account, k.Holder.Kind, k.Holder.Name, k.Disabled, k.Created.UnixNano(), k.Session, k.Token, expires)
	return t.identityChanged("storing access key "+k.ID, err)
}

// DeleteAccessKey implements ingot.IdentityWriter.
func (t tx) DeleteAccessKey(ctx context.Context, id string) error {
	res, err := t.exec(ctx, `DELETE FROM access_key WHERE id = ?`, id)
	return t.identityDeleted(res, err, "access key "+id)
}

// DeleteSessions implements ingot.IdentityWriter.
func (t tx) DeleteSessions(ctx context.Context, before time.Time) error {
	_, err := t.exec(ctx, `DELETE FROM access_key WHERE expires > 0 AND expires < ?`, before.UnixNano())
	return t.identityChanged("removing expired sessions", err)
}
