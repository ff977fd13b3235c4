package workflow

import (
	"fmt"
	"regexp"
	"slices"

	"ingot.dev/ingot/internal/yamldoc"
)

// Limits of a condition. Source: workflows.md §4.
const (
	maxLevels   = 4
	maxBranches = 10
)

// Operators of conditions.
const (
	And = "and"
	Or  = "or"
	Not = "not"

	BooleanEquals           = "booleanEquals"
	NumberEquals            = "numberEquals"
	NumberGreaterThan       = "numberGreaterThan"
	NumberGreaterThanEquals = "numberGreaterThanEquals"
	NumberLessThan          = "numberLessThan"
	NumberLessThanEquals    = "numberLessThanEquals"
	StringEquals            = "stringEquals"
)

var operators = []string{
	And, Or, Not, BooleanEquals, NumberEquals, NumberGreaterThan,
	NumberGreaterThanEquals, NumberLessThan, NumberLessThanEquals, StringEquals,
}

var numberText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// condition reads a mapping with one operator. level counts from 1, the
// condition of the step.
func (c stepChecker) condition(n *yamldoc.Node, level int) Condition {
	if level > maxLevels {
		c.invalidCondition(n, fmt.Sprintf("conditions are nested deeper than %d levels", maxLevels))
		return Condition{}
	}
	if n.Kind != yamldoc.Mapping {
		c.invalidCondition(n, "there must be one condition, a mapping with an operator, not a "+n.Kind.String())
		return Condition{}
	}
	field, ok := c.operator(n)
	if !ok {
		return Condition{}
	}
	switch field.Key {
	case And, Or:
		return Condition{Operator: field.Key, Conditions: c.branches(n, field, level)}
	case Not:
		c.onlyKeys(n, Not)
		return Condition{Operator: Not, Conditions: []Condition{c.condition(unwrap(field.Value), level+1)}}
	}
	return c.comparison(n, field)
}

func (c stepChecker) invalidCondition(n *yamldoc.Node, rule string) {
	c.Errorf(n, "Invalid condition in %s: %s", c.where(), rule)
}

// operator finds the one key that is an operator.
func (c stepChecker) operator(n *yamldoc.Node) (found yamldoc.Field, ok bool) {
	var unknown *yamldoc.Node
	for _, f := range n.Fields {
		switch {
		case !slices.Contains(operators, f.Key):
			if f.Key != "value" && unknown == nil {
				unknown = n.Key(f)
			}
		case ok:
			c.invalidCondition(n.Key(f), "there are two operators, '"+found.Key+"' and '"+f.Key+"'; join them with 'and' or 'or'")
			return found, false
		default:
			found, ok = f, true
		}
	}
	if !ok && unknown != nil {
		c.invalidCondition(unknown, "there is no operator '"+unknown.Text+"'"+yamldoc.DidYouMean(unknown.Text, operators))
	} else if !ok {
		c.invalidCondition(n, "there is no operator, such as 'stringEquals' or 'and'")
	}
	return found, ok
}

// onlyKeys reports the keys of a condition that its operator does not have.
func (c stepChecker) onlyKeys(n *yamldoc.Node, known ...string) {
	for _, f := range n.Fields {
		if !slices.Contains(known, f.Key) {
			c.invalidCondition(n.Key(f), "'"+f.Key+"' does not belong to '"+known[0]+"'"+yamldoc.DidYouMean(f.Key, known))
		}
	}
}

func (c stepChecker) branches(n *yamldoc.Node, field yamldoc.Field, level int) []Condition {
	c.onlyKeys(n, field.Key)
	items := field.Value.Items
	if len(items) < 1 || len(items) > maxBranches {
		c.invalidCondition(n.Key(field), fmt.Sprintf("'%s' takes a list of 1 to %d conditions", field.Key, maxBranches))
		return nil
	}
	var list []Condition
	for _, item := range items {
		list = append(list, c.condition(item, level+1))
	}
	return list
}

// comparison reads an operator with its operand, and the value beside it.
func (c stepChecker) comparison(n *yamldoc.Node, field yamldoc.Field) Condition {
	c.onlyKeys(n, field.Key, "value")
	out := Condition{Operator: field.Key, Operand: c.operand(field.Value, field.Key)}
	if v := n.Get("value"); v != nil {
		out.Value = c.operand(v, field.Key)
	} else {
		c.invalidCondition(n, "'"+field.Key+"' needs a second key 'value'")
	}
	return out
}

// operand is a path, or a literal that the operator can compare.
func (c stepChecker) operand(n *yamldoc.Node, operator string) string {
	if n.Kind != yamldoc.Scalar {
		c.invalidCondition(n, "'"+operator+"' compares texts, numbers or booleans, not a "+n.Kind.String())
		return ""
	}
	if IsPath(n.Text) {
		c.path(n, n.Text)
		return n.Text
	}
	_, isBool := yamldoc.ParseBool(n.Text)
	switch {
	case operator == StringEquals:
	case operator == BooleanEquals && !isBool:
		c.invalidCondition(n, "'"+n.Text+"' is not a boolean, which '"+operator+"' compares")
	case operator != BooleanEquals && !numberText.MatchString(n.Text):
		c.invalidCondition(n, "'"+n.Text+"' is not a number, which '"+operator+"' compares")
	}
	return n.Text
}
