package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxResolved bounds the texts of a step's resolved inputs, in bytes: outputs
// of earlier steps may be long, and named often.
const maxResolved = 1 << 20

// unresolved is the error for a path that names nothing. Source: workflows.md §3.4.
func unresolved(path string) error {
	//lint:ignore ST1005 the words of the API
	return fmt.Errorf("Unable to resolve %s", path)
}

// Resolve returns the inputs of a step with all paths replaced by their values,
// and checks them against what the action takes. Keys lose RefSuffix; values
// keep their JSON types. Source: workflows.md §3.1, §3.2.
func (v Values) Resolve(s Step) (map[string]any, error) {
	r := resolver{values: v, left: maxResolved}
	inputs, err := r.mapping(s.Inputs)
	if err != nil {
		return nil, err
	}
	return inputs, checkMembers(inputs, s.Action.Inputs)
}

type resolver struct {
	values Values
	left   int // bytes
}

func (r *resolver) mapping(from map[string]any) (map[string]any, error) {
	to := make(map[string]any, len(from))
	for key, value := range from {
		name, isReference := strings.CutSuffix(key, RefSuffix)
		resolved, err := r.member(value, isReference)
		if err != nil {
			return nil, err
		}
		to[name] = resolved
	}
	return to, nil
}

func (r *resolver) member(value any, isReference bool) (any, error) {
	text, isText := value.(string)
	if isReference && isText && IsPath(text) {
		return r.reference(text)
	}
	switch value := value.(type) {
	case string:
		return r.text(value)
	case map[string]any:
		return r.mapping(value)
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			var err error
			if list[i], err = r.member(item, false); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return value, nil
}

func (r *resolver) reference(path string) (any, error) {
	value, err := r.values.Lookup(path)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, unresolved(path)
	}
	text, err := Text(value)
	if err != nil {
		return nil, err
	}
	return value, r.spend(len(text))
}

// text replaces the paths within {{ }}.
func (r *resolver) text(text string) (string, error) {
	var b strings.Builder
	at := 0
	for _, m := range interpolated.FindAllStringSubmatchIndex(text, -1) {
		value, err := r.reference(text[m[2]:m[3]])
		if err != nil {
			return "", err
		}
		inserted, err := Text(value)
		if err != nil {
			return "", err
		}
		b.WriteString(text[at:m[0]] + inserted)
		at = m[1]
	}
	b.WriteString(text[at:])
	return b.String(), r.spend(len(text) - at)
}

func (r *resolver) spend(bytes int) error {
	if r.left -= bytes; r.left < 0 {
		return fmt.Errorf("the resolved inputs have more than %d bytes", maxResolved)
	}
	return nil
}

// RollbackOf is rollbackEnabled of a step as a boolean. A path that names none
// is an error.
func (v Values) RollbackOf(s Step) (bool, error) {
	if !IsPath(s.RollbackEnabled) {
		return s.RollbackEnabled != "false", nil
	}
	value, err := v.Lookup(s.RollbackEnabled)
	if err != nil {
		return false, err
	}
	if value == nil {
		return false, unresolved(s.RollbackEnabled)
	}
	text, err := Text(value)
	if err != nil {
		return false, err
	}
	enabled, ok := boolean(text)
	if !ok {
		return false, fmt.Errorf("rollbackEnabled is '%s', which is not a boolean", text)
	}
	return enabled, nil
}

// Results are the outputs of a workflow whose steps have all ended. One whose
// path names nothing is left out. Source: workflows.md §2.4.
func (v Values) Results(d *Document) (map[string]any, error) {
	results := map[string]any{}
	for _, o := range d.Outputs {
		r := resolver{values: v, left: maxResolved}
		value, err := r.member(o.Value, true)
		if err != nil && !r.isMissing(o.Value) {
			return nil, fmt.Errorf("output '%s': %w", o.Name, err)
		}
		if err == nil {
			results[o.Name] = value
		}
	}
	return results, nil
}

