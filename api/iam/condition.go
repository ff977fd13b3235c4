package iam

import (
	"strconv"
	"strings"
)

// quantifier says how many values of a key must pass.
type quantifier string

const (
	forAll quantifier = "ForAllValues:"
	forAny quantifier = "ForAnyValue:"
	plain  quantifier = ""
)

const ifExists = "IfExists"

// condition is one key of a Condition element under its operator. All of a
// statement's conditions must hold.
type condition struct {
	operator   string // without quantifier and IfExists
	quantifier quantifier
	ifExists   bool
	negated    bool
	key        string // in lower case
	tests      []test // any of them; none of them when negated
}

// test compares a value of the request with a value of the policy. It does not
// know when the policy's value has a variable without a value, or when the
// request's is no number, date or address.
type test func(e *evaluation, value string) (equal, known bool)

// holds reports whether the condition is met in a statement of that effect.
func (c *condition) holds(e *evaluation, effect Effect) bool {
	values := e.values(c.key)
	if c.operator == "Null" {
		values = []string{strconv.FormatBool(len(values) == 0)}
	}
	empty := len(values) == 0 || len(values) == 1 && values[0] == ""
	switch {
	case c.quantifier == forAll:
		return empty || c.count(e, values, effect) == len(values)
	case c.quantifier == forAny:
		// IfExists changes nothing here: a set without values has none that passes.
		return !empty && c.count(e, values, effect) > 0
	case len(values) == 0:
		return c.ifExists || c.negated
	// Choice: of several values without a quantifier, an Allow needs all to pass
	// and a Deny one.
	case effect == Allow:
		return c.count(e, values, effect) == len(values)
	}
	return c.count(e, values, effect) > 0
}

// count is how many of the values pass.
func (c *condition) count(e *evaluation, values []string, effect Effect) (n int) {
	for _, v := range values {
		if c.passes(e, v, effect) {
			n++
		}
	}
	return n
}

func (c *condition) passes(e *evaluation, value string, effect Effect) bool {
	unknown := false
	for _, t := range c.tests {
		equal, known := t(e, value)
		if equal {
			return !c.negated
		}
		unknown = unknown || !known
	}
	// Choice: "not equal to what cannot be told" holds in a Deny only.
	return c.negated && (!unknown || effect == Deny)
}

func (p *parser) conditions(n *node, s *Statement) {
	for i, name := range n.names {
		item := &n.items[i]
		c, compile := p.operator(name)
		if compile == nil {
			p.fault(item, "unknown operator; operators are named as in StringEquals, NumericLessThan, DateGreaterThan, Bool, IpAddress, ArnLike, Null, with ForAllValues: or ForAnyValue: before and IfExists after; Null has neither")
			continue
		}
		if !p.is(item, object) {
			continue
		}
		for k, key := range item.names {
			c.key = strings.ToLower(key)
			if !keyName.MatchString(key) {
				p.fault(&item.items[k], "%s is not a condition key such as aws:username", quote(key))
			}
			c.tests = p.tests(&item.items[k], compile)
			s.conditions = append(s.conditions, c)
		}
	}
}

// operator reads the name of an operator; compile is nil if it is unknown.
func (p *parser) operator(name string) (c condition, compile compiler) {
	for _, q := range []quantifier{forAll, forAny} {
		if rest, ok := strings.CutPrefix(name, string(q)); ok {
			c.quantifier, name = q, rest
		}
	}
	c.operator, c.ifExists = strings.CutSuffix(name, ifExists)
	if c.operator == "Null" && (c.ifExists || c.quantifier != plain) {
		return c, nil
	}
	compile = operators[c.operator]
	for operator, of := range negations {
		if operator == c.operator {
			c.negated, compile = true, operators[of]
		}
	}
	return c, compile
}

// tests compiles the values of a condition key.
func (p *parser) tests(n *node, compile compiler) []test {
	items := n.each()
	if len(items) == 0 || len(items) > maxValues {
		p.fault(n, "must have 1 to %d values, not %d", maxValues, len(items))
		return nil
	}
	tests := make([]test, 0, len(items))
	for i := range items {
		item := &items[i]
		if item.kind != text && item.kind != number && item.kind != boolean {
			p.fault(item, "must be a string, a number or a boolean, not %s", item.kind)
			continue
		}
		t, err := compile(item.text, p.variables)
		if err != nil {
			p.fault(item, "%s", err)
			continue
		}
		tests = append(tests, t)
	}
	return tests
}
