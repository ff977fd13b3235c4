package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"ingot.dev/ingot"
)

// FindToken implements ingot.TokenStore.
func (t tx) FindToken(ctx context.Context, key ingot.TokenKey, now time.Time) (ingot.TokenResponse, error) {
	var r ingot.TokenResponse
	var response []byte
	var expires int64
	err := t.scan(ctx, `SELECT digest, response, expires FROM token
		WHERE account = ? AND region = ? AND operation = ? AND token = ? AND expires > ?`,
		[]any{key.Account, key.Region, key.Operation, key.Token, now.UnixNano()}, &r.Digest, &response, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return ingot.TokenResponse{}, ingot.Errorf(ingot.CodeNotFound, "The client token '%s' is unknown or has expired.", key.Token)
	}
	r.Response, r.Expires = response, time.Unix(0, expires).UTC()
	return r, classify("reading a client token", err)
}

// expiredPerSave bounds what one request cleans up; it is more than it adds.
const expiredPerSave = 16

// SaveToken implements ingot.TokenStore.
func (t tx) SaveToken(ctx context.Context, key ingot.TokenKey, r ingot.TokenResponse, now time.Time) error {
	_, err := t.exec(ctx, `DELETE FROM token WHERE (account, region, operation, token) IN
		(SELECT account, region, operation, token FROM token WHERE expires <= ? LIMIT +?)`, now.UnixNano(), expiredPerSave)
	if err != nil {
		return classify("dropping expired client tokens", err)
	}
	_, err = t.exec(ctx, `INSERT OR REPLACE INTO token (account, region, operation, token, digest, response, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, key.Account, key.Region, key.Operation, key.Token, r.Digest, string(r.Response), r.Expires.UnixNano())
	return classify("saving a client token", err)
}
