package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"ingot.dev/ingot"
)

// isWhole tells whether q selects all records of its kind, which are counted
// as they come and go: quotas are checked at each create, and may be large.
func isWhole(q ingot.Query) bool {
	return len(q.Filters) == 0 && q.Under.Name == "" && q.After == "" && q.Shared == "" && q.Collapse == ingot.Builds && !q.Newest
}

func (s reader) countKind(ctx context.Context, scope ingot.Scope, kind ingot.Kind) (n int, err error) {
	err = s.scan(ctx, `SELECT records FROM record_count WHERE scope = ? AND kind = ?`, []any{ownView(scope).scope, string(kind)}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, classify("counting "+string(kind), err)
}

// addCount counts a record of arn's kind in or out.
func (t tx) addCount(ctx context.Context, arn ingot.ARN, change int) error {
	_, err := t.exec(ctx, `INSERT INTO record_count (scope, kind, records) VALUES (?, ?, ?)
		ON CONFLICT (scope, kind) DO UPDATE SET records = records + excluded.records`,
		ownView(arn.Scope()).scope, string(arn.Kind), change)
	return classify("counting "+arn.String(), err)
}
