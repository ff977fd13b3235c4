package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ingot.dev/ingot"
)

// LifecycleExecution implements ingot.LifecycleReader.
func (s reader) LifecycleExecution(ctx context.Context, id string) (ingot.LifecycleExecution, error) {
	return document[ingot.LifecycleExecution](ctx, s, `SELECT document FROM lifecycle_execution WHERE id = ?`, id, "lifecycle execution")
}

// The executions of a policy, and those that list an image, in the range of a page.
const (
	executionsOfPolicy = `SELECT document FROM lifecycle_execution
		WHERE policy = ? AND (started, id) < (?, ?) ORDER BY started DESC, id DESC LIMIT +?`
	executionsOfImage = `SELECT e.document FROM lifecycle_resource AS r JOIN lifecycle_execution AS e ON e.id = r.execution
		WHERE r.resource = ? AND (r.started, r.execution) < (?, ?) ORDER BY r.started DESC, r.execution DESC LIMIT +?`
)

// LifecycleExecutions implements ingot.LifecycleReader. The key of a page is
// the start time and id of its last entry.
func (s reader) LifecycleExecutions(ctx context.Context, of ingot.ARN, after string, limit int) ([]ingot.LifecycleExecution, string, error) {
	text := executionsOfImage
	if of.Kind == ingot.KindLifecycle {
		text = executionsOfPolicy
	}
	start, id, _ := strings.Cut(after, " ")
	started, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		started = 1 << 62 // later than every time
	}
	list, err := documents[ingot.LifecycleExecution](ctx, s, text, of.Key(), started, id, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	last := list[limit-1]
	return list[:limit], strconv.FormatInt(startOf(last), 10) + " " + last.LifecycleExecutionId, nil
}

// startOf is the start of an execution in milliseconds since 1970.
func startOf(e ingot.LifecycleExecution) int64 {
	if e.StartTime == nil {
		return 0
	}
	return e.StartTime.Time().UnixMilli()
}

const resourcesOfExecution = `SELECT document FROM lifecycle_resource
	WHERE execution = ? AND parent = ? AND resource > ? ORDER BY resource LIMIT +?`

