// Package workflow reads image workflow documents: the steps that make, test
// and distribute an image. It checks a document completely and reports all
// faults with their place; what a step action takes, gives and how long it may
// run is data ([Action]). Of running one it has what needs no machine: the
// values of paths, inputs, conditions and outputs ([Values]), and the groups of
// TEST workflows ([Groups]).
package workflow

import (
	"time"

	"ingot.dev/ingot/model"
)

// Document is a checked workflow document.
type Document struct {
	Name        string
	Description string
	// Parameters have a nil DefaultValue when the caller must supply a value.
	Parameters []model.WorkflowParameterDetail
	Steps      []Step
	Outputs    []Output
}

// OutputNames are the names that the document exports.
func (d *Document) OutputNames() []string {
	var names []string
	for _, o := range d.Outputs {
		names = append(names, o.Name)
	}
	return names
}

// Types of parameters.
const (
	TypeString     = "string"
	TypeInteger    = "integer"
	TypeBoolean    = "boolean"
	TypeStringList = "stringList"
)

// Values of Step.OnFailure.
const (
	Abort    = "Abort"    // no further step runs, and those that ran are rolled back
	Continue = "Continue" // the next step runs
)

// Step is one step, with its defaults filled in.
type Step struct {
	Name        string
	Action      *Action
	Description string
	If          *Condition // nil: the step always runs
	// Inputs are JSON values of the types that the action declares: string,
	// int64, bool, []any and map[string]any. A key that ends in RefSuffix holds
	// a path, unless its text is none, and strings may have paths within {{ }}.
	Inputs map[string]any
	// OnFailure is Abort or Continue.
	OnFailure string
	// RollbackEnabled is true, false or the path of a boolean.
	RollbackEnabled string
	Timeout         time.Duration // of one attempt
	Wait            time.Duration // before an attempt, within its Timeout
	Retry           Retry
}

// RefSuffix marks a key of Step.Inputs whose text is a path. Source:
// workflows.md §3.1.
const RefSuffix = ".$"

// Retry says how often a step is tried.
type Retry struct {
	MaxAttempts int           // runs in all, 1 or more
	Backoff     time.Duration // between two of them
}

// Condition is a comparison, or several conditions joined by and, or, not.
type Condition struct {
	Operator   string      // and, or, not, or a comparison such as stringEquals
	Conditions []Condition // of and, or and not
	// Operand and Value are what a comparison looks at, in the order in which
	// its name reads backwards: numberGreaterThan: 5, value: 6 is true. Each is
	// a literal, or a path if it starts with PathPrefix.
	Operand, Value string
}

// Output is a value that later workflows of the same image can read.
type Output struct {
	Name  string
	Value string // a literal, a path, or a text with paths within {{ }}
}
