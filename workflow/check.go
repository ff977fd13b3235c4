package workflow

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"ingot.dev/ingot/internal/yamldoc"
	"ingot.dev/ingot/model"
)

// Limits of a document. Source: workflows.md §2, §11.
const (
	maxDocument    = 64 << 10 // bytes, also when aliases are expanded
	maxSteps       = 15
	maxParameters  = 25
	maxOutputs     = 25
	maxValue       = 1024 // characters of a parameter value
	maxDescription = 1024 // characters, of a step
)

// Check parses a document of a workflow of the type and reports everything
// that is wrong with it. The Document is nil when Findings.Err is not.
func Check(data []byte, t model.WorkflowType) (*Document, yamldoc.Findings) {
	return check(data, checker{workflowType: t})
}

// CheckManaged is Check for the documents of the catalogue.
func CheckManaged(data []byte, t model.WorkflowType) (*Document, yamldoc.Findings) {
	return check(data, checker{workflowType: t, managed: true})
}

func check(data []byte, c checker) (*Document, yamldoc.Findings) {
	root, findings := yamldoc.Parse(data, maxDocument)
	if root == nil {
		return nil, findings
	}
	c.document = &Document{}
	c.Findings = findings
	if expandedSize(root) > maxDocument {
		c.Errorf(root, "Aliases and merges expand the document to more than %d bytes", maxDocument)
	} else if c.Mapping(root, "the document", "name", "description", "schemaVersion", "parameters", "steps", "outputs") {
		c.header(root)
		c.parameters(root)
		c.steps(root)
		c.outputs(root)
	}
	findings = c.Findings.Sort()
	if findings.Err() != nil {
		return nil, findings
	}
	return c.document, findings
}

// expandedSize is the number of bytes of all keys and values.
func expandedSize(n *yamldoc.Node) int {
	size := len(n.Text)
	for _, item := range n.Items {
		size += expandedSize(item)
	}
	for _, f := range n.Fields {
		size += len(f.Key) + expandedSize(f.Value)
	}
	return size
}

// checker builds a document while it looks for faults. The steps that are in
// the document already are those that a step may refer to.
type checker struct {
	yamldoc.Checker
	workflowType model.WorkflowType
	managed      bool // a document of the catalogue
	document     *Document
}

func (c *checker) header(root *yamldoc.Node) {
	if v := c.Required(root, "schemaVersion", "the document"); v != nil && v.Text != "1.0" {
		c.Errorf(v, "Unsupported schemaVersion '%s'; it must be 1.0", v.Text)
	}
	c.document.Name = c.Text(root, "name", "the document")
	c.document.Description = c.Text(root, "description", "the document")
}

// list is a list of the document with at most limit entries.
func (c *checker) list(root *yamldoc.Node, key string, limit int) []*yamldoc.Node {
	items := c.List(root, key, "the document")
	if len(items) > limit {
		c.Errorf(root.Get(key), "The document has %d %s; at most %d are allowed", len(items), key, limit)
		return items[:limit]
	}
	return items
}

var (
	parameterName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	integerText    = regexp.MustCompile(`^-?[0-9]+$`)
	parameterTypes = []string{TypeString, TypeInteger, TypeBoolean, TypeStringList}
)

func (c *checker) parameters(root *yamldoc.Node) {
	for _, n := range c.list(root, "parameters", maxParameters) {
		if c.Mapping(n, "parameter", "name", "type", "default", "description") {
			c.document.Parameters = append(c.document.Parameters, c.parameter(n))
		}
	}
}

func (c *checker) parameter(n *yamldoc.Node) model.WorkflowParameterDetail {
	p := model.WorkflowParameterDetail{Name: c.Text(n, "name", "parameter"), Type: TypeString}
	where := "parameter '" + p.Name + "'"
	if name := c.Required(n, "name", "parameter"); name != nil && !parameterName.MatchString(p.Name) {
		c.Errorf(name, "Invalid parameter name '%s'; it must have 1 to 128 letters, digits, - or _", p.Name)
	} else if name != nil && c.findParameter(p.Name) != nil {
		c.Errorf(name, "Duplicate parameter name '%s'", p.Name)
	}
	if t := n.Get("type"); t != nil {
		if p.Type = t.Text; !slices.Contains(parameterTypes, p.Type) {
			c.Errorf(t, "Field 'type' in %s must be one of %s, not '%s'%s", where, strings.Join(parameterTypes, ", "), t.Text, yamldoc.DidYouMean(t.Text, parameterTypes))
		}
	}
	p.Description = c.Text(n, "description", where)
	if v := n.Get("default"); v != nil {
		p.DefaultValue = c.defaultValue(v, p.Type, where)
	}
	return p
}

// defaultValue reads a default as the API shows it: a list of texts.
func (c *checker) defaultValue(n *yamldoc.Node, typ, where string) []string {
	if typ != TypeStringList {
		return []string{c.parameterValue(n, typ, where)}
	}
	values := []string{}
	if n.Kind != yamldoc.List {
		c.Errorf(n, "The default of %s must be a list of strings, not a %s", where, n.Kind)
	}
	for _, item := range n.Items {
		values = append(values, c.parameterValue(item, TypeString, where))
	}
	return values
}

func (c *checker) parameterValue(n *yamldoc.Node, typ, where string) string {
	_, isBool := yamldoc.ParseBool(n.Text)
	switch {
	case n.Kind != yamldoc.Scalar:
		c.Errorf(n, "The default of %s must be a %s, not a %s%s", where, typ, n.Kind, yamldoc.UnquotedHint(n))
	case typ == TypeInteger && !integerText.MatchString(n.Text), typ == TypeBoolean && !isBool:
		c.Errorf(n, "The default '%s' of %s is not of the type %s", n.Text, where, typ)
	case utf8.RuneCountInString(n.Text) > maxValue:
		c.Errorf(n, "The default of %s has more than %d characters", where, maxValue)
	}
	return n.Text
}

func (c *checker) findParameter(name string) *model.WorkflowParameterDetail {
	for i := range c.document.Parameters {
		if p := &c.document.Parameters[i]; p.Name == name {
			return p
		}
	}
	return nil
}

func (c *checker) outputs(root *yamldoc.Node) {
	seen := map[string]bool{}
	for _, n := range c.list(root, "outputs", maxOutputs) {
		if !c.Mapping(n, "output", "name", "value") {
			continue
		}
		o := Output{Name: c.Text(n, "name", "output"), Value: c.Text(n, "value", "output")}
		if name := c.Required(n, "name", "output"); name != nil && o.Name == "" {
			c.Errorf(name, "The name of an output must not be empty")
		} else if seen[o.Name] {
			c.Errorf(n.Get("name"), "Duplicate output name '%s'", o.Name)
		}
		seen[o.Name] = true
		if value := c.Required(n, "value", "output '"+o.Name+"'"); value != nil {
			c.pathOrText(value, o.Value)
		}
		c.document.Outputs = append(c.document.Outputs, o)
	}
}

// pathOrText checks the paths of a value that is a path or a text with paths.
func (c *checker) pathOrText(n *yamldoc.Node, text string) {
	if IsPath(text) {
		c.path(n, text)
		return
	}
	c.interpolations(n, text)
}
