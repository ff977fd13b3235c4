package toe

import (
	"fmt"
	"slices"

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
	s := Step{TimeoutSeconds: defaultTimeoutSeconds, MaxAttempts: 1, OnFailure: Abort, node: n}
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
	sc.conditional()
	sc.loop()
	sc.action()
	return s
}

func (c stepChecker) where() string {
	return fmt.Sprintf("step '%s' of phase '%s'", c.step.Name, c.phase)
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
		c.Errorf(v, "Unknown action '%s' in %s%s", v.Text, c.where(), yamldoc.DidYouMean(v.Text, module.Names()))
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
	if m.Once {
		c.once(m)
	}
	c.inputs(m)
}

// once fixes the limits of a module that bounds its own work.
func (c stepChecker) once(m *module.Module) {
	for key, only := range map[string]string{"timeoutSeconds": "-1", "maxAttempts": "1"} {
		if v := c.node.Get(key); v != nil {
			c.rule(v, key, v.Text == only, only+" for action "+m.Name)
		}
	}
	c.step.TimeoutSeconds, c.step.MaxAttempts = -1, 1
}
