package main

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// writeOperations writes the input and output structures, in operation order.
func writeOperations(a *api, b *bytes.Buffer) error {
	for _, name := range a.Operations.names {
		op := a.Operations.values[name]
		fmt.Fprintf(b, "// %s is the input of %s.\n", op.Input.Shape, name)
		if err := a.writeStruct(b, op.Input.Shape); err != nil {
			return err
		}
		fmt.Fprintf(b, "// %s is the output of %s.\n", op.Output.Shape, name)
		if err := a.writeStruct(b, op.Output.Shape); err != nil {
			return err
		}
	}
	return nil
}

// writeTypes writes all other structures, by name.
func writeTypes(a *api, b *bytes.Buffer) error {
	operations := map[string]bool{}
	for _, op := range a.Operations.values {
		operations[op.Input.Shape], operations[op.Output.Shape] = true, true
	}
	for _, name := range sorted(a.Shapes.names) {
		s := a.Shapes.values[name]
		if s.Type != "structure" || s.Error != nil || operations[name] {
			continue
		}
		fmt.Fprintf(b, "// %s is the structure %s.\n", name, name)
		if err := a.writeStruct(b, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *api) writeStruct(b *bytes.Buffer, name string) error {
	s, ok := a.Shapes.values[name]
	if !ok {
		return fmt.Errorf("no shape %s", name)
	}
	fmt.Fprintf(b, "type %s struct {\n", name)
	for _, member := range s.Members.names {
		goType, option, err := a.memberType(s.Members.values[member].Shape, s.requires(member))
		if err != nil {
			return fmt.Errorf("%s.%s: %w", name, member, err)
		}
		fmt.Fprintf(b, "%s %s `json:\"%s%s\"`\n", exported(member), goType, member, option)
	}
	b.WriteString("}\n\n")
	return nil
}

// emptyString is the one string shape of which "" is a value. Source: api.md §1.3.
const emptyString = "EmptyString"

// memberType returns the Go type of a structure's member and its tag option.
func (a *api) memberType(name string, required bool) (goType, option string, err error) {
	goType, err = a.goType(name)
	if err != nil {
		return "", "", err
	}
	switch s := a.Shapes.values[name]; s.Type {
	case "list", "map":
		return goType, ",omitzero", nil
	case "structure":
		return "*" + goType, ",omitempty", nil
	case "string":
		if name == emptyString {
			return "*string", ",omitempty", nil
		}
		return goType, ",omitempty", nil
	}
	if required {
		return goType, "", nil
	}
	return "*" + goType, ",omitempty", nil
}

func (a *api) goType(name string) (string, error) {
	s, ok := a.Shapes.values[name]
	if !ok {
		return "", fmt.Errorf("no shape %s", name)
	}
	switch s.Type {
	case "structure":
		return name, nil
	case "list":
		element, err := a.goType(s.Member.Shape)
		return "[]" + element, err
	case "map":
		element, err := a.goType(s.Value.Shape)
		return "map[string]" + element, err
	case "string":
		if len(s.Enum) > 0 {
			return name, nil
		}
		return "string", nil
	}
	basic := map[string]string{
		"integer": "int", "long": "int64", "double": "float64", "boolean": "bool", "timestamp": "Epoch",
	}[s.Type]
	if basic == "" {
		return "", fmt.Errorf("shape %s has the unknown type %q", name, s.Type)
	}
	return basic, nil
}

func writeEnums(a *api, b *bytes.Buffer) error {
	taken := map[string]string{}
	for _, name := range sorted(a.Shapes.names) {
		s := a.Shapes.values[name]
		if len(s.Enum) == 0 {
			continue
		}
		fmt.Fprintf(b, "// %s is an enum of the model.\ntype %s string\n\n// The values of %s.\nconst (\n", name, name, name)
		for _, value := range s.Enum {
			constant := name + words(value)
			if other, ok := taken[constant]; ok {
				return fmt.Errorf("%s and %s of %s have one constant, %s", other, value, name, constant)
			}
			taken[constant] = value
			fmt.Fprintf(b, "%s %s = %q\n", constant, name, value)
		}
		b.WriteString(")\n\n")
	}
	return nil
}

// words turns an enum value into the end of a constant's name:
// IMPORT_ISO becomes ImportIso, aws:ec2:image becomes AwsEc2Image.
func words(value string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if word == strings.ToUpper(word) {
			word = strings.ToLower(word)
		}
		b.WriteString(exported(word))
	}
	return b.String()
}

func exported(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func sorted(names []string) []string {
	names = append([]string(nil), names...)
	sort.Strings(names)
	return names
}
