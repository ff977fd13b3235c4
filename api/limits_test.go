package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ingot.dev/ingot/model"
)

// TestModelLimits breaks every limit of the model, alone, in a valid request
// of every operation: required members, lengths, counts, ranges, patterns,
// enums and JSON types. Each is refused with the exception of the wire's rules
// and the path of the parameter. Nothing of it is listed by hand but the
// requests, and the exceptions in relaxed and refusal.
func TestModelLimits(t *testing.T) {
	w := newWorld(t)
	requests := w.requests()
	examples := examplesOf(requests)
	total, rules := 0, map[string]int{}
	for _, r := range requests {
		route := routeOf(r.operation)
		for _, b := range examples.breaks(route.Input, r.in) {
			if b.path == "" || relaxed(route, b) { // a body that is no object: TestMalformedBody
				continue
			}
			total++
			rules[b.rule]++
			in, _ := b.value.(obj)
			path, body := onTheWire(route, in)
			a := w.call(route.Method, path, body)
			want := refusal(route.Operation, b)
			if a.Status != 400 || a.exception() != want || !strings.Contains(a.message(), "'"+b.path+"'") {
				t.Errorf("%s, %s of %s broken = %d %s %q, want 400 %s naming '%s'", r.operation, b.rule, b.path, a.Status, a.exception(), a.message(), want, b.path)
			}
		}
	}
	t.Logf("%d limits: %v", total, rules)
	for _, rule := range []string{"required", "null", "type", "min", "max", "pattern", "enum", "key"} {
		if rules[rule] == 0 {
			t.Errorf("no limit of the kind %q was broken", rule)
		}
	}
}

// relaxed are breaks that the wire's rules allow.
func relaxed(route model.Route, b broken) bool {
	end := strings.IndexAny(b.path+".", ".[")
	nested := end < len(b.path)
	m, _ := route.Input.Member(b.path[:end])
	switch {
	case m.In == "uri" && b.rule == "required", m.In != "" && (b.rule == "type" || b.rule == "null"):
		return true // a path has its label, and both are text. Source: api.md §1.1.
	case b.rule == "min" && b.shape.Kind == model.Map && (nested || !m.Required):
		last := b.path[strings.LastIndexByte(b.path, '.')+1:]
		return slices.Contains([]string{"tags", "imageTags", "amiTags", "resourceTags"}, last) // Source: api.md §1.3.
	}
	return false
}

// refusal is the exception of a broken limit. Source: api.md §1.1, §1.5, §2.4.
func refusal(operation string, b broken) string {
	switch {
	case b.rule == "type":
		return "SerializationException"
	case strings.HasSuffix(operation, "Resource") && operation != "GetMarketplaceResource": // the tag operations
		return "InvalidParameterException"
	case operation == "ImportVmImage", operation == "ImportDiskImage":
		return "ClientException"
	case b.rule == "required", b.rule == "null":
		return "InvalidParameterException"
	case b.rule == "pattern" && strings.HasSuffix(b.shape.Name, "VersionNumber"):
		return "InvalidVersionNumberException"
	}
	return invalid
}

// broken is a value with one limit broken somewhere inside.
type broken struct {
	path  string // of the member at fault, as messages name it
	rule  string
	shape *model.Shape // whose limit it is
	value any
}

// examples are valid values by the name of their shape.
type examples map[string]any

// examplesOf collects the values of requests, and adds those of the members
// that only machinery sends.
func examplesOf(requests []request) examples {
	e := examples{"ClientToken": "token", "PaginationToken": "token", "DateTimeTimestamp": 4e9}
	for _, r := range requests {
		e.collect(routeOf(r.operation).Input, r.in)
	}
	return e
}

func (e examples) collect(s *model.Shape, value any) {
	e[s.Name] = value
	switch v := value.(type) {
	case obj:
		for _, m := range s.Members {
			if member, ok := v[m.Name]; ok {
				e.collect(m.Shape, member)
			}
		}
	case []any:
		for _, element := range v {
			e.collect(s.Element, element)
		}
	}
}

