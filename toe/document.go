package toe

import (
	"ingot.dev/ingot/internal/yamldoc"
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

	module *module.Module
	inputs []map[string]input // one entry unless the module is a list
}

// input is a declared input: one text or a list of texts, with references.
type input struct {
	node  *yamldoc.Node
	list  bool
	texts []template
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

// Finding is a fault of a document with its place; Findings are all of them
// in document order.
type (
	Finding  = yamldoc.Finding
	Findings = yamldoc.Findings
)

// eachReference calls f for every expression of the document.
func (d *Document) eachReference(f func(*reference)) {
	for _, p := range d.Phases {
		for _, s := range p.Steps {
			for _, entry := range s.inputs {
				for _, in := range entry {
					in.eachReference(f)
				}
			}
		}
	}
}

func (v input) eachReference(f func(*reference)) {
	for _, t := range v.texts {
		for _, p := range t {
			if p.ref != nil {
				f(p.ref)
			}
		}
	}
}
