package module

import (
	"context"
	"errors"
)

var assert = Module{
	Name:        "Assert",
	Description: "Fails unless a condition holds.",
	Platforms:   anywhere,
	Condition:   true,
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		holds, err := c.Holds(ctx)
		if err == nil && !holds {
			err = errAssertion
		}
		return nil, err
	},
}

//lint:ignore ST1005 users see the text as it is in the specification (§9.3)
var errAssertion = errors.New("Assertion evaluated to false")
