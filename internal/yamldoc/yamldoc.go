// Package yamldoc reads YAML documents written by people: every value keeps
// its place, scalars keep their source text, and all faults are reported at
// once.
//
// It is stricter than YAML: one document of UTF-8 text, no duplicate keys, no
// explicit tags, text as keys. Anchors, aliases and << merges are resolved
// within bounds. Null counts as absent.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

const (
	maxDepth    = 100    // nesting of lists and mappings
	maxExpanded = 10_000 // nodes that aliases and merges may add
	maxPath     = 400    // bytes of a path
	maxFindings = 1000   // more help nobody
	maxMessage  = 2000   // bytes; it may quote the document
)

// Kind is the shape of a Node.
type Kind int

const (
	Null Kind = iota
	Scalar
	List
	Mapping
)

func (k Kind) String() string {
	return [...]string{"null", "scalar", "list", "mapping"}[k]
}

// Node is a value with its place.
type Node struct {
	Kind   Kind
	Text   string // Scalar: the source text, whatever type YAML resolves it to
	Quoted bool   // Scalar: in quotes or a block, hence a string in YAML too
	Items  []*Node
	Fields []Field // Mapping: in document order
	Path   string  // as in phases[0].name
	Line   int
	Column int
}

// Field is one entry of a mapping.
type Field struct {
	Key    string
	Line   int // of the key
	Column int
	Quoted bool // the key was written in quotes
	Number bool // the key is a bare number
	Value  *Node
}

// Get is the value of a key, nil when it is absent or null.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, f := range n.Fields {
		if f.Key == key && f.Value.Kind != Null {
			return f.Value
		}
	}
	return nil
}

// Parse reads a document of at most maxSize bytes. The Node is nil when the
// text is not YAML at all.
func Parse(data []byte, maxSize int) (*Node, Findings) {
	if len(data) > maxSize {
		return nil, fault(1, 1, fmt.Sprintf("the document has %d bytes, more than %d", len(data), maxSize))
	}
	if i := invalidUTF8(data); i >= 0 {
		line := 1 + bytes.Count(data[:i], []byte("\n"))
		return nil, fault(line, 1, "the document is not UTF-8 text")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fault(1, 1, "the document is empty")
	case err != nil:
		return nil, decodeFault(err, data)
	}
	c := converter{active: map[*yaml.Node]bool{}, lines: lineCount(data)}
	root := c.node(doc.Content[0], "", 0)
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		c.errorf(&second, "", "a second YAML document is not allowed")
	} else if !errors.Is(err, io.EOF) {
		c.findings = append(c.findings, decodeFault(err, data)...)
	}
	return root, c.findings.Sort()
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func fault(line, column int, text string) Findings {
	return Findings{{Line: line, Column: column, Message: "Unable to parse document: " + text, Severity: Error}}
}

var decoderLine = regexp.MustCompile(`line (\d+)`)

// decodeFault makes a finding of the decoder's error. Not every error carries
// a mark; some name the line in their text only, and some the line behind the
// last one.
func decodeFault(err error, data []byte) Findings {
	line, column := 0, 0
	if le := (*yaml.LoadError)(nil); errors.As(err, &le) {
		line, column = le.Mark.Line, le.Mark.Column
	}
	if m := decoderLine.FindStringSubmatch(err.Error()); line == 0 && m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	return fault(max(min(line, lineCount(data)), 1), max(column, 1), strings.TrimPrefix(err.Error(), "yaml: "))
}

