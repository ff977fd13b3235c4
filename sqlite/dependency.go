package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"ingot.dev/ingot"
)

const lastDependencies = `SELECT arn, document FROM dependency WHERE pipeline = ? AND rank > 0 ORDER BY rank DESC LIMIT 1`

// LastDependencies implements ingot.DependencyReader.
func (s reader) LastDependencies(ctx context.Context, pipeline ingot.ARN) (image ingot.ARN, d ingot.Dependencies, err error) {
	var text string
	var data []byte
	err = s.scan(ctx, lastDependencies, []any{pipeline.Key()}, &text, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return image, d, ingot.Errorf(ingot.CodeNotFound, "The pipeline '%s' has no image that is or was AVAILABLE.", pipeline)
	}
	if err != nil {
		return image, d, classify("reading the dependencies of "+pipeline.String(), err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return image, d, fmt.Errorf("decoding the dependencies of %s: %w", text, err)
	}
	image, err = ingot.ParseARN(text)
	return image, d, err
}

// PutDependencies implements ingot.DependencyWriter.
func (t tx) PutDependencies(ctx context.Context, image, pipeline ingot.ARN, d ingot.Dependencies) error {
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding the dependencies of %s: %w", image, err)
	}
	_, err = t.exec(ctx, `INSERT INTO dependency (image, pipeline, arn, rank, document) VALUES (?, ?, ?, 0, ?)
		ON CONFLICT (image) DO UPDATE SET document = excluded.document`, image.Key(), pipeline.Key(), image.String(), string(data))
	return classify("saving the dependencies of "+image.String(), err)
}

const promoteDependencies = `UPDATE dependency SET rank = 1 +
	(SELECT max(rank) FROM dependency AS other WHERE other.pipeline = dependency.pipeline) WHERE image = ?`

// PromoteDependencies implements ingot.DependencyWriter.
func (t tx) PromoteDependencies(ctx context.Context, image ingot.ARN) error {
	_, err := t.exec(ctx, promoteDependencies, image.Key())
	return classify("noting that "+image.String()+" is AVAILABLE", err)
}
