package toe

import (
	"slices"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/module"
)

// Document is a component document that has passed Check.
type Document struct {
	Path        string // as in CheckOptions
	Name        string
	Description string
	Parameters  []Parameter
	Constants   []Constant
	Phases      []Phase
}

// Parameter is a value that the caller of a document may supply.
type Parameter struct {
	Name          string
	Type          string  // always "string"
	Default       *string // nil: the parameter is required
	Description   string
	AllowedValues []string // empty: any
}

// Constant is a value that the document fixes.
type Constant struct {
	Name  string
	Value string
}

// Phase is a named sequence of steps.
type Phase struct {
	Name  string
	Steps []Step
}

// Step calls one module.
type Step struct {
	Name           string
	Action         string // name of the module
	TimeoutSeconds int    // of one attempt; -1: no limit
	MaxAttempts    int
	OnFailure      OnFailure
	DisableLogging bool

	node        *yamldoc.Node // the whole step as it is written
	module      *module.Module
	inputs      []map[string]value // one entry unless the module is a list
	assertion   *condition         // instead of inputs
	conditional *conditional       // nil: always
	loop        *loop              // nil: once
}

// OnFailure says what becomes of a run when a step has failed for good.
type OnFailure string

const (
	Abort    OnFailure = "Abort"    // nothing further runs
	Continue OnFailure = "Continue" // the rest runs, the run has failed
	Ignore   OnFailure = "Ignore"   // the rest runs, the failure is tolerated
)

// Type is the component type that the service derives: TEST for a document
// with the one phase test, else BUILD.
func (d *Document) Type() string {
	if len(d.Phases) == 1 && d.Phases[0].Name == "test" {
		return "TEST"
	}
	return "BUILD"
}

// Executes lists the component ARNs of the documents that steps execute, as far
// as they are written out. Each is there once.
func (d *Document) Executes() []string {
	var arns []string
	for _, p := range d.Phases {
		for _, s := range p.Steps {
			if s.Action != "ExecuteDocument" {
				continue
			}
			arn, written := s.inputs[0]["document"].text.constant()
			if written && cloud.IsComponent(arn) && !slices.Contains(arns, arn) {
				arns = append(arns, arn)
			}
		}
	}
	return arns
}

// Finding is a fault of a document with its place; Findings are all of them
// in document order.
type (
	Finding  = yamldoc.Finding
	Findings = yamldoc.Findings
)

// stepNames are the names of all steps, with their phases, as references have
// them.
func (d *Document) stepNames() []string {
	var names []string
	for _, p := range d.Phases {
		for _, s := range p.Steps {
			names = append(names, p.Name+"."+s.Name)
		}
	}
	return names
}

// eachReference calls f for every expression of the document.
func (d *Document) eachReference(f func(*reference)) {
	for _, p := range d.Phases {
		for _, s := range p.Steps {
			s.eachValue(func(v value) { v.eachReference(f) })
		}
	}
}

// eachValue calls f for everything in a step that may have references.
func (s *Step) eachValue(f func(value)) {
	for _, entry := range s.inputs {
		for _, v := range entry {
			f(v)
		}
	}
	if s.loop != nil && s.loop.items != nil {
		f(*s.loop.items)
	}
	if s.assertion != nil {
		s.assertion.eachValue(f)
	}
	if s.conditional != nil {
		s.conditional.condition.eachValue(f)
	}
}

// input finds the input that a reference to the step means.
func (s *Step) input(r *reference) (value, bool) {
	v, ok := s.inputs[r.index][r.keys[0]]
	if !ok {
		return v, false
	}
	return v.find(r.keys[1:])
}

// dependsOnLoop reports a value that has the step's own loop variables.
func (s *Step) dependsOnLoop(v value) bool {
	depends := false
	v.eachReference(func(r *reference) { depends = depends || s.loop.owns(r) })
	return depends
}
