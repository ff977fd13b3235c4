package workflow

import (
	"slices"
	"strings"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/model"
)

// interpolations checks the paths within {{ }} of a text.
func (c *checker) interpolations(n *yamldoc.Node, text string) {
	for _, path := range Interpolations(text) {
		c.path(n, path)
	}
}

// path checks that a path can name something, and returns the kind of value it
// names, empty when that is not known. Source: workflows.md §3.4.
func (c *checker) path(n *yamldoc.Node, text string) Kind {
	p, err := ParsePath(text)
	if err != nil {
		c.Errorf(n, "Invalid path '%s': %v", text, err)
		return ""
	}
	root := p.name(0)
	if strings.EqualFold(root, RootImageBuilder) {
		root = RootImageBuilder // published documents spell it in two ways
	}
	if !slices.Contains(roots, root) {
		c.Errorf(n, "Invalid path '%s': there is no '$.%s'%s", text, root, yamldoc.DidYouMean(root, roots))
		return ""
	}
	if p.name(1) == "" {
		c.Errorf(n, "Invalid path '%s': it needs a name after '$.%s'", text, root)
		return ""
	}
	switch root {
	case RootParameters:
		return c.parameterPath(n, text, p)
	case RootStepOutputs:
		return c.stepPath(n, text, p)
	case RootImageBuilder:
		c.variablePath(n, text, p)
	}
	return ""
}

func (c *checker) parameterPath(n *yamldoc.Node, text string, p Path) Kind {
	parameter := c.findParameter(p.name(1))
	if parameter == nil {
		var names []string
		for _, declared := range c.document.Parameters {
			names = append(names, declared.Name)
		}
		c.Errorf(n, "Invalid path '%s': the document has no parameter '%s'%s", text, p.name(1), yamldoc.DidYouMean(p.name(1), names))
		return ""
	}
	if len(p) > 2 {
		return ""
	}
	return parameterKind(parameter)
}

func parameterKind(p *model.WorkflowParameterDetail) Kind {
	return map[string]Kind{TypeString: String, TypeInteger: Integer, TypeBoolean: Boolean, TypeStringList: StringList}[p.Type]
}

func (c *checker) stepPath(n *yamldoc.Node, text string, p Path) Kind {
	var names []string
	for _, s := range c.document.Steps {
		names = append(names, s.Name)
	}
	i := slices.Index(names, p.name(1))
	switch {
	case i < 0:
		c.Errorf(n, "Invalid path '%s': no earlier step is called '%s'%s", text, p.name(1), yamldoc.DidYouMean(p.name(1), names))
		return ""
	case p.name(2) == "":
		c.Errorf(n, "Invalid path '%s': it needs the name of an output after the step", text)
		return ""
	}
	a := c.document.Steps[i].Action
	if a == nil {
		return "" // the step has a fault of its own
	}
	out := a.output(p.name(2))
	switch {
	case out == nil && len(a.Outputs) == 0:
		c.Errorf(n, "Invalid path '%s': the action %s has no outputs", text, a.Name)
		return ""
	case out == nil:
		c.Errorf(n, "Invalid path '%s': the action %s has no output '%s'%s", text, a.Name, p.name(2), yamldoc.DidYouMean(p.name(2), a.outputNames()))
		return ""
	case len(p) > 3:
		return ""
	}
	return out.Kind
}

func (c *checker) variablePath(n *yamldoc.Node, text string, p Path) {
	if !slices.ContainsFunc(Variables, func(v string) bool { return strings.EqualFold(v, p.name(1)) }) {
		c.Errorf(n, "Invalid path '%s': there is no variable '%s'%s", text, p.name(1), yamldoc.DidYouMean(p.name(1), Variables))
	}
}
