package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/sigv4"
	"ingot.dev/ingot/model"
)

// exceptions are the wire's names of our codes; their statuses are the
// model's. Source: api.md §1.5.
var exceptions = map[ingot.Code]string{
	ingot.CodeInternal:    "ServiceException",
	ingot.CodeInvalid:     "InvalidParameterValueException",
	ingot.CodeCombination: "InvalidParameterCombinationException",
	ingot.CodeMissing:     "InvalidParameterException",
	ingot.CodeVersion:     "InvalidVersionNumberException",
	ingot.CodePagination:  "InvalidPaginationTokenException",
	ingot.CodeRequest:     "InvalidRequestException",
	ingot.CodeMismatch:    "IdempotentParameterMismatchException",
	ingot.CodeExists:      "ResourceAlreadyExistsException",
	ingot.CodeDependency:  "ResourceDependencyException",
	ingot.CodeInUse:       "ResourceInUseException",
	ingot.CodeClient:      "ClientException",
	ingot.CodeQuota:       "ServiceQuotaExceededException",
	ingot.CodeForbidden:   "ForbiddenException",
	ingot.CodeDenied:      "AccessDeniedException",
	ingot.CodeNotFound:    "ResourceNotFoundException",
	ingot.CodeDryRun:      "DryRunOperationException",
	ingot.CodeUnavailable: "ServiceUnavailableException",
}

// fault is an error of the protocol, which no operation has.
type fault struct {
	exception  string
	status     int
	message    string
	retryAfter time.Duration // when the request may succeed; 0: nothing is known
}

func (f *fault) Error() string { return f.message }

func unknownOperation(r *http.Request) error {
	return &fault{exception: "UnknownOperationException", status: http.StatusNotFound, message: fmt.Sprintf("There is no operation %s %s.", r.Method, shorten(r.URL.EscapedPath()))}
}

// translate is the wire form of any error. An error without a code says
// nothing to the client but that it happened.
func translate(c *call, err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	var refused *sigv4.Error
	if errors.As(err, &refused) {
		return &fault{exception: refused.Type, status: http.StatusForbidden, message: refused.Message}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = ingot.Errorf(ingot.CodeUnavailable, "The request ended before its answer was ready. It can be repeated.")
	}
	var e *ingot.Error
	if !errors.As(err, &e) || e.Code == ingot.CodeInternal {
		return &fault{exception: exceptions[ingot.CodeInternal], status: http.StatusInternalServerError, message: fmt.Sprintf("An internal error occurred. Its request id is %s.", c.RequestID)}
	}
	if e.Code == ingot.CodeNotImplemented {
		return &fault{exception: "NotImplementedException", status: http.StatusNotImplemented, message: e.Message}
	}
	code := e.Code
	if only, ok := validationErrors[c.operation]; ok && slices.Contains(validationCodes, code) {
		code = only
	}
	exception := exceptions[code]
	return &fault{exception: exception, status: model.Exceptions[exception], message: e.Message}
}

// validationCodes are what the checks of a request come to, and
// validationErrors the operations that model one error for all of them.
// Source: api.md §1.5.
var (
	validationCodes  = []ingot.Code{ingot.CodeInvalid, ingot.CodeCombination, ingot.CodeMissing, ingot.CodeVersion}
	validationErrors = map[string]ingot.Code{
		"TagResource": ingot.CodeMissing, "UntagResource": ingot.CodeMissing, "ListTagsForResource": ingot.CodeMissing,
		"ImportVmImage": ingot.CodeClient, "ImportDiskImage": ingot.CodeClient,
	}
)

// seconds is a wait as the header Retry-After has it, never less than it is.
func seconds(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// longestMessage bounds a message in characters: most of them quote what was
// sent, and nobody reads the thousandth fault of a document.
const longestMessage = 8000

// failure is the answer to a request that ended in err; nothing else makes an
// error of the API. Its cause is logged where the client does not get to see it.
func (s *Server) failure(c *call, err error) (f *fault, body []byte) {
	f = translate(c, err)
	var known *fault // has no other cause than what it says
	if !errors.As(err, &known) && (f.status == http.StatusInternalServerError || f.status == http.StatusServiceUnavailable) {
		s.Log.Error("request failed", slog.String("request", c.RequestID), slog.String("operation", c.operation), slog.Any("error", err))
	}
	body, err = json.Marshal(map[string]string{"__type": f.exception, "message": cut(f.message, longestMessage)})
	if err != nil { // two strings always have a JSON form
		panic(err)
	}
	return f, body
}
