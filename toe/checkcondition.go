package toe

import (
	"fmt"
	"slices"

	"ingot.dev/ingot/internal/yamldoc"
)

const maxLogical = 4 // levels of logical operators (§14)

// conditionChecker reads the conditions of a step.
type conditionChecker struct {
	stepChecker
	lenient bool // unknown keys are ignored, as everywhere in inputs
}

func (c conditionChecker) invalid(n *yamldoc.Node, format string, args ...any) {
	c.Errorf(n, "Invalid condition in %s: %s", c.where(), fmt.Sprintf(format, args...))
}

// conditional reads the if of the step.
func (c stepChecker) conditional() {
	n := c.node.Get("if")
	if n == nil {
		return
	}
	cc := conditionChecker{stepChecker: c}
	n = unwrap(n)
	holders := []*yamldoc.Node{n}
	for _, f := range n.Fields {
		if op := findOperator(f.Key); op != nil && op.name == not {
			holders = append(holders, unwrap(f.Value)) // a published document has then and else there (§8.1)
		}
	}
	c.step.conditional = &conditional{
		condition: cc.condition(n, 0, "then", "else"),
		then:      cc.decision("then", execute, holders),
		otherwise: cc.decision("else", skip, holders),
	}
}

// unwrap is the element of a list with one.
func unwrap(n *yamldoc.Node) *yamldoc.Node {
	if n.Kind == yamldoc.List && len(n.Items) == 1 {
		return n.Items[0]
	}
	return n
}

// decision is the value of then or else in the first mapping that has it.
func (c conditionChecker) decision(key string, fallback decision, holders []*yamldoc.Node) decision {
	for _, n := range holders {
		if v := n.Get(key); v != nil {
			d := decision(v.Text)
			if !slices.Contains(decisions, d) {
				c.invalid(v, "'%s' must be Abort, Execute or Skip, not '%s'", key, v.Text)
			}
			return d
		}
	}
	return fallback
}

// condition reads an operator with its operands; also are the keys that may
// stand beside them. level counts the logical operators around it.
func (c conditionChecker) condition(n *yamldoc.Node, level int, also ...string) condition {
	if n.Kind != yamldoc.Mapping {
		c.invalid(n, "a condition is a mapping with one operator, not a %s", n.Kind)
		return condition{}
	}
	field, op := c.operator(n, also)
	if op == nil {
		return condition{}
	}
	known := append(also, field.Key)
	if op.second != "" {
		known = append(known, op.second)
	}
	c.unknownKeys(n, known)
	switch {
	case field.Value.Kind == yamldoc.Null:
		c.invalid(n.Key(field), "operator '%s' has no operand", op.name)
		return condition{}
	case op.logical():
		return condition{operator: op, operands: c.operands(op, field.Value, level, also)}
	default:
		return c.comparison(op, n, field.Value)
	}
}

// comparison reads the operands of a comparison: that of its operator and the
// one beside it.
func (c conditionChecker) comparison(op *operator, n, baseline *yamldoc.Node) condition {
	out := condition{operator: op, baseline: c.operand(baseline, op.name)}
	text, err := constantText(out.baseline.text)
	if err == nil && op.check != nil && baseline.Kind == yamldoc.Scalar {
		if err := op.check(operand{text, !baseline.Quoted}); err != nil {
			c.invalid(baseline, "operand of '%s': %v", op.name, err)
		}
	}
	if op.second == "" {
		return out
	}
	if subject := n.Get(op.second); subject != nil {
		out.subject = c.operand(subject, op.second)
	} else {
		c.invalid(n, "operator '%s' needs a second key '%s'", op.name, op.second)
	}
	return out
}

// operator finds the one key that is an operator.
func (c conditionChecker) operator(n *yamldoc.Node, also []string) (field yamldoc.Field, found *operator) {
	var unknown *yamldoc.Node
	for _, f := range n.Fields {
		op := findOperator(f.Key)
		switch {
		case op == nil && unknown == nil && !slices.Contains(append(also, "value", "path"), f.Key):
			unknown = n.Key(f)
		case op != nil && found != nil:
			c.invalid(n.Key(f), "there are two operators, '%s' and '%s'; join them with 'and' or 'or'", found.name, op.name)
		case op != nil:
			field, found = f, op
		}
	}
	if found == nil && unknown != nil {
		c.invalid(unknown, "there is no operator '%s'%s", unknown.Text, yamldoc.DidYouMean(unknown.Text, operatorNames()))
	} else if found == nil {
		c.invalid(n, "there is no operator, such as 'stringEquals' or 'and'")
	}
	return field, found
}

func (c conditionChecker) unknownKeys(n *yamldoc.Node, known []string) {
	for _, f := range n.Fields {
		if slices.Contains(known, f.Key) || findOperator(f.Key) != nil {
			continue
		}
		if c.lenient {
			c.Warnf(n.Key(f), "Unknown field '%s' in a condition of %s is ignored%s", f.Key, c.where(), yamldoc.DidYouMean(f.Key, known))
		} else {
			c.Errorf(n.Key(f), "Unknown field '%s' in a condition of %s%s", f.Key, c.where(), yamldoc.DidYouMean(f.Key, known))
		}
	}
}

// operands reads those of a logical operator.
func (c conditionChecker) operands(op *operator, n *yamldoc.Node, level int, also []string) []condition {
	if level == maxLogical {
		c.invalid(n, "logical operators are nested deeper than %d levels", maxLogical)
		return nil
	}
	if op.name == not {
		if level > 0 {
			also = nil
		}
		return []condition{c.condition(unwrap(n), level+1, also...)}
	}
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.invalid(n, "'%s' takes a list of at least one condition", op.name)
		return nil
	}
	var list []condition
	for _, item := range n.Items {
		list = append(list, c.condition(item, level+1))
	}
	return list
}

func (c conditionChecker) operand(n *yamldoc.Node, key string) value {
	if n.Kind != yamldoc.Scalar {
		c.invalid(n, "'%s' must be a text or a number, not a %s%s", key, n.Kind, yamldoc.UnquotedHint(n))
	}
	return newValue(n)
}
