package toe

import (
	"fmt"
	"slices"
	"strings"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/toe/module"
)

// Defaults and bounds of a step (§2.4, §14).
const (
	defaultTimeoutSeconds = 7200
	maxTimeoutSeconds     = 2_147_483_647
)

// stepChecker knows where it is.
type stepChecker struct {
	*checker
	phase string
	step  *Step
	node  *yamldoc.Node
}

func (c *checker) step(n *yamldoc.Node, phase string, earlier []string) Step {
	s := Step{TimeoutSeconds: defaultTimeoutSeconds, MaxAttempts: 1, OnFailure: Abort}
	if c.steps++; c.steps == maxSteps+1 {
		c.Errorf(n, "A document must not have more than %d steps", maxSteps)
	}
	name := n.Get("name")
	if name != nil {
		s.Name = name.Text
	}
	sc := stepChecker{c, phase, &s, n}
	if !c.Mapping(n, sc.where(), "name", "action", "inputs", "if", "loop", "timeoutSeconds", "maxAttempts", "onFailure", "disableLogging") {
		return s
	}
	if c.Required(n, "name", n.Path) != nil && !plainName.MatchString(s.Name) {
		c.Errorf(name, "Invalid step name '%s' in phase '%s'. %s", s.Name, phase, allowedCharacters)
	} else if name != nil && slices.Contains(earlier, s.Name) {
		c.Errorf(name, "Duplicate step name '%s' in phase '%s'", s.Name, phase)
	}
	sc.limits()
	sc.notYet("if")
	sc.notYet("loop")
	sc.action()
	return s
}

func (c stepChecker) where() string {
	return fmt.Sprintf("step '%s' of phase '%s'", c.step.Name, c.phase)
}

func (c stepChecker) notYet(key string) {
	if v := c.node.Get(key); v != nil {
		c.Errorf(v, "Field '%s' in %s is not supported by this version of Ingot yet", key, c.where())
	}
}

// limits reads what governs the attempts of the step.
func (c stepChecker) limits() {
	if v := c.node.Get("timeoutSeconds"); v != nil {
		i, ok := v.Integer()
		if c.rule(v, "timeoutSeconds", ok && (i == -1 || i >= 1 && i <= maxTimeoutSeconds), "-1 or from 1 to 2147483647") {
			c.step.TimeoutSeconds = int(i)
		}
	}
	if v := c.node.Get("maxAttempts"); v != nil {
		i, ok := v.Integer()
		if c.rule(v, "maxAttempts", ok && i >= 1 && i <= maxTimeoutSeconds, "at least 1") {
			c.step.MaxAttempts = int(i)
		}
	}
	if v := c.node.Get("onFailure"); v != nil {
		c.step.OnFailure = OnFailure(v.Text)
		known := []OnFailure{Abort, Continue, Ignore}
		c.rule(v, "onFailure", slices.Contains(known, c.step.OnFailure), "Abort, Continue or Ignore")
	}
	if v := c.node.Get("disableLogging"); v != nil {
		b, ok := v.Boolean()
		c.step.DisableLogging = b
		c.rule(v, "disableLogging", ok, "true or false")
	}
}

// rule reports a value that breaks it and returns whether it holds.
func (c stepChecker) rule(v *yamldoc.Node, key string, holds bool, rule string) bool {
	if !holds {
		c.Errorf(v, "Invalid value '%s' for '%s' in %s; it must be %s", v.Text, key, c.where(), rule)
	}
	return holds
}

// action finds the module and reads its inputs.
func (c stepChecker) action() {
	v := c.Required(c.node, "action", c.where())
	if v == nil {
		return
	}
	c.step.Action = v.Text
	m := module.Find(v.Text)
	if m == nil {
		c.missingModule(v)
		return
	}
	c.step.module = m
	if !m.Supports(c.options.Platform) {
		c.Errorf(v, "Action %s is not supported on %s", m.Name, c.options.Platform)
		return
	}
	if t := c.node.Get("timeoutSeconds"); m.NoTimeout && t != nil {
		c.Warnf(t, "Field 'timeoutSeconds' has no effect on action %s", m.Name)
	}
	c.step.inputs = c.inputs(m)
}

