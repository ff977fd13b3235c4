package toe

import (
	"context"
	"fmt"
	"strings"

	"ingot.dev/ingot/toe/module"
)

// conditional is the if of a step (§8.1).
type conditional struct {
	condition condition
	then      decision
	otherwise decision
}

// decision is what a conditional does with its step.
type decision string

const (
	execute decision = "Execute"
	skip    decision = "Skip"
	abort   decision = "Abort"
)

var decisions = []decision{execute, skip, abort}

// condition is an operator with its operands: conditions of a logical
// operator, else values.
type condition struct {
	operator *operator
	operands []condition
	baseline value
	subject  value // of operators with a second key
}

func (c *condition) eachValue(f func(value)) {
	for i := range c.operands {
		c.operands[i].eachValue(f)
	}
	for _, v := range []value{c.baseline, c.subject} {
		if v.node != nil {
			f(v)
		}
	}
}

// operand is a value whose references are resolved.
type operand struct {
	text  string
	plain bool // without quotes and references: a number in any form of YAML
}

// evaluation finds out whether conditions hold. References are resolved when
// their operand is reached.
type evaluation struct {
	resolver *resolver
	call     *module.Call // the place of relative paths and programs
	trace    func(message string, args ...any)
}

func (e *evaluation) holds(ctx context.Context, c *condition) (bool, error) {
	if c.operator.logical() {
		return e.logical(ctx, c)
	}
	baseline, err := e.operand(ctx, c.baseline)
	if err != nil {
		return false, err
	}
	subject, err := e.operand(ctx, c.subject)
	if err != nil {
		return false, err
	}
	result, err := c.operator.holds(ctx, e, baseline, subject)
	e.trace("condition", "operator", c.operator.name, "baseline", e.shown(baseline), "subject", e.shown(subject), "result", result, "error", err)
	if err != nil {
		return false, fmt.Errorf("evaluating %s: %w", c.operator.name, err)
	}
	return result, nil
}

func (e *evaluation) logical(ctx context.Context, c *condition) (result bool, err error) {
	for i := range c.operands {
		result, err = e.holds(ctx, &c.operands[i])
		if err != nil || c.operator.name == and && !result || c.operator.name == or && result {
			break
		}
	}
	if c.operator.name == not {
		result = !result
	}
	e.trace("condition", "operator", c.operator.name, "result", result, "error", err)
	return result && err == nil, err
}

const maxTraced = 1 << 10 // bytes of an operand in application.log

// shown is an operand as application.log has it. It is cut after its secrets
// are masked: a part of one is not found any more.
func (e *evaluation) shown(o operand) string {
	text := e.resolver.run.mask.text(o.text)
	return strings.ToValidUTF8(text[:min(len(text), maxTraced)], "\ufffd")
}

func (e *evaluation) operand(ctx context.Context, v value) (operand, error) {
	if v.node == nil {
		return operand{}, nil
	}
	_, constant := v.text.constant()
	text, err := e.resolver.text(ctx, v.text)
	return operand{text, constant && !v.node.Quoted}, err
}
