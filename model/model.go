// Package model is the EC2 Image Builder API, version 2019-12-02, as Go: the
// structures and enums that cross the wire, the route of each operation, and
// the limits of each input. All of it but this file is generated from
// imagebuilder-model.json and from additions.json, which holds the documented
// members that the pinned model does not have yet.
//
// Strings are plain and absent when empty. Where absent and zero differ the
// member is a pointer. Lists and maps tell nil (absent) from empty ([] or {}).
package model

//go:generate go run ./gen

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Route is how an operation is called and what it answers.
type Route struct {
	Operation string
	Method    string
	Path      string // "/tags/{resourceArn}" or "/" and the operation
	Input     *Shape
	Output    string   // name of the Go type
	Errors    []string // exceptions that the model lists
}

// Kind is the JSON type of a shape.
type Kind int

// The kinds of shape. Timestamp is a number of seconds or an ISO 8601 string.
const (
	Structure Kind = iota
	List
	Map
	String
	Integer
	Boolean
	Timestamp
)

// Shape limits one value that a caller sends. Min and Max count characters of
// a string, entries of a list or map, and are the range of an integer; a Max
// of 0 is none.
type Shape struct {
	Name     string
	Kind     Kind
	Min, Max int64
	Pattern  *Pattern // nil: any
	Enum     []string // empty: any
	Members  []Member // of a structure, in the model's order
	Element  *Shape   // of a list or map
	Key      *Shape   // of a map
}

// Member is one member of a structure. In says where a request carries it:
// "" in the body, "uri" or "querystring".
type Member struct {
	Name     string
	In       string
	Required bool
	Shape    *Shape
}

// Member returns the member called name of a structure.
func (s *Shape) Member(name string) (Member, bool) {
	for _, m := range s.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// Pattern is a regular expression that a whole string must match, compiled
// when first used: most commands never use any.
type Pattern struct {
	Source    string // as the model writes it
	NotPrefix string // what the string must not begin with, in any case
	compiled  func() *regexp.Regexp
}

func pattern(source, expression, notPrefix string) *Pattern {
	return &Pattern{
		Source: source, NotPrefix: notPrefix,
		compiled: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) }),
	}
}

// Match reports whether all of s matches.
func (p *Pattern) Match(s string) bool {
	if n := len(p.NotPrefix); n > 0 && len(s) >= n && strings.EqualFold(s[:n], p.NotPrefix) {
		return false
	}
	return p.compiled().MatchString(s)
}

// Epoch is a point in time as a JSON number of seconds since 1970, to the
// millisecond. It is also read from an ISO 8601 string. Source: api.md §1.10.
type Epoch float64

// EpochOf returns t to the millisecond.
func EpochOf(t time.Time) Epoch { return Epoch(float64(t.UnixMilli()) / 1000) }

// Time returns e in UTC.
func (e Epoch) Time() time.Time {
	return time.UnixMilli(int64(math.Round(float64(e) * 1000))).UTC()
}

// UnmarshalJSON reads a number or an ISO 8601 string.
func (e *Epoch) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		*e = Epoch(seconds)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a time is a number of seconds or an ISO 8601 string, not %.40s", data)
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("parsing time %.40q: %w", text, err)
	}
	*e = EpochOf(t)
	return nil
}

// DateTime formats t as the API's date strings: UTC, milliseconds, Z.
// Source: api.md §1.10.
func DateTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
