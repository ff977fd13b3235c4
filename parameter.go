package ingot

import (
	"context"
	"regexp"
	"strings"
	"time"
)

// Parameter is an entry of a region's parameter store: a name that stays for a
// value that changes, such as the id of the newest AMI.
type Parameter struct {
	Scope
	Name     string
	Value    string
	DataType string // "text" or "aws:ec2:image"
	Version  int64  // from 1; each write is one more
	Modified time.Time
}

// Values of Parameter.DataType.
const (
	ParameterText  = "text"
	ParameterImage = "aws:ec2:image" // an AMI of the region that the account can use
)

// ParameterStore holds the parameters of all accounts and regions. Find and
// Delete return CodeNotFound.
type ParameterStore interface {
	// PutParameter replaces the value and counts the version; the same value
	// again changes nothing. It returns what is stored.
	PutParameter(ctx context.Context, p Parameter) (Parameter, error)
	FindParameter(ctx context.Context, scope Scope, name string) (Parameter, error) // own account's, else the catalogue's
	// ListParameters lists the scope's own by name, after a name.
	ListParameters(ctx context.Context, scope Scope, after string, limit int) ([]Parameter, error)
	DeleteParameter(ctx context.Context, scope Scope, name string) error
}

// parameterName is the form of a name. Source: distribution.md §5.2.
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

const maxParameterName = 1011 // bytes

// maxParameterValue is the length of a value in bytes, as of the service's
// standard tier.
const maxParameterValue = 4 << 10

// CheckParameter checks a parameter that is about to be stored.
func CheckParameter(p Parameter) error {
	switch {
	case !parameterName.MatchString(p.Name) || len(p.Name) > maxParameterName:
		return Errorf(CodeInvalid, "parameter name %q must have 1 to %d letters, digits and _ . - /", p.Name, maxParameterName)
	case p.Value == "" || len(p.Value) > maxParameterValue:
		return Errorf(CodeInvalid, "the value of parameter %s has %d bytes; it must have 1 to %d", p.Name, len(p.Value), maxParameterValue)
	case p.DataType != ParameterText && p.DataType != ParameterImage:
		return Errorf(CodeInvalid, "the data type %q of parameter %s must be %s or %s", p.DataType, p.Name, ParameterText, ParameterImage)
	}
	return nil
}

// ParameterReference marks a value that is in the parameter store. Source: api.md §3.2.
const ParameterReference = "ssm:"

// ResolveParameter returns the parameter that a text such as ssm:/golden/web,
// or one with the ARN of a parameter, names.
func ResolveParameter(ctx context.Context, store ParameterStore, scope Scope, text string) (Parameter, error) {
	name := strings.TrimPrefix(text, ParameterReference)
	if strings.HasPrefix(name, "arn:") {
		parts := strings.SplitN(name, ":", 6)
		rest, isParameter := "", false
		if len(parts) == 6 && parts[2] == "ssm" {
			rest, isParameter = strings.CutPrefix(parts[5], "parameter")
		}
		if !isParameter || !strings.HasPrefix(rest, "/") {
			return Parameter{}, Errorf(CodeInvalid, "%q is not the ARN of a parameter, as arn:aws:ssm:us-east-1:111122223333:parameter/golden/web", name)
		}
		if parts[3] != scope.Region || parts[4] != scope.Account && parts[4] != "" {
			return Parameter{}, Errorf(CodeNotFound, "The parameter '%s' does not exist in %s of account %s.", name, scope.Region, scope.Account)
		}
		name = rest
	}
	return store.FindParameter(ctx, scope, name)
}
