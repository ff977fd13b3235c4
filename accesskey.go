package ingot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"
)

// AccessKey signs requests in the name of a principal: a long-term one of a
// user, or a temporary one, a session, of a user or a role.
type AccessKey struct {
	ID       string // AKIA…, of a session ASIA…
	Secret   string // as signatures are made of it; the store's file is private
	Holder   PrincipalName
	Disabled bool // signs nothing until it is enabled again
	Created  time.Time

	// Of a session only. An expired one stays known for a day, so that its
	// requests hear that it has expired.
	Session string // its name
	Token   string
	Expires time.Time
}

// IsSession reports whether the key is temporary.
func (k AccessKey) IsSession() bool { return k.Token != "" }

// Bounds of keys and sessions. A key can be replaced while the other works.
const (
	maxAccessKeys    = 2 // of a user, as in the vendor's service
	maxSessions      = 100
	MinSession       = 15 * time.Minute
	MaxSession       = 12 * time.Hour
	sessionMemory    = 24 * time.Hour
	secretKeyBytes   = 30 // 40 characters, as clients expect
	sessionKeyBytes  = 96
	keyIDRandomChars = 16 // of 32: 80 bits
)

func newID(prefix string) string { return prefix + rand.Text()[:keyIDRandomChars] }

func newSecret(bytes int) string {
	secret := make([]byte, bytes)
	rand.Read(secret)
	return base64.StdEncoding.EncodeToString(secret)
}

// NewAccessKey makes a long-term key of a user.
func NewAccessKey(holder PrincipalName, now time.Time) AccessKey {
	return AccessKey{ID: newID("AKIA"), Secret: newSecret(secretKeyBytes), Holder: holder, Created: now}
}

// CreateAccessKey stores a new key of a user. The administrator's key is that
// of the credentials file and has no other beside it.
func CreateAccessKey(ctx context.Context, tx Tx, holder PrincipalName, now time.Time) (AccessKey, error) {
	if holder.Kind != PrincipalUser {
		return AccessKey{}, Errorf(CodeInvalid, "%s: only users have access keys; make a session of the role", holder)
	}
	if holder.Name == Administrator {
		return AccessKey{}, Errorf(CodeInvalid, "%s: its one key is in the credentials file; make another user", holder)
	}
	keys, err := liveKeys(ctx, tx, holder, now)
	if err != nil {
		return AccessKey{}, err
	}
	if len(keys.longTerm) >= maxAccessKeys {
		return AccessKey{}, Errorf(CodeQuota, "%s has %d access keys, which is the most it may have: remove one first", holder, len(keys.longTerm))
	}
	k := NewAccessKey(holder, now)
	return k, tx.PutAccessKey(ctx, k)
}

// CreateSession stores temporary credentials of a user or a role.
func CreateSession(ctx context.Context, tx Tx, holder PrincipalName, name string, life time.Duration, now time.Time) (AccessKey, error) {
	switch {
	case !principalName.MatchString(name) || len(name) < 2:
		return AccessKey{}, Errorf(CodeInvalid, "session name %q: it has 2 to 64 letters, digits and _+=,.@-", name)
	case life < MinSession || life > MaxSession:
		return AccessKey{}, Errorf(CodeInvalid, "session duration %s: a session lasts %s to %s", life, MinSession, MaxSession)
	}
	keys, err := liveKeys(ctx, tx, holder, now)
	if err != nil {
		return AccessKey{}, err
	}
	if keys.sessions >= maxSessions {
		return AccessKey{}, Errorf(CodeQuota, "%s has %d sessions, which is the most it may have: wait for one to end, or remove one", holder, keys.sessions)
	}
	if err := tx.DeleteSessions(ctx, now.Add(-sessionMemory)); err != nil {
		return AccessKey{}, err
	}
	k := AccessKey{
		ID: newID("ASIA"), Secret: newSecret(secretKeyBytes), Holder: holder, Created: now,
		Session: name, Token: newSecret(sessionKeyBytes), Expires: now.Add(life),
	}
	return k, tx.PutAccessKey(ctx, k)
}

// keysInUse are the keys of a principal that have not expired.
type keysInUse struct {
	longTerm []AccessKey
	sessions int
}

func liveKeys(ctx context.Context, r IdentityReader, holder PrincipalName, now time.Time) (keys keysInUse, err error) {
	if _, err := r.Principal(ctx, holder); err != nil {
		return keys, err
	}
	all, err := r.AccessKeys(ctx, holder)
	for _, k := range all {
		switch {
		case !k.IsSession():
			keys.longTerm = append(keys.longTerm, k)
		case now.Before(k.Expires):
			keys.sessions++
		}
	}
	return keys, err
}

// EnableAccessKey lets a key sign requests, or keeps it from it.
func EnableAccessKey(ctx context.Context, tx Tx, id string, enabled bool) error {
	k, err := tx.AccessKey(ctx, id)
	if err != nil {
		return err
	}
	k.Disabled = !enabled
	return tx.PutAccessKey(ctx, k)
}

// PutAdministrator makes the key of the credentials file the one key of the
// account's administrator, and makes account and user if they are new. A key
// that is known stays enabled or disabled.
func PutAdministrator(ctx context.Context, tx Tx, account string, k AccessKey) error {
	_, err := tx.Account(ctx, account)
	if ErrorCode(err) == CodeNotFound {
		err = CreateAccount(ctx, tx, Account{ID: account, Name: account, Created: k.Created})
	}
	if err != nil {
		return err
	}
	k.Holder = PrincipalName{Account: account, Kind: PrincipalUser, Name: Administrator}
	_, err = tx.Principal(ctx, k.Holder)
	if ErrorCode(err) == CodeNotFound {
		_, err = CreatePrincipal(ctx, tx, k.Holder, nil, k.Created)
	}
	if err != nil {
		return err
	}
	return replaceKeys(ctx, tx, k)
}

// replaceKeys leaves k as the one long-term key of its holder.
func replaceKeys(ctx context.Context, tx Tx, k AccessKey) error {
	have, err := tx.AccessKeys(ctx, k.Holder)
	if err != nil {
		return err
	}
	for _, old := range have {
		switch {
		case old.ID == k.ID:
			k.Disabled, k.Created = old.Disabled, old.Created
		case !old.IsSession():
			if err := tx.DeleteAccessKey(ctx, old.ID); err != nil {
				return err
			}
		}
	}
	return tx.PutAccessKey(ctx, k)
}
