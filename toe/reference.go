package toe

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A template is a text of a document with its expressions:
//
//	expression = "{{" body "}}"                    on one line
//	body       = variable | loop | chain | "env:" NAME | "aws:ssm:" … | "aws:imds:" PATH | "context:" KEY
//	variable   = NAME                              a parameter or a constant
//	loop       = ( "loop" | LOOPNAME ) "." ( "index" | "value" )
//	chain      = PHASE "." STEP "." ( "inputs" | "outputs" ) [ "[" N "]" ] "." KEY { "." KEY }
//
// Anything else between braces is text (§6.1).
type template []part

// part is literal text or a reference.
type part struct {
	text string // of a reference: as written, with its braces
	ref  *reference
}

func (t template) hasReferences() bool {
	return slices.ContainsFunc(t, func(p part) bool { return p.ref != nil })
}

// constant reports a template without references, and its text.
func (t template) constant() (string, bool) {
	var b strings.Builder
	for _, p := range t {
		if p.ref != nil {
			return "", false
		}
		b.WriteString(p.text)
	}
	return b.String(), true
}

type referenceKind int

const (
	variableRef referenceKind = iota
	loopRef
	inputsRef
	outputsRef
	envRef
	ssmRef
	imdsRef
	contextRef
	imagebuilderRef // belongs to other documents: always a fault
)

// reference is the body of an expression.
type reference struct {
	kind  referenceKind
	body  string // trimmed
	name  string // what follows the prefix; the variable; the loop
	phase string // of a chain
	step  string
	index int // entry of a list, 0 when none is given
	keys  []string
}

var (
	variableBody = regexp.MustCompile(`^[A-Za-z0-9_-]{3,128}$`)
	loopBody     = regexp.MustCompile(`^([A-Za-z0-9_-]{1,128})\.(index|value)$`)
	chainBody    = regexp.MustCompile(`^([A-Za-z0-9_-]{1,128})\.([A-Za-z0-9_-]{1,128})\.(inputs|outputs)(?:\[([0-9]{1,9})\])?((?:\.[A-Za-z0-9_-]+)+)$`)
	ssmBody      = regexp.MustCompile(`^([A-Za-z0-9_./:-]+|resolve\((aws:ssm:)?[A-Za-z0-9_./:-]+\))$`)
)

// maxExpression is how far the closing braces may be, in bytes. It keeps
// parsing linear.
const maxExpression = 4096

// parseTemplate splits a text. foreign are the bodies that are not of our
// grammar and stay text.
func parseTemplate(s string) (t template, foreign []string) {
	literal := 0 // where the literal text before at begins
	for at := 0; ; {
		next := strings.Index(s[at:], "{{")
		if next < 0 {
			break
		}
		at += next
		length, body, isExpression := scan(s[at:])
		ref := (*reference)(nil)
		if isExpression {
			if ref = parseBody(body); ref == nil {
				foreign = append(foreign, body)
			}
		}
		if ref != nil {
			if literal < at {
				t = append(t, part{text: s[literal:at]})
			}
			t = append(t, part{text: s[at : at+length], ref: ref})
			literal = at + length
		}
		at += length
	}
	if literal < len(s) {
		t = append(t, part{text: s[literal:]})
	}
	return t, foreign
}

// scan looks at a text that begins with {{ and says how much of it belongs
// together: an expression with its body, or literal braces.
func scan(s string) (length int, body string, isExpression bool) {
	line, _, _ := strings.Cut(s[:min(len(s), maxExpression)], "\n")
	if strings.HasPrefix(line, "{{{") { // belongs to Dockerfile templates
		if end := strings.Index(line, "}}}"); end >= 0 {
			return end + 3, "", false
		}
		return 3, "", false
	}
	end := strings.Index(line, "}}")
	if end < 0 {
		return 2, "", false
	}
	if inner := strings.Index(line[2:end], "{{"); inner >= 0 {
		return 2 + inner, "", false
	}
	return end + 2, strings.TrimSpace(line[2:end]), true
}

var prefixes = []struct {
	prefix string
	kind   referenceKind
}{
	{"env:", envRef},
	{"aws:ssm:", ssmRef},
	{"aws:imds:", imdsRef},
	{"context:", contextRef},
	{"imagebuilder:", imagebuilderRef},
}

// parseBody is nil for a body that is not of our grammar.
func parseBody(body string) *reference {
	for _, p := range prefixes {
		if name, ok := strings.CutPrefix(body, p.prefix); ok {
			name = strings.TrimSpace(name)
			if name == "" || p.kind == ssmRef && !ssmBody.MatchString(name) {
				return nil
			}
			return &reference{kind: p.kind, body: body, name: name}
		}
	}
	if variableBody.MatchString(body) {
		return &reference{kind: variableRef, body: body, name: body}
	}
	if m := loopBody.FindStringSubmatch(body); m != nil {
		return &reference{kind: loopRef, body: body, name: m[1], keys: m[2:]}
	}
	if m := chainBody.FindStringSubmatch(body); m != nil {
		return chainReference(body, m)
	}
	return nil
}

func chainReference(body string, m []string) *reference {
	r := &reference{kind: inputsRef, body: body, phase: m[1], step: m[2], keys: strings.Split(m[5][1:], ".")}
	if m[3] == "outputs" {
		r.kind = outputsRef
	}
	r.index, _ = strconv.Atoi(m[4]) // digits or nothing
	return r
}

// resolved is what stands in the parentheses of "resolve(…)".
func resolved(name string) (inner string, ok bool) {
	inner, ok = strings.CutPrefix(name, "resolve(")
	return strings.TrimSuffix(inner, ")"), ok
}

// forbiddenMetadata reports a path below the categories that hold
// credentials, however it is spelt (§6.8).
func forbiddenMetadata(name string) bool {
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+strings.ToLower(name)), "/"), "/")
	return first == "iam" || first == "identity-credentials"
}
