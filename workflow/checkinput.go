package workflow

import (
	"encoding/json"
	"slices"
	"strings"

	"ingot.dev/ingot/internal/yamldoc"
)

// inputs reads the inputs of the step as its action declares them.
func (c stepChecker) inputs() {
	c.step.Inputs = map[string]any{}
	n := c.node.Get("inputs")
	if n == nil {
		n = &yamldoc.Node{Kind: yamldoc.Mapping, Path: yamldoc.Join(c.node.Path, "inputs"), Line: c.node.Line, Column: c.node.Column}
	}
	if n.Kind != yamldoc.Mapping {
		c.Errorf(n, "Field 'inputs' in %s must be a mapping, not a %s", c.where(), n.Kind)
		return
	}
	if c.step.Action != nil {
		c.step.Inputs = c.members(n, c.step.Action.Inputs)
	}
}

// members reads a mapping with the given members, each as itself or, with the
// suffix, as a path.
func (c stepChecker) members(n *yamldoc.Node, known []Input) map[string]any {
	out := map[string]any{}
	given := c.names(n)
	for _, f := range n.Fields {
		name, isReference := strings.CutSuffix(f.Key, RefSuffix)
		in := findInput(known, name)
		switch {
		case in == nil:
			c.Errorf(n.Key(f), "Unknown input '%s' of action %s in %s%s", name, c.step.Action.Name, c.where(), yamldoc.DidYouMean(name, inputNames(known)))
		case f.Value.Kind == yamldoc.Null: // as if it were absent
		case isReference:
			out[f.Key] = c.reference(f.Value, in)
		default:
			out[f.Key] = c.value(f.Value, in)
		}
	}
	for _, in := range known {
		if in.Required && !given[in.Name] {
			missing := *n
			missing.Path, missing.Text = yamldoc.Join(n.Path, in.Name), ""
			c.Errorf(&missing, "Missing required input '%s' of action %s in %s", in.Name, c.step.Action.Name, c.where())
		}
	}
	return out
}

// names are the members of a mapping that have values, without the suffix.
func (c stepChecker) names(n *yamldoc.Node) map[string]bool {
	given := map[string]bool{}
	for _, f := range n.Fields {
		name := strings.TrimSuffix(f.Key, RefSuffix)
		if f.Value.Kind == yamldoc.Null {
			continue
		}
		if given[name] {
			c.Errorf(n.Key(f), "The inputs of %s have both '%s' and '%s%s'; keep one", c.where(), name, name, RefSuffix)
		}
		given[name] = true
	}
	return given
}

// reference reads the value of a key with the suffix: a path, or else a
// literal. Source: workflows.md §3.1.
func (c stepChecker) reference(n *yamldoc.Node, in *Input) any {
	if n.Kind != yamldoc.Scalar {
		c.Errorf(n, "Input '%s%s' in %s must be a path such as '$.parameters.name', not a %s", in.Name, RefSuffix, c.where(), n.Kind)
		return ""
	}
	if in.Step && !strings.HasPrefix(n.Text, PathPrefix+RootStepOutputs+".") {
		c.Errorf(n, "Input '%s%s' in %s must be a path that starts with '$.stepOutputs.'", in.Name, RefSuffix, c.where())
		return n.Text
	}
	if !IsPath(n.Text) {
		return c.value(n, in)
	}
	if kind := c.path(n, n.Text); kind != "" && !fits(kind, in.Kind) {
		c.Errorf(n, "Input '%s' in %s takes a %s; '%s' is a %s", in.Name, c.where(), in.Kind, n.Text, kind)
	}
	return n.Text
}

// fits reports whether a value of a kind can be one of another: scalars stand
// for each other by their spelling, which is checked when the step runs.
func fits(kind, wanted Kind) bool {
	scalars := []Kind{String, Integer, Boolean}
	if slices.Contains(scalars, kind) || slices.Contains(scalars, wanted) {
		return slices.Contains(scalars, kind) && slices.Contains(scalars, wanted)
	}
	return kind == wanted || wanted == Objects && (kind == Object || kind == ObjectList)
}

// value reads a literal of the input's kind.
func (c stepChecker) value(n *yamldoc.Node, in *Input) any {
	if in.Step {
		c.Errorf(n, "Input '%s' in %s must be a path; write '%s%s: $.stepOutputs.…'", in.Name, c.where(), in.Name, RefSuffix)
		return nil
	}
	switch in.Kind {
	case StringList:
		return c.strings(n, in)
	case StringMap, StringListMap:
		return c.entries(n, in)
	case Object:
		return c.object(n, in)
	case ObjectList:
		return c.objects(n, in)
	case Objects:
		if n.Kind == yamldoc.List {
			return c.objects(n, in)
		}
		return c.object(n, in)
	}
	return c.scalar(n, in)
}

