package build

import (
	"context"

	"ingot.dev/ingot"
)

// Records is what a build needs of the store. ingot.Store has all of it.
type Records interface {
	Get(ctx context.Context, arn ingot.ARN) (ingot.Record, error)
	Resolve(ctx context.Context, arn ingot.ARN, statuses ...string) (ingot.Record, error)
	List(ctx context.Context, q ingot.Query) (ingot.Page, error)
	Write(ctx context.Context, f func(ingot.Tx) error) error
	ingot.ExecutionReader
	ingot.AMIStore
	ingot.ParameterStore
}

var _ Records = ingot.Store(nil)