func (c stepChecker) missingModule(action *yamldoc.Node) {
	if !module.NotBuilt(action.Text) {
		c.Errorf(action, "Unknown action '%s' in %s%s", action.Text, c.where(), yamldoc.DidYouMean(action.Text, module.Names()))
		return
	}
	c.Errorf(action, "Action %s is not supported by this version of Ingot yet", action.Text)
	if isEmpty(c.node.Get("inputs")) {
		c.noInputs(action.Text)
	}
}

func isEmpty(n *yamldoc.Node) bool {
	return n == nil || n.Kind != yamldoc.Scalar && len(n.Items) == 0 && len(n.Fields) == 0
}

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

// inputs reads the entries: a mapping and a list with one mapping are the
// same (§9.2).
func (c stepChecker) inputs(m *module.Module) []map[string]input {
	n := c.node.Get("inputs")
	if isEmpty(n) {
		if !m.Optional {
			c.noInputs(m.Name)
		}
		return []map[string]input{{}}
	}
	nodes := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		nodes = n.Items
	}
	if len(nodes) > 1 && !m.List {
		c.fault(n, "Action %s takes one mapping of inputs, not a list of %d", m.Name, len(nodes))
	}
	var entries []map[string]input
	for _, entry := range nodes {
		entries = append(entries, c.entry(m, entry))
	}
	return entries
}

func (c stepChecker) entry(m *module.Module, n *yamldoc.Node) map[string]input {
	if n.Kind != yamldoc.Mapping {
		c.fault(n, "The inputs of action %s must be a mapping, not a %s", m.Name, n.Kind)
		return nil
	}
	c.unknownInputs(m, n)
	out := map[string]input{}
	for _, in := range m.Inputs {
		v := n.Get(in.Name)
		switch {
		case v == nil && in.Required:
			c.fault(n, "Missing required field '%s' in the inputs of action %s", in.Name, m.Name)
		case v != nil:
			out[in.Name] = c.value(m, in, v)
		}
	}
	c.oneOf(m, n, out)
	return out
}

// oneOf checks the inputs of which a module takes exactly one.
func (c stepChecker) oneOf(m *module.Module, n *yamldoc.Node, given map[string]input) {
	count := 0
	for _, name := range m.OneOf {
		if _, ok := given[name]; ok {
			count++
		}
	}
	if len(m.OneOf) > 0 && count != 1 {
		c.fault(n, "Action %s takes exactly one of the inputs '%s', not %d", m.Name, strings.Join(m.OneOf, "' and '"), count)
	}
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
func (c stepChecker) value(m *module.Module, in module.Input, n *yamldoc.Node) input {
	v := input{node: n, list: n.Kind == yamldoc.List && in.Type == module.Strings}
	nodes := []*yamldoc.Node{n}
	if v.list {
		nodes = n.Items
	}
	if len(nodes) == 0 && in.Required {
		c.fault(n, "Field '%s' in the inputs of action %s must have at least one item", in.Name, m.Name)
	}
	valid := true
	for _, item := range nodes {
		if item.Kind != yamldoc.Scalar && (item.Kind != yamldoc.Null || !v.list) { // a null item is an empty text
			name := in.Name + strings.TrimPrefix(item.Path, n.Path)
			c.fault(item, "Field '%s' in the inputs of action %s must be a %s%s", name, m.Name, expected(in, v.list), yamldoc.UnquotedHint(item))
			valid = false
		}
		t, _ := parseTemplate(item.Text)
		v.texts = append(v.texts, t)
	}
	if raw, ok := v.constant(); ok && valid {
		if _, err := m.Convert(in, raw, c.options.Platform); err != nil {
			c.fault(n, "%v", err)
		}
	}
	return v
}

// expected names the type a value should have had.
func expected(in module.Input, item bool) string {
	if item {
		return string(module.String)
	}
	return string(in.Type)
}

// constant is the raw value of an input without references.
func (v input) constant() (any, bool) {
	texts := make([]string, len(v.texts))
	for i, t := range v.texts {
		text, ok := t.constant()
		if !ok {
			return nil, false
		}
		texts[i] = text
	}
	return v.raw(texts), true
}

// raw is the form that module.Convert takes.
func (v input) raw(texts []string) any {
	if v.list {
		return texts
	}
	return texts[0]
}