// lineCount is how many lines the decoder may name. It counts YAML's other
// line ends, too, and where there are some, its count is taken.
func lineCount(data []byte) int {
	if bytes.ContainsAny(data, "\r\u0085\u2028\u2029") {
		return math.MaxInt
	}
	return 1 + bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

// converter turns the decoder's nodes into ours.
type converter struct {
	findings Findings
	active   map[*yaml.Node]bool // anchors being expanded
	expanded int                 // nodes that aliases have added
	full     bool                // a bound was reported
	lines    int                 // of the document: the decoder puts what is missing at its end on the line behind
}

func (c *converter) errorf(n *yaml.Node, path, format string, args ...any) {
	if len(c.findings) >= maxFindings {
		return
	}
	c.findings = append(c.findings, Finding{
		Line: max(min(n.Line, c.lines), 1), Column: max(n.Column, 1), Path: path, Value: shorten(n.Value),
		Message: clip(fmt.Sprintf(format, args...), maxMessage), Severity: Error,
	})
}

func (c *converter) node(n *yaml.Node, path string, depth int) *Node {
	out := &Node{Path: path, Line: min(n.Line, c.lines), Column: n.Column}
	if c.full || c.outOfBounds(n, path, depth) {
		return out
	}
	if n.Style&yaml.TaggedStyle != 0 {
		c.errorf(n, path, "Explicit tags such as %s are not allowed", n.Tag)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.alias(n, path, depth)
	case yaml.ScalarNode:
		out.scalar(n)
	case yaml.SequenceNode:
		out.Kind = List
		for i, item := range n.Content {
			out.Items = append(out.Items, c.node(item, below(path, "["+strconv.Itoa(i)+"]"), depth+1))
		}
	case yaml.MappingNode:
		out.Kind = Mapping
		c.mapping(n, out, depth)
	}
	return out
}

func (n *Node) scalar(from *yaml.Node) {
	n.Quoted = from.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if from.Tag == "!!null" && !n.Quoted {
		return
	}
	n.Kind, n.Text = Scalar, from.Value
}

func (c *converter) outOfBounds(n *yaml.Node, path string, depth int) bool {
	if len(c.active) > 0 {
		c.expanded++
	}
	switch {
	case depth > maxDepth:
		c.errorf(n, "", "Lists and mappings are nested deeper than %d levels", maxDepth)
	case c.expanded > maxExpanded:
		c.errorf(n, path, "Aliases and merges expand to more than %d nodes", maxExpanded)
	default:
		return false
	}
	c.full = true
	return true
}

func (c *converter) alias(n *yaml.Node, path string, depth int) *Node {
	if c.active[n.Alias] {
		c.errorf(n, path, "Alias '%s' contains itself", n.Value)
		return &Node{Path: path, Line: n.Line, Column: n.Column}
	}
	c.active[n.Alias] = true
	defer delete(c.active, n.Alias)
	out := c.node(n.Alias, path, depth+1)
	out.Line, out.Column = n.Line, n.Column
	return out
}

func (c *converter) mapping(n *yaml.Node, out *Node, depth int) {
	seen := map[string]bool{}
	var merges []*Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			c.errorf(n.Content[i], out.Path, "A key must be text; to start a text with '{{' put it in quotes")
			continue
		}
		path := Join(out.Path, k.Value)
		if k.Tag == "!!merge" {
			merges = append(merges, c.node(v, path, depth+1))
			continue
		}
		if seen[k.Value] {
			c.errorf(k, path, "Duplicate key '%s'", k.Value)
			continue
		}
		seen[k.Value] = true
		out.Fields = append(out.Fields, Field{
			Key: k.Value, Line: k.Line, Column: k.Column,
			Quoted: k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0,
			Number: k.Tag == "!!int" || k.Tag == "!!float",
			Value:  c.node(v, path, depth+1),
		})
	}
	for _, m := range merges {
		c.merge(out, m, seen)
	}
}

// merge adds the fields of a << value that the mapping does not have itself;
// of several merged mappings the first one wins.
func (c *converter) merge(out, from *Node, seen map[string]bool) {
	switch from.Kind {
	case Mapping:
		for _, f := range from.Fields {
			if !seen[f.Key] {
				seen[f.Key] = true
				out.Fields = append(out.Fields, f)
			}
		}
	case List:
		for _, item := range from.Items {
			c.merge(out, item, seen)
		}
	default:
		c.errorf(&yaml.Node{Line: from.Line, Column: from.Column}, from.Path, "A merge needs a mapping or a list of mappings")
	}
}

// Join is the path of a key below a path.
func Join(path, key string) string {
	if path == "" {
		return shorten(key)
	}
	return below(path, "."+shorten(key))
}

// below is a path with one step more. A path that is long already stays as it
// is: there may be as many paths as a document has values.
func below(path, step string) string {
	if len(path) > maxPath {
		return path
	}
	return clip(path+step, maxPath)
}

// shorten keeps a value fit for a message.
func shorten(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return clip(s, 80)
}

// clip cuts a text behind at most limit bytes.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
