package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// validate checks decoded members against the model's limits, in the model's
// order, and returns the first fault.
func validate(s *model.Shape, members map[string]any) error {
	return validateValue(s, members, "")
}

func validateValue(s *model.Shape, value any, path string) error {
	switch v := value.(type) {
	case map[string]any:
		if s.Kind == model.Map {
			return validateMap(s, v, path)
		}
		return validateStructure(s, v, path)
	case []any:
		if err := checkCount(s, len(v), path); err != nil {
			return err
		}
		for i, element := range v {
			if err := validateValue(s.Element, element, index(path, i)); err != nil {
				return err
			}
		}
	case string:
		return validateString(s, v, path)
	case json.Number:
		return validateNumber(s, v, path)
	}
	return nil
}

func validateStructure(s *model.Shape, members map[string]any, path string) error {
	for _, m := range s.Members {
		value, ok := members[m.Name]
		if !ok {
			if m.Required {
				return missing(join(path, m.Name))
			}
			continue
		}
		if err := validateValue(m.Shape, value, join(path, m.Name)); err != nil {
			return err
		}
	}
	return nil
}

func missing(path string) error {
	return &ingot.Error{
		Code: ingot.CodeMissing, Field: path,
		Message: fmt.Sprintf("The parameter '%s' is required. Supply a value.", path),
	}
}

func validateMap(s *model.Shape, entries map[string]any, path string) error {
	if err := checkCount(s, len(entries), path); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if err := validateString(s.Key, key, path); err != nil {
			return err
		}
		if err := validateValue(s.Element, entries[key], join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func checkCount(s *model.Shape, n int, path string) error {
	if count := int64(n); count < s.Min || s.Max > 0 && count > s.Max {
		return ingot.InvalidField(path, "It has %d entries; %s.", n, bounds(s))
	}
	return nil
}

func validateString(s *model.Shape, value, path string) error {
	if s.Kind == model.Timestamp {
		return nil
	}
	if n := int64(utf8.RuneCountInString(value)); n < s.Min || s.Max > 0 && n > s.Max {
		return ingot.InvalidField(path, "It has %d characters; %s.", n, bounds(s))
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return ingot.InvalidField(path, "'%s' is not one of: %s.", shorten(value), strings.Join(s.Enum, ", "))
	}
	if s.Pattern == nil || s.Pattern.Match(value) {
		return nil
	}
	if s.Name == "VersionNumber" || s.Name == "WildcardVersionNumber" {
		return &ingot.Error{Code: ingot.CodeVersion, Field: path, Message: fmt.Sprintf(
			"The value supplied for parameter '%s' is not valid. '%s' is not a version of the pattern %s.", path, shorten(value), s.Pattern.Source)}
	}
	return ingot.InvalidField(path, "'%s' does not match the pattern %s.", shorten(value), s.Pattern.Source)
}

func validateNumber(s *model.Shape, value json.Number, path string) error {
	if s.Kind != model.Integer {
		return nil
	}
	n, err := value.Int64()
	if err != nil || n < s.Min || s.Max > 0 && n > s.Max {
		return ingot.InvalidField(path, "It is %s; %s.", shorten(value.String()), bounds(s))
	}
	return nil
}

func bounds(s *model.Shape) string {
	if s.Max == 0 {
		return fmt.Sprintf("at least %d is allowed", s.Min)
	}
	return fmt.Sprintf("%d to %d are allowed", s.Min, s.Max)
}

// shorten keeps an error message readable whatever was sent.
func shorten(s string) string { return cut(s, 128) }

// cut returns the first characters of a text, and shows that there were more.
func cut(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters]) + "…"
}
