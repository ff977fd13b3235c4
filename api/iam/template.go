package iam

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// template is a string with variables, and with wildcards if its place has
// them. Values never bring wildcards with them.
type template struct {
	parts []part
	fixed pattern // the whole, when nothing is variable
}

// part is a piece of text or a variable.
type part struct {
	text       []rune // with wildcard marks
	key        string // of a variable, in lower case
	fallback   string
	hasDefault bool
}

var (
	keyName = regexp.MustCompile(`^[A-Za-z0-9._-]+:[^\s${}',]([^${}',]*[^\s${}',])?$`)
	// variable is ${key} or ${key, 'default'}.
	variable = regexp.MustCompile(`^([^,]*?)(?:\s*,\s*'([^']*)')?$`)
)

// syntax says what has a meaning in a string, besides itself.
type syntax struct {
	wildcards bool // * and ?
	variables bool // ${…}: since version 2012-10-17 of the language
}

func (x syntax) runes(text string) []rune {
	if x.wildcards {
		return wildcards(text)
	}
	return []rune(text)
}

// Limits of templates, in characters, before and after variables are filled
// in. They bound the memory of matchers, which grows with the square. An ARN of
// this service has at most 1024 characters.
const (
	maxTemplate = 1024
	maxResolved = 2048
)

// parse reads a template. Its errors say what is wrong with the text.
func (x syntax) parse(text string) (*template, error) {
	if utf8.RuneCountInString(text) > maxTemplate {
		return nil, fmt.Errorf("%s has more than %d characters", quote(text), maxTemplate)
	}
	t := &template{}
	for x.variables {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("the variable ${%s has no closing brace", shorten(rest))
		}
		v, err := parseVariable(name)
		if err != nil {
			return nil, err
		}
		t.add(part{text: x.runes(before)})
		t.add(v)
		text = after
	}
	t.add(part{text: x.runes(text)})
	if t.isFixed() {
		t.fixed = newPattern(t.parts[0].text)
	}
	return t, nil
}

// add appends a part; texts that follow each other are one.
func (t *template) add(p part) {
	if n := len(t.parts); n > 0 && p.key == "" && t.parts[n-1].key == "" {
		t.parts[n-1].text = append(t.parts[n-1].text, p.text...)
		return
	}
	t.parts = append(t.parts, p)
}

func parseVariable(name string) (part, error) {
	switch name {
	case "*", "?", "$":
		return part{text: []rune(name)}, nil // the characters themselves
	}
	m := variable.FindStringSubmatch(name)
	if m == nil || !keyName.MatchString(m[1]) {
		return part{}, fmt.Errorf("${%s} is not a variable: write ${prefix:key}, ${prefix:key, 'default'}, ${*}, ${?} or ${$}", shorten(name))
	}
	return part{key: strings.ToLower(m[1]), fallback: m[2], hasDefault: strings.Contains(name, ",")}, nil
}

// isFixed reports whether the template has no variables.
func (t *template) isFixed() bool { return len(t.parts) == 1 && t.parts[0].key == "" }

// resolve fills in the variables. It fails if one has no value, or several, or
// the whole is too long: then nothing is equal to the template.
func (t *template) resolve(e *evaluation) (pattern, bool) {
	if t.isFixed() {
		return t.fixed, true
	}
	var runes []rune
	for _, p := range t.parts {
		if p.key == "" {
			runes = append(runes, p.text...)
			continue
		}
		values := e.values(p.key)
		switch {
		case len(values) == 1:
			runes = append(runes, []rune(values[0])...)
		case len(values) == 0 && p.hasDefault:
			runes = append(runes, []rune(p.fallback)...)
		default:
			return pattern{}, false
		}
		if len(runes) > maxResolved {
			return pattern{}, false
		}
	}
	return newPattern(runes), true
}