// isMissing reports whether a path of a text names nothing.
func (r *resolver) isMissing(text string) bool {
	paths := Interpolations(text)
	if IsPath(text) {
		paths = []string{text}
	}
	return slices.ContainsFunc(paths, func(p string) bool {
		value, err := r.values.Lookup(p)
		return value == nil && err == nil
	})
}

// checkMembers checks resolved values against the inputs that declare them.
func checkMembers(values map[string]any, declared []Input) error {
	for _, in := range declared {
		value, ok := values[in.Name]
		if !ok {
			continue // Check has seen to it that required ones are there
		}
		if err := checkResolved(value, in); err != nil {
			return err
		}
	}
	return nil
}

func checkResolved(value any, in Input) error {
	wrong := func() error {
		return fmt.Errorf("input '%s' must be a %s, not %s", in.Name, in.Kind, shown(value))
	}
	switch in.Kind {
	case StringList:
		if _, ok := Strings(value); !ok {
			return wrong()
		}
	case StringMap, StringListMap:
		return checkEntries(value, in, wrong)
	case Object, ObjectList, Objects:
		objects, ok := Mappings(value)
		if _, isList := value.([]any); !ok || isList && in.Kind == Object || !isList && in.Kind == ObjectList {
			return wrong()
		}
		for _, object := range objects {
			if err := checkMembers(object, in.Members); err != nil {
				return err
			}
		}
	default:
		return checkScalar(value, in, wrong)
	}
	return nil
}

func checkEntries(value any, in Input, wrong func() error) error {
	entries, ok := value.(map[string]any)
	if !ok {
		return wrong()
	}
	if in.Max > 0 && len(entries) > in.Max {
		return fmt.Errorf("input '%s' has %d entries; at most %d are allowed", in.Name, len(entries), in.Max)
	}
	for _, entry := range entries {
		_, isScalar := Scalar(entry)
		_, isList := Strings(entry)
		if in.Kind == StringMap && !isScalar || in.Kind == StringListMap && !isList {
			return wrong()
		}
	}
	return nil
}

func checkScalar(value any, in Input, wrong func() error) error {
	text, ok := Scalar(value)
	if !ok {
		return wrong()
	}
	_, isBool := boolean(text)
	switch {
	case in.Kind == Integer && !integerText.MatchString(text), in.Kind == Boolean && !isBool:
		return wrong()
	case len(in.Values) > 0 && !slices.Contains(in.Values, text):
		return fmt.Errorf("input '%s' must be one of %s, not %s", in.Name, strings.Join(in.Values, ", "), shown(text))
	case in.Pattern != nil && !in.Pattern.MatchString(text):
		return fmt.Errorf("input '%s' must match %s; %s does not", in.Name, in.Pattern, shown(text))
	case in.Max > 0 && len(text) > in.Max:
		return fmt.Errorf("input '%s' has %d bytes; at most %d are allowed", in.Name, len(text), in.Max)
	case in.JSON && !json.Valid([]byte(text)):
		return fmt.Errorf("input '%s' must be a text of JSON, which %s is not", in.Name, shown(text))
	}
	return nil
}

// maxShown is how much of a wrong value a message has, in characters.
const maxShown = 80

func shown(value any) string {
	text, err := Text(value)
	if err != nil {
		return fmt.Sprintf("a %T", value)
	}
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return "'" + text + "'"
}

// Scalar is the text of a string, number or boolean.
func Scalar(value any) (string, bool) {
	switch value.(type) {
	case string, json.Number, float64, int64, bool:
		text, err := Text(value)
		return text, err == nil
	}
	return "", false
}

// Strings are the texts of a list of scalars.
func Strings(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i], ok = Scalar(item); !ok {
			return nil, false
		}
	}
	return texts, true
}

// Mappings are the elements of a list of mappings, or one mapping alone.
func Mappings(value any) ([]map[string]any, bool) {
	if one, ok := value.(map[string]any); ok {
		return []map[string]any{one}, true
	}
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	var all []map[string]any
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		all = append(all, m)
	}
	return all, true
}
