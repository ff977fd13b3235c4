package main

import (
	"bytes"
	"fmt"
)

// writeLimits writes a Shape variable for each shape that an input reaches.
// Variables refer to each other; a recursive input would not compile.
func writeLimits(a *api, b *bytes.Buffer) error {
	reached := map[string]bool{}
	for _, op := range a.Operations.values {
		if err := a.reach(op.Input.Shape, reached); err != nil {
			return err
		}
	}
	b.WriteString("var (\n")
	for _, name := range sorted(a.Shapes.names) {
		if !reached[name] {
			continue
		}
		if err := a.writeLimit(b, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	b.WriteString(")\n")
	return nil
}

func (a *api) reach(name string, reached map[string]bool) error {
	s, ok := a.Shapes.values[name]
	if !ok {
		return fmt.Errorf("no shape %s", name)
	}
	if reached[name] {
		return nil
	}
	reached[name] = true
	refs := []ref{s.Member, s.Key, s.Value}
	for _, member := range s.Members.names {
		refs = append(refs, s.Members.values[member])
	}
	for _, r := range refs {
		if r.Shape == "" {
			continue
		}
		if err := a.reach(r.Shape, reached); err != nil {
			return err
		}
	}
	return nil
}

var kinds = map[string]string{
	"structure": "Structure", "list": "List", "map": "Map", "string": "String",
	"integer": "Integer", "long": "Integer", "boolean": "Boolean", "timestamp": "Timestamp",
}

func (a *api) writeLimit(b *bytes.Buffer, name string) error {
	s := a.Shapes.values[name]
	kind, ok := kinds[s.Type]
	if !ok {
		return fmt.Errorf("an input of type %s is not supported", s.Type)
	}
	if kind == "Integer" && (s.Min == nil || s.Max == nil) && name != "MaxParallelLaunches" {
		return fmt.Errorf("an input number needs a range")
	}
	fmt.Fprintf(b, "%s = &Shape{Name: %q, Kind: %s", variable(name), name, kind)
	e, longest := translate(name, s.Pattern)
	if s.Min != nil {
		fmt.Fprintf(b, ", Min: %d", *s.Min)
	}
	if s.Max != nil {
		longest = *s.Max
	}
	if longest > 0 {
		fmt.Fprintf(b, ", Max: %d", longest)
	}
	if e.goSyntax != "" {
		fmt.Fprintf(b, ", Pattern: pattern(%s, %s, %q)", quote(e.source), quote(e.goSyntax), e.notPrefix)
	}
	values := s.Enum
	if name == emptyString { // its max of 0 would read as none
		values = []string{""}
	}
	if len(values) > 0 {
		fmt.Fprintf(b, ", Enum: %#v", values)
	}
	switch s.Type {
	case "list":
		fmt.Fprintf(b, ", Element: %s", variable(s.Member.Shape))
	case "map":
		fmt.Fprintf(b, ", Key: %s, Element: %s", variable(s.Key.Shape), variable(s.Value.Shape))
	}
	if s.Type == "structure" {
		a.writeMembers(b, s)
	}
	b.WriteString("}\n")
	return nil
}

func (a *api) writeMembers(b *bytes.Buffer, s *shape) {
	b.WriteString(", Members: []Member{\n")
	for _, member := range s.Members.names {
		r := s.Members.values[member]
		fmt.Fprintf(b, "{Name: %q, ", member)
		if r.Location != "" {
			fmt.Fprintf(b, "In: %q, ", r.Location)
		}
		if s.requires(member) {
			b.WriteString("Required: true, ")
		}
		fmt.Fprintf(b, "Shape: %s},\n", variable(r.Shape))
	}
	b.WriteString("}")
}

func variable(shape string) string { return "shape" + shape }

// quote prefers the raw form: the patterns are unreadable enough.
func quote(s string) string { return "`" + s + "`" }

func writeRoutes(a *api, b *bytes.Buffer) error {
	b.WriteString("// Routes are all operations, by name.\nvar Routes = []Route{\n")
	for _, name := range sorted(a.Operations.names) {
		op := a.Operations.values[name]
		fmt.Fprintf(b, "{Operation: %q, Method: %q, Path: %q, Input: %s, Output: %q,\nErrors: []string{",
			name, op.HTTP.Method, op.HTTP.RequestURI, variable(op.Input.Shape), op.Output.Shape)
		for _, e := range op.Errors {
			fmt.Fprintf(b, "%q, ", e.Shape)
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n\n// Exceptions are the HTTP statuses of the model's errors.\nvar Exceptions = map[string]int{\n")
	for _, name := range sorted(a.Shapes.names) {
		if s := a.Shapes.values[name]; s.Error != nil {
			fmt.Fprintf(b, "%q: %d,\n", name, s.Error.HTTPStatus)
		}
	}
	b.WriteString("}\n")
	return nil
}