// breaks returns copies of a value, each with one limit of the shape broken.
func (e examples) breaks(s *model.Shape, value any) []broken {
	switch s.Kind {
	case model.Structure:
		return e.structureBreaks(s, value.(obj))
	case model.List:
		return e.listBreaks(s, value.([]any))
	case model.Map:
		return mapBreaks(s, value.(obj))
	case model.Integer:
		list := []broken{{"", "type", s, "1"}, {"", "type", s, 1.5}, {"", "min", s, float64(s.Min - 1)}}
		if s.Max > 0 {
			list = append(list, broken{"", "max", s, float64(s.Max + 1)})
		}
		return list
	case model.Boolean:
		return []broken{{"", "type", s, "true"}}
	case model.Timestamp:
		return []broken{{"", "type", s, "tomorrow"}, {"", "type", s, true}}
	}
	return stringBreaks(s, value.(string))
}

func (e examples) structureBreaks(s *model.Shape, value obj) []broken {
	list := []broken{{"", "type", s, []any{}}}
	if value == nil {
		value = obj{}
	}
	for _, m := range s.Members {
		with := func(member any) obj {
			c := maps.Clone(value)
			c[m.Name] = member
			return c
		}
		if m.Required {
			without := maps.Clone(value)
			delete(without, m.Name)
			list = append(list, broken{m.Name, "required", m.Shape, without}, broken{m.Name, "null", m.Shape, with(nil)})
		}
		member, ok := value[m.Name]
		if !ok {
			if member, ok = e[m.Shape.Name]; !ok {
				panic("no request has an example of " + m.Shape.Name)
			}
		}
		for _, b := range e.breaks(m.Shape, member) {
			path := m.Name + b.path
			if b.path != "" && b.path[0] != '[' {
				path = m.Name + "." + b.path
			}
			list = append(list, broken{path, b.rule, b.shape, with(b.value)})
		}
	}
	return list
}

func (e examples) listBreaks(s *model.Shape, value []any) []broken {
	list := []broken{{"", "type", s, obj{}}}
	if s.Min > 0 {
		list = append(list, broken{"", "min", s, value[:s.Min-1]})
	}
	element := e[s.Element.Name]
	if s.Max > 0 {
		list = append(list, broken{"", "max", s, slices.Repeat([]any{element}, int(s.Max)+1)})
	}
	for _, b := range e.breaks(s.Element, element) {
		path := "[0]" + b.path
		if b.path != "" && b.path[0] != '[' {
			path = "[0]." + b.path
		}
		list = append(list, broken{path, b.rule, b.shape, []any{b.value}})
	}
	return append(list, broken{"[0]", "type", s.Element, []any{nil}})
}

func mapBreaks(s *model.Shape, value obj) []broken {
	list := []broken{{"", "type", s, []any{}}}
	if s.Min > 0 {
		list = append(list, broken{"", "min", s, obj{}})
	}
	if s.Max > 0 {
		many := obj{}
		for n := range s.Max + 1 {
			many[fmt.Sprint("key", n)] = "v"
		}
		list = append(list, broken{"", "max", s, many})
	}
	for _, b := range stringBreaks(s.Key, "key") {
		if b.rule != "type" {
			list = append(list, broken{"", "key", s.Key, obj{b.value.(string): "v"}})
		}
	}
	for _, b := range stringBreaks(s.Element, "v") {
		list = append(list, broken{"key", b.rule, b.shape, obj{"key": b.value}})
	}
	return list
}

func stringBreaks(s *model.Shape, value string) []broken {
	list := []broken{{"", "type", s, 1.0}}
	if s.Min > 0 {
		list = append(list, broken{"", "min", s, strings.Repeat("a", int(s.Min)-1)})
	}
	if s.Max > 0 {
		list = append(list, broken{"", "max", s, strings.Repeat("a", int(s.Max)+1)}, broken{"", "max", s, strings.Repeat("é", int(s.Max)+1)})
	}
	if len(s.Enum) > 0 {
		list = append(list, broken{"", "enum", s, s.Enum[0] + "x"})
	}
	if s.Pattern == nil {
		return list
	}
	before := len(list)
	for _, wrong := range []string{"", "a\x00" + value, value + "é", "aws:" + value, "AWS:x", "\n" + value, value + "\n", "!"} {
		if n := int64(utf8.RuneCountInString(wrong)); n >= s.Min && (s.Max == 0 || n <= s.Max) && !s.Pattern.Match(wrong) {
			list = append(list, broken{"", "pattern", s, wrong})
		}
	}
	if len(list) == before {
		panic("nothing breaks the pattern of " + s.Name)
	}
	return list
}
