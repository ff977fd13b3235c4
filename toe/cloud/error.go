package cloud

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// explain reduces an error of the SDK to what the service said; other errors
// stay as they are.
func explain(err error) error {
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return err
	}
	return &serviceError{answer, err}
}

// serviceError is a refusal of a service.
type serviceError struct {
	answer smithy.APIError
	cause  error
}

func (e *serviceError) Error() string {
	if e.answer.ErrorMessage() == "" {
		return e.answer.ErrorCode()
	}
	return fmt.Sprintf("%s: %s", e.answer.ErrorCode(), e.answer.ErrorMessage())
}

func (e *serviceError) Unwrap() error { return e.cause }
