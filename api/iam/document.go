package iam

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fault is a place in a policy that breaks a rule of the language.
type Fault struct {
	Path string // as in Statement[0].Condition.Bool; empty: the document
	Rule string // what is wrong and what is expected, without a full stop
}

func (f Fault) String() string {
	if f.Path == "" {
		return f.Rule
	}
	return f.Path + ": " + f.Rule
}

// Faults are all that is wrong with a policy, in the order of the document, up
// to maxFaults. It is the error of the parsers and never empty as such.
type Faults []Fault

const maxFaults = 20

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// kind is a type of JSON, as a message names it.
type kind string

const (
	object  kind = "an object"
	list    kind = "a list"
	text    kind = "a string"
	number  kind = "a number"
	boolean kind = "true or false"
	null    kind = "null"
)

// node is a JSON value with its place. The order of an object's members is
// kept, and none is there twice.
type node struct {
	path  string
	kind  kind
	text  string // of a string, number or boolean
	names []string
	items []node // of a list, or of an object under its names
}

// maxDepth is one more than a policy needs: condition values are in
// {Statement[{Condition{operator{key[…]}}}]}.
const maxDepth = 7

// readDocument parses the one JSON value of a text.
func readDocument(document string) (node, error) {
	if !utf8.ValidString(document) {
		return node{}, Faults{{Rule: "it is not UTF-8"}}
	}
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	root, err := readNode(d, "", maxDepth)
	if err == nil && !json.Valid([]byte(document)) {
		err = Faults{{Rule: "something follows the end of the document"}}
	}
	var faults Faults
	if err != nil && !errors.As(err, &faults) {
		err = Faults{{Rule: fmt.Sprintf("it is not JSON: byte %d: %s", d.InputOffset(), strings.TrimPrefix(jsonCause(err), "json: "))}}
	}
	return root, err
}

func jsonCause(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

// readNode reads a value that may hold others depth levels deep.
func readNode(d *json.Decoder, path string, depth int) (node, error) {
	n := node{path: path}
	token, err := d.Token()
	if err != nil {
		return n, err
	}
	switch v := token.(type) {
	case json.Delim:
		if depth == 0 {
			return n, Faults{{path, fmt.Sprintf("it is nested deeper than %d levels", maxDepth)}}
		}
		if v == '{' {
			return readObject(d, n, depth-1)
		}
		return readList(d, n, depth-1)
	case string:
		n.kind, n.text = text, v
	case json.Number:
		n.kind, n.text = number, v.String()
	case bool:
		n.kind, n.text = boolean, strconv.FormatBool(v)
	default:
		n.kind = null
	}
	return n, nil
}

func readObject(d *json.Decoder, n node, depth int) (node, error) {
	n.kind = object
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return n, err
		}
		name := token.(string) // the decoder takes nothing else there
		path := strings.TrimPrefix(n.path+"."+shorten(name), ".")
		if seen[name] {
			return n, Faults{{path, "it is there twice"}}
		}
		seen[name] = true
		item, err := readNode(d, path, depth)
		if err != nil {
			return n, err
		}
		n.names, n.items = append(n.names, name), append(n.items, item)
	}
	_, err := d.Token()
	return n, err
}

func readList(d *json.Decoder, n node, depth int) (node, error) {
	n.kind = list
	for d.More() {
		item, err := readNode(d, fmt.Sprintf("%s[%d]", n.path, len(n.items)), depth)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	_, err := d.Token()
	return n, err
}

// member returns the member of an object, or nil.
func (n *node) member(name string) *node {
	for i, have := range n.names {
		if have == name {
			return &n.items[i]
		}
	}
	return nil
}

// each is the items of a list, or a value that stands for a list of itself.
func (n *node) each() []node {
	if n.kind == list {
		return n.items
	}
	return []node{*n}
}

// shorten keeps what a client wrote from filling a message.
func shorten(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

func quote(s string) string { return strconv.Quote(shorten(s)) }