// LifecycleResources implements ingot.LifecycleReader. The key of a page is
// the place of its last entry.
func (s reader) LifecycleResources(ctx context.Context, execution string, parent ingot.ARN, after string, limit int) ([]ingot.LifecycleResource, string, error) {
	of := ""
	if parent.Name != "" {
		of = parent.Key()
	}
	list, err := documents[ingot.LifecycleResource](ctx, s, resourcesOfExecution, execution, of, after, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	_, next, err := placeOf(list[limit-1])
	return list[:limit], next, err
}

// placeOf is where a resource stands in the list of its execution.
func placeOf(r ingot.LifecycleResource) (parent, resource string, err error) {
	if r.Parent == "" {
		image, err := ingot.ParseARN(r.ResourceId)
		if err != nil {
			return "", "", err
		}
		return "", image.Key(), nil
	}
	image, err := ingot.ParseARN(r.Parent)
	if err != nil {
		return "", "", err
	}
	return image.Key(), strings.Join([]string{r.Region, r.AccountId, r.ResourceId}, " "), nil
}

// The executions that are acting on a policy's images, and on an image.
const (
	activeOfPolicy = `SELECT id FROM lifecycle_execution WHERE policy = ? AND status IN ('IN_PROGRESS', 'CANCELLING') LIMIT 1`
	activeOfImage  = `SELECT e.id FROM lifecycle_resource AS r JOIN lifecycle_execution AS e ON e.id = r.execution
		WHERE r.resource = ? AND e.status IN ('IN_PROGRESS', 'CANCELLING') LIMIT 1`
)

// ActiveLifecycle implements ingot.LifecycleReader.
func (s reader) ActiveLifecycle(ctx context.Context, of ingot.ARN) (id string, err error) {
	text := activeOfImage
	if of.Kind == ingot.KindLifecycle {
		text = activeOfPolicy
	}
	err = s.scan(ctx, text, []any{of.Key()}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, classify("looking for lifecycle executions of "+of.String(), err)
}

const lifecycleDues = `SELECT subject, at FROM lifecycle_due ORDER BY at LIMIT +?`

// LifecycleDues implements ingot.LifecycleQueue.
func (s reader) LifecycleDues(ctx context.Context, limit int) (list []ingot.LifecycleDue, err error) {
	err = s.each(ctx, lifecycleDues, []any{limit}, func(rows *sql.Rows) error {
		var subject string
		var at int64
		err := rows.Scan(&subject, &at)
		list = append(list, ingot.LifecycleDue{Subject: subject, At: instant(at)})
		return err
	})
	return list, classify("listing what lifecycles have to do", err)
}

const openOfPolicy = `SELECT id FROM lifecycle_execution WHERE policy = ? AND status IN ('IN_PROGRESS', 'PENDING', 'CANCELLING') LIMIT 1`

// OpenLifecycle implements ingot.LifecycleQueue.
func (s reader) OpenLifecycle(ctx context.Context, policy ingot.ARN) (id string, err error) {
	err = s.scan(ctx, openOfPolicy, []any{policy.Key()}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, classify("looking for the open lifecycle execution of "+policy.String(), err)
}

const openImages = `SELECT document FROM lifecycle_resource
	WHERE execution = ? AND parent = '' AND document ->> '$.state.status' = 'IN_PROGRESS' ORDER BY resource LIMIT +?`

// OpenLifecycleImages implements ingot.LifecycleQueue.
func (s reader) OpenLifecycleImages(ctx context.Context, execution string, limit int) ([]ingot.LifecycleResource, error) {
	return documents[ingot.LifecycleResource](ctx, s, openImages, execution, limit)
}

const actingUpdates = `SELECT 1 FROM lifecycle_execution WHERE policy = '' AND status IN ('IN_PROGRESS', 'CANCELLING')
	AND document ->> '$.scope.Region' = ? AND document ->> '$.scope.Account' = ? LIMIT +?`

// CountStateUpdates implements ingot.LifecycleQueue.
func (s reader) CountStateUpdates(ctx context.Context, scope ingot.Scope, limit int) (n int, err error) {
	err = s.scan(ctx, `SELECT count(*) FROM (`+actingUpdates+`)`, []any{scope.Region, scope.Account, limit}, &n)
	return n, classify("counting state updates", err)
}

// PutLifecycleDue implements ingot.LifecycleWriter.
func (t tx) PutLifecycleDue(ctx context.Context, d ingot.LifecycleDue) error {
	at := int64(0)
	if !d.At.IsZero() {
		at = d.At.UnixNano()
	}
	_, err := t.exec(ctx, `INSERT INTO lifecycle_due (subject, at) VALUES (?, ?)
		ON CONFLICT (subject) DO UPDATE SET at = excluded.at`, d.Subject, at)
	return classify("setting when "+d.Subject+" is due", err)
}

// DeleteLifecycleDue implements ingot.LifecycleWriter.
func (t tx) DeleteLifecycleDue(ctx context.Context, subject string) error {
	_, err := t.exec(ctx, `DELETE FROM lifecycle_due WHERE subject = ?`, subject)
	return classify("clearing when "+subject+" is due", err)
}

// PutLifecycleExecution implements ingot.LifecycleWriter.
func (t tx) PutLifecycleExecution(ctx context.Context, e ingot.LifecycleExecution) error {
	doing := "saving lifecycle execution " + e.LifecycleExecutionId
	policy := ""
	if e.LifecyclePolicyArn != "" {
		arn, err := ingot.ParseARN(e.LifecyclePolicyArn)
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		policy = arn.Key()
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	_, err = t.exec(ctx, `INSERT INTO lifecycle_execution (id, policy, started, status, document) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET status = excluded.status, document = excluded.document`,
		e.LifecycleExecutionId, policy, startOf(e), string(e.State.Status), string(data))
	return classify(doing, err)
}

// PutLifecycleResource implements ingot.LifecycleWriter.
func (t tx) PutLifecycleResource(ctx context.Context, execution string, r ingot.LifecycleResource) error {
	doing := "saving " + r.ResourceId + " of lifecycle execution " + execution
	parent, resource, err := placeOf(r)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	res, err := t.exec(ctx, `INSERT INTO lifecycle_resource (execution, parent, resource, started, document)
		SELECT id, ?, ?, started, ? FROM lifecycle_execution WHERE id = ?
		ON CONFLICT (execution, parent, resource) DO UPDATE SET document = excluded.document`,
		parent, resource, string(data), execution)
	if err != nil {
		return classify(doing, err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ingot.Errorf(ingot.CodeNotFound, "The lifecycle execution '%s' does not exist.", execution)
	}
	return classify(doing, err)
}
