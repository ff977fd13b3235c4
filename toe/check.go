package toe

import (
	"regexp"
	"runtime"
	"slices"
	"strings"

	"ingot.dev/ingot/internal/yamldoc"
)

// Limits of a document (§14).
const (
	maxDocument = 1 << 20 // bytes
	maxSteps    = 1000
)

// CheckOptions says for whom a document is checked.
type CheckOptions struct {
	Path     string // file or ARN that findings and Document.Path name
	Platform string // linux, windows or darwin; empty: the host's
	Service  bool   // the rules of CreateComponent: a phase build, validate or test must be present
}

// Check parses a document and reports everything that is wrong with it. It
// touches nothing. The Document is nil when Findings.Err is not.
func Check(data []byte, o CheckOptions) (*Document, Findings) {
	if o.Platform == "" {
		o.Platform = runtime.GOOS
	}
	root, findings := yamldoc.Parse(data, maxDocument)
	if root == nil {
		return nil, findings
	}
	c := checker{options: o, lines: strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n"), document: &Document{Path: o.Path}}
	c.Findings = findings
	if c.Mapping(root, "the document", "schemaVersion", "name", "description", "parameters", "constants", "phases") {
		c.header(root)
		c.variables(root)
		c.phases(root)
		c.references()
	}
	findings = c.Findings.Sort()
	if findings.Err() != nil {
		return nil, findings
	}
	return c.document, findings
}

// checker builds a document while it looks for faults.
type checker struct {
	yamldoc.Checker
	options  CheckOptions
	lines    []string // of the source, to find expressions in
	document *Document
	names    []string // of parameters and constants
	steps    int
	loops    []string // names of the loops of a phase
}

func (c *checker) header(root *yamldoc.Node) {
	if v := c.Required(root, "schemaVersion", "the document"); v != nil && v.Text != "1.0" && v.Text != "1" {
		c.Errorf(v, "Unsupported schemaVersion '%s'; it must be 1.0", v.Text)
	}
	c.document.Name = c.Text(root, "name", "the document")
	c.document.Description = c.Text(root, "description", "the document")
}

var (
	variableName = variableBody
	plainName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`) // of steps and phases
)

func (c *checker) variables(root *yamldoc.Node) {
	c.each(root, "parameters", "parameter", func(name string, n *yamldoc.Node) {
		c.document.Parameters = append(c.document.Parameters, c.parameter(name, n))
	})
	c.each(root, "constants", "constant", func(name string, n *yamldoc.Node) {
		c.document.Constants = append(c.document.Constants, c.constant(name, n))
	})
}

// each goes through a list whose elements are mappings with one key, the name.
func (c *checker) each(root *yamldoc.Node, list, kind string, f func(string, *yamldoc.Node)) {
	for _, item := range c.List(root, list, "the document") {
		if item.Kind != yamldoc.Mapping || len(item.Fields) != 1 {
			c.Errorf(item, "Each element of '%s' must be a mapping with one key, the name", list)
			continue
		}
		field := item.Fields[0]
		key := item.Key(field)
		if field.Number || !variableName.MatchString(field.Key) {
			c.Errorf(key, "Invalid %s name '%s'; it must have 3 to 128 letters, digits, - or _ and be a string", kind, field.Key)
		}
		if slices.Contains(c.names, field.Key) {
			c.Errorf(key, "Duplicate %s name '%s'", kind, field.Key)
		}
		c.names = append(c.names, field.Key)
		f(field.Key, field.Value)
	}
}

func (c *checker) parameter(name string, n *yamldoc.Node) Parameter {
	where := "parameter '" + name + "'"
	p := Parameter{Name: name}
	if !c.Mapping(n, where, "type", "default", "description", "allowedValues") {
		return p
	}
	p.Type = c.variableType(n, where)
	p.Description = c.Text(n, "description", where)
	if n.Get("default") != nil {
		text := c.Text(n, "default", where)
		p.Default = &text
	}
	for _, item := range c.List(n, "allowedValues", where) {
		if item.Kind != yamldoc.Scalar {
			c.Errorf(item, "Field 'allowedValues' in %s must be a list of strings", where)
		}
		p.AllowedValues = append(p.AllowedValues, item.Text)
	}
	if p.Default != nil && !p.allows(*p.Default) {
		c.Errorf(n.Get("default"), "The default '%s' of %s is not one of its allowedValues", *p.Default, where)
	}
	return p
}

// allows reports whether the parameter may have a value.
func (p Parameter) allows(value string) bool {
	return len(p.AllowedValues) == 0 || slices.Contains(p.AllowedValues, value)
}

func (c *checker) constant(name string, n *yamldoc.Node) Constant {
	where := "constant '" + name + "'"
	if !c.Mapping(n, where, "type", "value") {
		return Constant{Name: name}
	}
	c.variableType(n, where)
	c.Required(n, "value", where)
	return Constant{Name: name, Value: c.Text(n, "value", where)}
}

func (c *checker) variableType(n *yamldoc.Node, where string) string {
	t := c.Required(n, "type", where)
	if t == nil {
		return ""
	}
	if t.Text != "string" {
		c.Errorf(t, "Field 'type' in %s must be 'string', not '%s'", where, t.Text)
	}
	return t.Text
}

func (c *checker) phases(root *yamldoc.Node) {
	list := c.Required(root, "phases", "the document")
	if list == nil {
		return
	}
	nodes := c.List(root, "phases", "the document")
	if list.Kind == yamldoc.List && len(nodes) == 0 {
		c.Errorf(list, "Field 'phases' in the document must have at least one phase")
	}
	known := false
	var names []string
	for _, n := range nodes {
		p := c.phase(n, names)
		names = append(names, p.Name)
		known = known || p.Name == "build" || p.Name == "validate" || p.Name == "test"
		c.document.Phases = append(c.document.Phases, p)
	}
	if len(nodes) > 0 && !known {
		const text = "Document must contain at least one of the phases build, validate, test"
		if c.options.Service {
			c.Errorf(list, text)
		} else {
			c.Warnf(list, text)
		}
	}
}

func (c *checker) phase(n *yamldoc.Node, earlier []string) Phase {
	if !c.Mapping(n, "phase", "name", "steps") {
		return Phase{}
	}
	p := Phase{Name: c.Text(n, "name", n.Path)}
	where := "phase '" + p.Name + "'"
	if name := c.Required(n, "name", n.Path); name != nil && !plainName.MatchString(p.Name) {
		c.Errorf(name, "Invalid phase name '%s'. %s", p.Name, allowedCharacters)
	} else if name != nil && slices.Contains(earlier, p.Name) {
		c.Errorf(name, "Duplicate phase name '%s'", p.Name)
	}
	if list := c.Required(n, "steps", where); list != nil && list.Kind == yamldoc.List && len(list.Items) == 0 {
		c.Errorf(list, "Field 'steps' in %s must have at least one step", where)
	}
	var names []string
	c.loops = nil
	for _, node := range c.List(n, "steps", where) {
		s := c.step(node, p.Name, names)
		names = append(names, s.Name)
		p.Steps = append(p.Steps, s)
	}
	return p
}

// allowedCharacters is the vendor's sentence (§13.1).
const allowedCharacters = "Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_]."
