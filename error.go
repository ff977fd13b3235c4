package ingot

import (
	"context"
	"errors"
	"fmt"
)

// Code classifies an Error. The codes are as many as callers must tell apart;
// only package api knows which exception of the wire each one becomes.
type Code string

const (
	CodeInternal       Code = "internal"       // anything without a code
	CodeInvalid        Code = "invalid"        // a value breaks a rule
	CodeCombination    Code = "combination"    // members exclude or need each other
	CodeMissing        Code = "missing"        // a required member is absent
	CodeVersion        Code = "version"        // version syntax or node out of range
	CodePagination     Code = "pagination"     // unusable page token
	CodeRequest        Code = "request"        // well formed, but not for this resource or server
	CodeMismatch       Code = "mismatch"       // client token used again with other parameters
	CodeExists         Code = "exists"         // name taken
	CodeDependency     Code = "dependency"     // delete blocked by another resource
	CodeInUse          Code = "inUse"          // another writer got there first
	CodeClient         Code = "client"         // validation failure of the import operations
	CodeQuota          Code = "quota"          // account limit reached
	CodeForbidden      Code = "forbidden"      // the resource belongs to somebody else
	CodeDenied         Code = "denied"         // a policy forbids it
	CodeNotFound       Code = "notFound"       // no such resource
	CodeDryRun         Code = "dryRun"         // would have succeeded
	CodeUnavailable    Code = "unavailable"    // a back end cannot be reached; safe to repeat
	CodeNotImplemented Code = "notImplemented" // this server has no such thing yet
)

// Error is what a caller may be told. Field is the path of the member at
// fault, as in distributions[0].region, or empty. Err is the cause, for
// errors.Is; Message is complete without it.
type Error struct {
	Code    Code
	Field   string
	Message string
	Err     error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a code. A %w verb keeps the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// InvalidField is the error clients match on for a bad value: detail is a
// sentence that states the rule and the remedy. Source: api.md §1.5.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{
		Code: CodeInvalid, Field: field,
		Message: fmt.Sprintf("The value supplied for parameter '%s' is not valid. %s", field, fmt.Sprintf(format, args...)),
	}
}

// ErrorCode returns the code of err: CodeInternal when it has none, empty for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// IsTransient reports whether an error is the store's, or the end of ctx, and
// may be gone when the same is tried again.
func IsTransient(ctx context.Context, err error) bool {
	code := ErrorCode(err)
	return ctx.Err() != nil || code == CodeUnavailable || code == CodeInUse
}
