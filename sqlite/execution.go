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

// WorkflowExecution implements ingot.ExecutionReader.
func (s reader) WorkflowExecution(ctx context.Context, id string) (e ingot.WorkflowExecution, err error) {
	return document[ingot.WorkflowExecution](ctx, s, `SELECT document FROM workflow_execution WHERE id = ?`, id, "workflow execution")
}

// StepExecution implements ingot.ExecutionReader.
func (s reader) StepExecution(ctx context.Context, id string) (ingot.StepExecution, error) {
	return document[ingot.StepExecution](ctx, s, `SELECT document FROM step_execution WHERE id = ?`, id, "workflow step execution")
}

// document returns the document that text finds under id; what says what it is.
func document[T any](ctx context.Context, s reader, text, id, what string) (v T, err error) {
	var data []byte
	err = s.scan(ctx, text, []any{id}, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return v, ingot.Errorf(ingot.CodeNotFound, "The %s '%s' does not exist.", what, id)
	}
	if err != nil {
		return v, classify("reading "+what+" "+id, err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("decoding %s %s: %w", what, id, err)
	}
	return v, nil
}

// WorkflowExecutions implements ingot.ExecutionReader. The key of a page is
// the start time and id of its last entry.
func (s reader) WorkflowExecutions(ctx context.Context, image ingot.ARN, after string, limit int) ([]ingot.WorkflowExecution, string, error) {
	started, id, paged := strings.Cut(after, " ")
	if !paged {
		started = "\x7f" // later than every time
	}
	list, err := documents[ingot.WorkflowExecution](ctx, s, `SELECT document FROM workflow_execution
		WHERE image = ? AND (started, id) < (?, ?) ORDER BY started DESC, id DESC LIMIT +?`, image.Key(), started, id, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	last := list[limit-1]
	return list[:limit], last.StartTime + " " + last.WorkflowExecutionId, nil
}

// StepExecutions implements ingot.ExecutionReader. The key of a page is the
// order and id of its last entry.
func (s reader) StepExecutions(ctx context.Context, execution, after string, limit int) ([]ingot.StepExecution, string, error) {
	order, id, _ := strings.Cut(after, " ")
	position, err := strconv.Atoi(order)
	if err != nil {
		position = -1 // before every step
	}
	list, err := documents[ingot.StepExecution](ctx, s, `SELECT document FROM step_execution
		WHERE execution = ? AND (position, id) > (?, ?) ORDER BY position, id LIMIT +?`, execution, position, id, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	last := list[limit-1]
	return list[:limit], strconv.Itoa(last.Order) + " " + last.StepExecutionId, nil
}

// waitingIn is the column of the steps that wait in a namespace.
func waitingIn(scope ingot.Scope) string { return scope.Account + "/" + scope.Region }

// WaitingSteps implements ingot.ExecutionReader. The key of a page is the id of
// its last entry.
func (s reader) WaitingSteps(ctx context.Context, scope ingot.Scope, after string, limit int) ([]ingot.StepExecution, string, error) {
	list, err := documents[ingot.StepExecution](ctx, s, `SELECT document FROM step_execution
		WHERE waiting = ? AND id > ? ORDER BY id LIMIT +?`, waitingIn(scope), after, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], list[limit-1].StepExecutionId, nil
}

func documents[T any](ctx context.Context, s reader, text string, args ...any) (list []T, err error) {
	err = s.each(ctx, text, args, func(rows *sql.Rows) error {
		var data []byte
		var v T
		if err := rows.Scan(&data); err != nil {
			return err
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("decoding a document: %w", err)
		}
		list = append(list, v)
		return nil
	})
	return list, classify("listing executions", err)
}

// PutWorkflowExecution implements ingot.ExecutionWriter.
func (t tx) PutWorkflowExecution(ctx context.Context, e ingot.WorkflowExecution) error {
	image, err := ingot.ParseARN(e.ImageBuildVersionArn)
	if err != nil {
		return fmt.Errorf("saving workflow execution %s: %w", e.WorkflowExecutionId, err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding workflow execution %s: %w", e.WorkflowExecutionId, err)
	}
	_, err = t.exec(ctx, `INSERT INTO workflow_execution (id, image, started, document) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET started = excluded.started, document = excluded.document`,
		e.WorkflowExecutionId, image.Key(), e.StartTime, string(data))
	return classify("saving workflow execution "+e.WorkflowExecutionId, err)
}

// PutStepExecution implements ingot.ExecutionWriter.
func (t tx) PutStepExecution(ctx context.Context, s ingot.StepExecution) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding step execution %s: %w", s.StepExecutionId, err)
	}
	var waiting any
	if s.IsWaiting() {
		image, err := ingot.ParseARN(s.ImageBuildVersionArn)
		if err != nil {
			return fmt.Errorf("saving step execution %s: %w", s.StepExecutionId, err)
		}
		waiting = waitingIn(image.Scope())
	}
	_, err = t.exec(ctx, `INSERT INTO step_execution (id, execution, position, document, waiting) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET position = excluded.position, document = excluded.document, waiting = excluded.waiting`,
		s.StepExecutionId, s.WorkflowExecutionId, s.Order, string(data), waiting)
	return classify("saving step execution "+s.StepExecutionId, err)
}

// ImagePackages implements ingot.ExecutionReader. The key of a page is the
// name and version of its last entry.
func (s reader) ImagePackages(ctx context.Context, image ingot.ARN, after string, limit int) (list []ingot.ImagePackage, next string, err error) {
	name, version, _ := strings.Cut(after, "\x00")
	err = s.each(ctx, `SELECT name, version FROM image_package WHERE image = ? AND (name, version) > (?, ?)
		ORDER BY name, version LIMIT +?`, []any{image.Key(), name, version, limit + 1}, func(rows *sql.Rows) error {
		var p ingot.ImagePackage
		err := rows.Scan(&p.PackageName, &p.PackageVersion)
		list = append(list, p)
		return err
	})
	if err != nil || len(list) <= limit {
		return list, "", classify("listing packages of "+image.String(), err)
	}
	last := list[limit-1]
	return list[:limit], last.PackageName + "\x00" + last.PackageVersion, nil
}

// PutImagePackages implements ingot.ExecutionWriter.
func (t tx) PutImagePackages(ctx context.Context, image ingot.ARN, packages []ingot.ImagePackage) error {
	if _, err := t.exec(ctx, `DELETE FROM image_package WHERE image = ?`, image.Key()); err != nil {
		return classify("clearing packages of "+image.String(), err)
	}
	for _, p := range packages {
		_, err := t.exec(ctx, `INSERT INTO image_package (image, name, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			image.Key(), p.PackageName, p.PackageVersion)
		if err != nil {
			return classify("saving packages of "+image.String(), err)
		}
	}
	return nil
}

// deleteExecutions removes what the build of an image left behind.
func (t tx) deleteExecutions(ctx context.Context, image ingot.ARN) error {
	if image.Kind != ingot.KindImage {
		return nil
	}
	for _, text := range []string{
		`DELETE FROM step_execution WHERE execution IN (SELECT id FROM workflow_execution WHERE image = ?)`,
		`DELETE FROM workflow_execution WHERE image = ?`,
		`DELETE FROM image_package WHERE image = ?`,
		`DELETE FROM dependency WHERE image = ?`,
	} {
		if _, err := t.exec(ctx, text, image.Key()); err != nil {
			return classify("deleting what belongs to "+image.String(), err)
		}
	}
	return nil
}
