package toe

import (
	"fmt"
	"slices"
	"strings"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe/module"
)

// fault reports a fault of the inputs in the vendor's form (§15).
func (c stepChecker) fault(n *yamldoc.Node, format string, args ...any) {
	c.Errorf(n, "Parsing step '%s' in phase '%s' failed.\nError: %s", c.step.Name, c.phase, fmt.Sprintf(format, args...))
}

func (c stepChecker) noInputs(action string) {
	n := c.node
	if v := n.Get("inputs"); v != nil {
		n = v
	}
	c.fault(n, "Action %s has no inputs; it requires an 'inputs'", action)
}

func isEmpty(n *yamldoc.Node) bool {
	return n == nil || n.Kind != yamldoc.Scalar && len(n.Items) == 0 && len(n.Fields) == 0
}

// inputs reads the entries: a mapping and a list with one mapping are the
// same (§9.2).
func (c stepChecker) inputs(m *module.Module) {
	n := c.node.Get("inputs")
	if isEmpty(n) {
		if !m.Optional {
			c.noInputs(m.Name)
		}
		c.step.inputs = []map[string]value{{}}
		return
	}
	nodes := listed(n)
	if len(nodes) > 1 && !m.List {
		c.fault(n, "Action %s takes one mapping of inputs, not a list of %d", m.Name, len(nodes))
	}
	for _, entry := range nodes {
		c.step.inputs = append(c.step.inputs, c.entry(m, entry))
	}
}

// listed are the items of a list; anything else counts as a list of one.
func listed(n *yamldoc.Node) []*yamldoc.Node {
	if n.Kind == yamldoc.List {
		return n.Items
	}
	return []*yamldoc.Node{n}
}

func (c stepChecker) entry(m *module.Module, n *yamldoc.Node) map[string]value {
	out := map[string]value{}
	if n.Kind != yamldoc.Mapping {
		c.fault(n, "The inputs of action %s must be a mapping, not a %s", m.Name, n.Kind)
		return out
	}
	if m.Condition {
		asserted := conditionChecker{c, true}.condition(n, 0)
		c.step.assertion = &asserted
		return out
	}
	c.unknownInputs(m, n)
	for _, in := range m.Inputs {
		v := n.Get(in.Name)
		switch {
		case v == nil && in.Required:
			c.fault(n, "Missing required field '%s' in the inputs of action %s", in.Name, m.Name)
		case v != nil:
			out[in.Name] = c.value(m, in, v)
		}
	}
	if given := countKeys(out, m.OneOf); len(m.OneOf) > 0 && given != 1 {
		c.fault(n, "Action %s needs exactly one of the inputs %s, not %d", m.Name, strings.Join(m.OneOf, ", "), given)
	}
	return out
}

func countKeys(entry map[string]value, keys []string) int {
	count := 0
	for _, key := range keys {
		if _, ok := entry[key]; ok {
			count++
		}
	}
	return count
}

// unknownInputs are ignored, because a published sample has one (§2.1).
func (c stepChecker) unknownInputs(m *module.Module, n *yamldoc.Node) {
	var known []string
	for _, in := range m.Inputs {
		known = append(known, in.Name)
	}
	for _, f := range n.Fields {
		if !slices.Contains(known, f.Key) {
			c.Warnf(n.Key(f), "Unknown input '%s' of action %s is ignored%s", f.Key, m.Name, yamldoc.DidYouMean(f.Key, known))
		}
	}
}

// value reads one input and checks it as far as it does not depend on
// references.
func (c stepChecker) value(m *module.Module, in module.Input, n *yamldoc.Node) value {
	v := newValue(n)
	s := shape{c, m, in, n}
	if !s.fits() {
		return v
	}
	if raw, err := v.raw(in.Type, constantText); err == nil {
		if _, err := m.Convert(in, raw, c.options.Platform); err != nil {
			c.fault(n, "%v", err)
		}
	}
	return v
}

// shape compares an input with its type, whatever its texts are.
type shape struct {
	stepChecker
	module *module.Module
	input  module.Input
	node   *yamldoc.Node
}

// fits reports every part that does not have the form of the type.
func (s shape) fits() bool {
	t := s.input.Type
	switch s.node.Kind {
	case yamldoc.List:
		if len(s.node.Items) == 0 && s.input.Required {
			s.fault(s.node, "Field '%s' in the inputs of action %s must have at least one item", s.input.Name, s.module.Name)
			return false
		}
		switch t {
		case module.Strings, module.Scalars:
			return s.all(s.node.Items, s.item)
		case module.Pairs:
			return s.all(s.node.Items, s.pair)
		}
	case yamldoc.Mapping:
		if t == module.StringMap {
			return s.fields(s.node)
		}
	case yamldoc.Scalar:
		if t != module.Pairs && t != module.StringMap {
			return true
		}
	}
	return s.misfit(s.node, string(t))
}

func (s shape) all(nodes []*yamldoc.Node, fits func(*yamldoc.Node) bool) bool {
	all := true
	for _, n := range nodes {
		all = fits(n) && all
	}
	return all
}

// item is a text of a list; a null is an empty one.
func (s shape) item(n *yamldoc.Node) bool {
	return n.Kind == yamldoc.Scalar || n.Kind == yamldoc.Null || s.misfit(n, string(module.String))
}

func (s shape) fields(n *yamldoc.Node) bool {
	var nodes []*yamldoc.Node
	for _, f := range n.Fields {
		nodes = append(nodes, f.Value)
	}
	return s.all(nodes, s.item)
}

func (s shape) pair(n *yamldoc.Node) bool {
	if n.Kind != yamldoc.Mapping {
		return s.misfit(n, "mapping with name and value")
	}
	for _, key := range []string{"name", "value"} {
		if n.Get(key) == nil {
			s.fault(n, "Missing required field '%s' in '%s' of the inputs of action %s", key, s.path(n), s.module.Name)
			return false
		}
	}
	return s.fields(n)
}

func (s shape) misfit(n *yamldoc.Node, want string) bool {
	s.fault(n, "Field '%s' in the inputs of action %s must be a %s%s", s.path(n), s.module.Name, want, yamldoc.UnquotedHint(n))
	return false
}

// path is the place of a part within the inputs.
func (s shape) path(n *yamldoc.Node) string {
	return s.input.Name + strings.TrimPrefix(n.Path, s.node.Path)
}
