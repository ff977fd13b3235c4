package toe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"ingot.dev/ingot/toe/module"
)

// maxResolved bounds the resolved inputs of a step, in bytes: a document may
// refer to a large output many times, and references to references could
// double it at every step.
const maxResolved = 2 * module.MaxCapture

// unresolvedError is a reference without a value. Repeating the step does not
// help unless the value was to be fetched.
type unresolvedError struct {
	body    string
	why     error
	fetched bool
}

func (e *unresolvedError) Error() string {
	return fmt.Sprintf("Unable to resolve '{{ %s }}': %v", e.body, e.why)
}

func (e *unresolvedError) Unwrap() error { return e.why }

// resolver gives the references of one attempt of a step their values.
type resolver struct {
	run       *run
	document  int
	phase     string
	step      *Step
	iteration *iteration        // nil: not in a loop
	size      int               // bytes resolved for the inputs
	memo      map[string]string // inputs of other steps and fetched values, by body: each is resolved once
}

// inputs resolves and converts the inputs of the resolver's step.
func (r *resolver) inputs(ctx context.Context) ([]module.Values, error) {
	text := func(t template) (string, error) { return r.text(ctx, t) }
	r.size = 0
	var out []module.Values
	for _, entry := range r.step.inputs {
		values := module.Values{}
		for _, in := range r.step.module.Inputs {
			declared, ok := entry[in.Name]
			if !ok {
				continue
			}
			raw, err := declared.raw(in.Type, text)
			if err != nil {
				return nil, err
			}
			if values[in.Name], err = r.step.module.Convert(in, raw, runtime.GOOS); err != nil {
				return nil, err
			}
		}
		out = append(out, values)
	}
	return out, nil
}

func (r *resolver) text(ctx context.Context, t template) (string, error) {
	var b strings.Builder
	for _, p := range t {
		text, err := r.part(ctx, p)
		if err != nil {
			return "", err
		}
		if r.size += len(text); r.size > maxResolved {
			return "", fmt.Errorf("the inputs have more than %d bytes when their references are resolved", maxResolved)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (r *resolver) part(ctx context.Context, p part) (string, error) {
	switch {
	case p.ref == nil:
		return p.text, nil
	case p.ref.kind == loopRef:
		return r.iteration.text(p), nil
	}
	value, err := r.reference(ctx, p.ref)
	if unresolved := (*unresolvedError)(nil); err == nil || errors.As(err, &unresolved) {
		return value, err // the reference at the root of it
	}
	return "", &unresolvedError{p.ref.body, err, p.ref.kind == ssmRef || p.ref.kind == imdsRef}
}

func (r *resolver) reference(ctx context.Context, ref *reference) (string, error) {
	switch ref.kind {
	case variableRef:
		return r.run.variables[r.document][ref.name], nil
	case outputsRef:
		return r.chainedOutput(ref)
	case envRef:
		if v, ok := r.run.environment.lookup(ref.name); ok {
			return v, nil
		}
		return "", errors.New("the environment variable is not set")
	case contextRef:
		return r.context(ctx, ref.name)
	}
	if v, ok := r.memo[ref.body]; ok {
		return v, nil
	}
	text, err := r.expensive(ctx, ref)
	if err == nil {
		r.memo[ref.body] = text
	}
	return text, err
}

// expensive resolves what is worth remembering during an attempt.
func (r *resolver) expensive(ctx context.Context, ref *reference) (string, error) {
	switch ref.kind {
	case inputsRef:
		return r.chainedInput(ctx, ref)
	case ssmRef:
		return r.parameter(ctx, ref.name)
	default:
		return r.run.cloud.Metadata(ctx, ref.name)
	}
}

// parameter reads the parameter store. The name may be that of a variable or
// of another parameter which holds the name (§6.7).
func (r *resolver) parameter(ctx context.Context, name string) (string, error) {
	holder, indirect := resolved(name)
	if !indirect {
		return r.fetch(ctx, name)
	}
	stored, isParameter := strings.CutPrefix(holder, "aws:ssm:")
	if !isParameter {
		return r.fetch(ctx, r.run.variables[r.document][holder])
	}
	name, err := r.fetch(ctx, stored)
	if err != nil {
		return "", err
	}
	return r.fetch(ctx, name)
}

// fetch reads a parameter. From then on, no log shows a secure one.
func (r *resolver) fetch(ctx context.Context, name string) (string, error) {
	p, err := r.run.cloud.Parameter(ctx, name)
	if p.Secure {
		r.run.mask.add(p.Value)
	}
	return p.Value, err
}

// chainedInput resolves the input of an earlier step, whether or not it ran.
// Check has made sure that it exists.
func (r *resolver) chainedInput(ctx context.Context, ref *reference) (string, error) {
	document := r.run.documents[r.document]
	at, _ := document.find(ref.phase, ref.step)
	in, _ := document.Phases[at.Phase].Steps[at.Step].input(ref)
	outside := *r
	outside.iteration = nil // that of this step's loop
	return outside.text(ctx, in.text)
}

func (r *resolver) chainedOutput(ref *reference) (string, error) {
	entries, ran := r.run.state.Outputs[outputKey(r.document, ref.phase, ref.step)]
	if !ran {
		return "", fmt.Errorf("step '%s.%s' has not run", ref.phase, ref.step)
	}
	if ref.index >= len(entries) {
		return "", nil // skipped, or failed before it came to this
	}
	value, ok := entries[ref.index][ref.keys[0]]
	if !ok {
		return "", nil
	}
	return fmt.Sprint(value), nil
}
