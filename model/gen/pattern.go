package main

import (
	"regexp"
	"strings"
)

// expression is a pattern of the model in Go's syntax.
type expression struct {
	source    string // the model's
	goSyntax  string // matches whole strings; empty: the pattern is not applied
	notPrefix string
}

// unusable patterns have their alternation outside the anchors and disagree
// with the values that documents and responses use. Source: api.md §1.11.
var unusable = map[string]bool{
	"ComponentParameterType": true,
	"WorkflowParameterType":  true,
}

// owners of shared catalogue resources: the model's patterns do not have
// third-party yet. Source: api.md §2.2.
const (
	modelOwners = `aws(?:-[a-z-]+)?)`
	allOwners   = `aws(?:-[a-z-]+)?|third-party)`
)

var (
	anchored  = regexp.MustCompile(`^\^?(.*?)\$?$`)
	lookahead = regexp.MustCompile(`^\(\?!([a-z:]+)\)`)
)

// translate turns a pattern into one that Go can compile: a negative
// look-ahead at the start becomes a forbidden prefix, and a repeat count above
// Go's limit of 1000 becomes "+", leaving the length to the shape's Max, which
// the second result carries.
func translate(shape, pattern string) (expression, int64) {
	if pattern == "" || unusable[shape] {
		return expression{}, 0
	}
	e := expression{source: pattern}
	body := anchored.FindStringSubmatch(pattern)[1]
	if m := lookahead.FindStringSubmatch(body); m != nil {
		e.notPrefix = m[1]
		body = body[len(m[0]):]
	}
	var longest int64
	if strings.HasSuffix(body, "{1,1024}") {
		body, longest = strings.TrimSuffix(body, "{1,1024}")+"+", 1024
	}
	body = strings.ReplaceAll(body, modelOwners, allOwners)
	e.goSyntax = `^(?:` + body + `)$`
	return e, longest
}