// wrongKind reports a value of another shape than its input's.
func (c stepChecker) wrongKind(n *yamldoc.Node, in *Input, wanted Kind) {
	c.Errorf(n, "Input '%s' in %s must be a %s, not a %s%s", in.Name, c.where(), wanted, n.Kind, yamldoc.UnquotedHint(n))
}

func (c stepChecker) strings(n *yamldoc.Node, in *Input) []any {
	if n.Kind != yamldoc.List {
		c.Errorf(n, "Input '%s' in %s must be a list of strings, not a %s", in.Name, c.where(), n.Kind)
		return nil
	}
	out := []any{}
	for _, item := range n.Items {
		out = append(out, c.scalar(item, &Input{Name: in.Name, Kind: String}))
	}
	return out
}

// entries reads a mapping with keys of the writer's own.
func (c stepChecker) entries(n *yamldoc.Node, in *Input) map[string]any {
	if n.Kind != yamldoc.Mapping {
		c.wrongKind(n, in, in.Kind)
		return nil
	}
	if in.Max > 0 && len(n.Fields) > in.Max {
		c.Errorf(n, "Input '%s' in %s has %d entries; at most %d are allowed", in.Name, c.where(), len(n.Fields), in.Max)
	}
	element := Input{Name: in.Name, Kind: String}
	if in.Kind == StringListMap {
		element.Kind = StringList
	}
	c.names(n)
	out := map[string]any{}
	for _, f := range n.Fields {
		switch {
		case f.Value.Kind == yamldoc.Null:
		case strings.HasSuffix(f.Key, RefSuffix):
			out[f.Key] = c.reference(f.Value, &element)
		default:
			out[f.Key] = c.value(f.Value, &element)
		}
	}
	return out
}

func (c stepChecker) object(n *yamldoc.Node, in *Input) map[string]any {
	if n.Kind != yamldoc.Mapping {
		c.wrongKind(n, in, Object)
		return nil
	}
	return c.members(n, in.Members)
}

func (c stepChecker) objects(n *yamldoc.Node, in *Input) []any {
	if n.Kind != yamldoc.List {
		c.Errorf(n, "Input '%s' in %s must be a list of mappings, not a %s", in.Name, c.where(), n.Kind)
		return nil
	}
	out := []any{}
	for _, item := range n.Items {
		out = append(out, c.object(item, in))
	}
	return out
}

// scalar reads a text, number or boolean. What holds for a text is checked
// here unless it has paths, whose values nobody knows yet.
func (c stepChecker) scalar(n *yamldoc.Node, in *Input) any {
	if n.Kind != yamldoc.Scalar {
		c.wrongKind(n, in, in.Kind)
		return nil
	}
	if len(Interpolations(n.Text)) > 0 {
		c.interpolations(n, n.Text)
		return n.Text
	}
	switch in.Kind {
	case Integer:
		v, ok := n.Integer()
		if !ok {
			c.Errorf(n, "Input '%s' in %s must be an integer, not '%s'", in.Name, c.where(), n.Text)
		}
		return v
	case Boolean:
		v, ok := n.Boolean()
		if !ok {
			c.Errorf(n, "Input '%s' in %s must be true or false, not '%s'", in.Name, c.where(), n.Text)
		}
		return v
	}
	c.text(n, in)
	return n.Text
}

func (c stepChecker) text(n *yamldoc.Node, in *Input) {
	switch {
	case len(in.Values) > 0 && !slices.Contains(in.Values, n.Text):
		c.Errorf(n, "Input '%s' in %s must be one of %s, not '%s'%s%s", in.Name, c.where(), strings.Join(in.Values, ", "), n.Text, yamldoc.DidYouMean(n.Text, in.Values), pathHint(n, in))
	case in.Pattern != nil && !in.Pattern.MatchString(n.Text):
		c.Errorf(n, "Input '%s' in %s must match %s; '%s' does not%s", in.Name, c.where(), in.Pattern, n.Text, pathHint(n, in))
	case in.Max > 0 && len(n.Text) > in.Max:
		c.Errorf(n, "Input '%s' in %s has more than %d bytes", in.Name, c.where(), in.Max)
	case in.JSON && !json.Valid([]byte(n.Text)):
		c.Errorf(n, "Input '%s' in %s must be a text of JSON%s", in.Name, c.where(), pathHint(n, in))
	case in.Required && n.Text == "":
		c.Errorf(n, "Input '%s' in %s must not be empty", in.Name, c.where())
	case IsPath(n.Text):
		c.Warnf(n, "Input '%s' in %s is taken as it is%s", in.Name, c.where(), pathHint(n, in))
	}
}

// pathHint explains the usual reason for a path where a literal belongs.
func pathHint(n *yamldoc.Node, in *Input) string {
	if !IsPath(n.Text) {
		return ""
	}
	return "; to use the value of a path, write '" + in.Name + RefSuffix + "'"
}
