package workflow

import (
	"encoding/json"
	"fmt"
	"strings"

	"ingot.dev/ingot/model"
)

// Values are what the paths of a document name while its workflow runs: JSON
// values as package encoding/json decodes them. Integer parameters are
// json.Number, so that none loses digits.
type Values struct {
	Parameters      map[string]any
	StepOutputs     map[string]any // by step, each a map[string]any
	WorkflowOutputs map[string]any
	ImageBuilder    map[string]any // by name, in lower case
}

// Typed gives parameters the types of their declaration; what is not given has
// its default. Source: workflows.md §2.2.
func Typed(declared []model.WorkflowParameterDetail, given []model.WorkflowParameter) (map[string]any, error) {
	texts := map[string][]string{}
	for _, p := range given {
		texts[p.Name] = p.Value
	}
	typed := map[string]any{}
	for _, p := range declared {
		list, ok := texts[p.Name]
		if !ok {
			list = p.DefaultValue
		}
		if list == nil && !ok {
			return nil, fmt.Errorf("parameter '%s' has neither a value nor a default", p.Name)
		}
		value, err := typedValue(p, list)
		if err != nil {
			return nil, err
		}
		typed[p.Name] = value
	}
	return typed, nil
}

func typedValue(p model.WorkflowParameterDetail, list []string) (any, error) {
	if p.Type == TypeStringList {
		values := []any{}
		for _, text := range list {
			values = append(values, text)
		}
		return values, nil
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("parameter '%s' takes one value, not %d", p.Name, len(list))
	}
	switch text := list[0]; p.Type {
	case TypeInteger:
		if !integerText.MatchString(text) {
			return nil, fmt.Errorf("parameter '%s' is an integer, which '%s' is not", p.Name, text)
		}
		return json.Number(withoutZeros(text)), nil
	case TypeBoolean:
		if b, ok := boolean(text); ok {
			return b, nil
		}
		return nil, fmt.Errorf("parameter '%s' is a boolean, which '%s' is not", p.Name, text)
	default:
		return text, nil
	}
}

// withoutZeros is an integer without leading zeros, which JSON does not have.
func withoutZeros(text string) string {
	digits, negative := strings.CutPrefix(text, "-")
	digits = strings.TrimLeft(digits[:len(digits)-1], "0") + digits[len(digits)-1:]
	if negative && digits != "0" {
		return "-" + digits
	}
	return digits
}

// boolean reads true or false in any letter case. Source: workflows.md §2.2.
func boolean(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// Lookup returns the value that a path names, or nil when there is none.
func (v Values) Lookup(path string) (any, error) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, err
	}
	root, name := p.name(0), p.name(1)
	var members map[string]any
	switch {
	case strings.EqualFold(root, RootImageBuilder):
		members, name = v.ImageBuilder, strings.ToLower(name)
	case root == RootParameters:
		members = v.Parameters
	case root == RootStepOutputs:
		members = v.StepOutputs
	case root == RootWorkflowOutputs:
		members = v.WorkflowOutputs
	}
	if name == "" {
		return nil, nil
	}
	return descend(members[name], p[2:]), nil
}

// descend follows members and list positions; nil where there is nothing.
func descend(value any, rest Path) any {
	for _, part := range rest {
		switch container := value.(type) {
		case map[string]any:
			value = container[part.Name]
			if part.Name == "" {
				return nil
			}
		case []any:
			if part.Name != "" || part.Index >= len(container) {
				return nil
			}
			value = container[part.Index]
		default:
			return nil
		}
	}
	return value
}

// Text is a value within a text: a string is itself, anything else compact
// JSON. Source: workflows.md §3.2.
func Text(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	data, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("writing a value as JSON: %w", err)
	}
	return string(data), nil
}
