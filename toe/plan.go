package toe

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot/internal/yamldoc"
)

// Plan is what a run would do, in order, as far as it can be known before.
// References stay in its texts where only the run can resolve them: outputs of
// steps, loop variables, time and identity of the run, and what would have to
// be fetched.
type Plan struct {
	Documents []PlannedDocument `json:"documents" yaml:"documents"`
}

// PlannedDocument is a document with the phases that are selected.
type PlannedDocument struct {
	Path       string            `json:"path" yaml:"path"`
	Name       string            `json:"name,omitempty" yaml:"name,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty" yaml:"parameters,omitempty"` // in force
	Phases     []PlannedPhase    `json:"phases" yaml:"phases"`
}

// PlannedPhase is a phase with its steps.
type PlannedPhase struct {
	Name  string        `json:"name" yaml:"name"`
	Steps []PlannedStep `json:"steps" yaml:"steps"`
}

// PlannedStep is a step with its defaults filled in.
type PlannedStep struct {
	Name           string        `json:"name" yaml:"name"`
	Action         string        `json:"action" yaml:"action"`
	If             *yamldoc.Node `json:"if,omitempty" yaml:"if,omitempty"`
	Loop           *yamldoc.Node `json:"loop,omitempty" yaml:"loop,omitempty"`
	TimeoutSeconds int           `json:"timeoutSeconds" yaml:"timeoutSeconds"`
	MaxAttempts    int           `json:"maxAttempts" yaml:"maxAttempts"`
	OnFailure      OnFailure     `json:"onFailure" yaml:"onFailure"`
	Inputs         *yamldoc.Node `json:"inputs,omitempty" yaml:"inputs,omitempty"`
}

// maxPlanned is how much text the resolved references of a plan may add, in
// bytes; further ones stay. Inputs that refer to inputs can double in size at
// every step.
const maxPlanned = 4 << 20

// NewPlan is the plan of a request. The error says why Run would refuse it.
// Nothing is executed, written or fetched.
func NewPlan(req Request, o Options) (*Plan, error) {
	req, err := complete(req)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	state := newProgress(req)
	r := &run{
		session: &session{options: o, environment: newEnvironment(req.Environment), log: slog.New(slog.DiscardHandler)},
		state:   &state,
	}
	if why := r.prepare(); why != "" {
		return nil, errors.New(why)
	}
	p := planner{run: r, budget: maxPlanned}
	plan := &Plan{Documents: []PlannedDocument{}}
	for i := range r.documents {
		plan.Documents = append(plan.Documents, p.document(i))
	}
	return plan, nil
}

// planner makes the plan of a run.
type planner struct {
	run    *run
	budget int // bytes that resolved references may still add
}

func (p *planner) document(i int) PlannedDocument {
	d := p.run.documents[i]
	out := PlannedDocument{Path: d.Path, Name: d.Name, Parameters: map[string]string{}, Phases: []PlannedPhase{}}
	for _, parameter := range d.Parameters {
		out.Parameters[parameter.Name] = p.run.variables[i][parameter.Name]
	}
	for _, phase := range d.Phases {
		if !p.run.selected(phase.Name) {
			continue
		}
		planned := PlannedPhase{Name: phase.Name}
		for s := range phase.Steps {
			planned.Steps = append(planned.Steps, p.step(i, phase.Name, &phase.Steps[s]))
		}
		out.Phases = append(out.Phases, planned)
	}
	return out
}

func (p *planner) step(document int, phase string, s *Step) PlannedStep {
	r := plannedReferences{
		planner:  p,
		resolver: &resolver{run: p.run, document: document, phase: phase, step: s},
		inputs:   map[string]string{},
	}
	return PlannedStep{
		Name: s.Name, Action: s.Action, TimeoutSeconds: s.TimeoutSeconds, MaxAttempts: s.MaxAttempts, OnFailure: s.OnFailure,
		If: r.node(s.node.Get("if")), Loop: r.node(s.node.Get("loop")), Inputs: r.node(s.node.Get("inputs")),
	}
}

// plannedReferences resolves those of one step.
type plannedReferences struct {
	*planner
	resolver *resolver
	inputs   map[string]string // of other steps, by body: each is resolved once
}

// node is a copy with its texts resolved.
func (r plannedReferences) node(n *yamldoc.Node) *yamldoc.Node {
	if n == nil {
		return nil
	}
	out := *n
	if n.Kind == yamldoc.Scalar {
		t, _ := parseTemplate(n.Text)
		out.Text = r.text(t)
		out.Quoted = n.Quoted || out.Text != n.Text // what was inserted is text
	}
	out.Items = slices.Clone(n.Items)
	for i := range out.Items {
		out.Items[i] = r.node(out.Items[i])
	}
	out.Fields = slices.Clone(n.Fields)
	for i := range out.Fields {
		out.Fields[i].Value = r.node(out.Fields[i].Value)
	}
	return &out
}

func (r plannedReferences) text(t template) string {
	var b strings.Builder
	for _, part := range t {
		text := part.text
		if part.ref != nil {
			if v, ok := r.reference(part.ref); ok && len(v) <= r.budget {
				text = v
				r.budget -= len(v)
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

// reference is the value of a reference that has one before the run.
func (r plannedReferences) reference(ref *reference) (string, bool) {
	switch {
	case ref.kind == inputsRef:
		return r.chainedInput(ref), true
	case ref.kind == variableRef, ref.kind == envRef, ref.kind == contextRef && slices.Contains(fixedContext, ref.name):
		v, err := r.resolver.reference(context.Background(), ref) // touches nothing for these kinds
		return v, err == nil
	}
	return "", false
}

// fixedContext are the context keys whose values a plan knows.
var fixedContext = []string{"osPlatform", "osName", "osVersion", "hostname", "phase", "step"}

func (r plannedReferences) chainedInput(ref *reference) string {
	if v, ok := r.inputs[ref.body]; ok {
		return v
	}
	document := r.run.documents[r.resolver.document]
	at, _ := document.find(ref.phase, ref.step) // Check has found it
	in, _ := document.Phases[at.Phase].Steps[at.Step].input(ref)
	text := r.text(in.text)
	r.inputs[ref.body] = text
	return text
}
