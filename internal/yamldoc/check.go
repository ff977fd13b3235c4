package yamldoc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Checker reads typed values out of nodes and collects what is wrong with
// them. where names the mapping in messages, as in "step 'x' of phase 'y'".
type Checker struct {
	Findings Findings
	kept     map[Severity]int // so that remarks never displace faults
}

// Full reports that no more faults are kept: looking for them is in vain.
func (c *Checker) Full() bool { return c.kept[Error] >= maxFindings }

// Errorf reports a fault of a value.
func (c *Checker) Errorf(n *Node, format string, args ...any) { c.add(Error, n, format, args) }

// Warnf reports a remark on a value.
func (c *Checker) Warnf(n *Node, format string, args ...any) { c.add(Warning, n, format, args) }

func (c *Checker) add(s Severity, n *Node, format string, args []any) {
	if c.kept[s] >= maxFindings {
		return
	}
	if c.kept == nil {
		c.kept = map[Severity]int{}
	}
	c.kept[s]++
	c.Findings = append(c.Findings, Finding{
		Line: n.Line, Column: n.Column, Path: n.Path, Value: shorten(n.Text),
		Message: clip(fmt.Sprintf(format, args...), maxMessage), Severity: s,
	})
}

// Key is a node that stands for the key of a field, to report faults at.
func (n *Node) Key(f Field) *Node {
	return &Node{Kind: Scalar, Text: f.Key, Path: Join(n.Path, f.Key), Line: f.Line, Column: f.Column}
}

// Mapping reports whether n is a mapping, and each key that is not known.
func (c *Checker) Mapping(n *Node, where string, known ...string) bool {
	if n.Kind != Mapping {
		c.Errorf(n, "%s must be a mapping, not a %s", upperFirst(where), n.Kind)
		return false
	}
	for _, f := range n.Fields {
		if !slices.Contains(known, f.Key) {
			c.Errorf(n.Key(f), "Unknown field '%s' in %s%s", f.Key, where, DidYouMean(f.Key, known))
		}
	}
	return true
}

// Required is the value of a key that must be there.
func (c *Checker) Required(n *Node, key, where string) *Node {
	v := n.Get(key)
	if v == nil {
		c.Errorf(n, "Missing required field '%s' in %s", key, where)
	}
	return v
}

// Text is the value of a key as text, empty when it is absent.
func (c *Checker) Text(n *Node, key, where string) string {
	v := n.Get(key)
	if v == nil {
		return ""
	}
	if v.Kind != Scalar {
		c.Errorf(v, "Field '%s' in %s must be a string%s", key, where, UnquotedHint(v))
		return ""
	}
	return v.Text
}

// UnquotedHint explains the usual reason for a mapping where text belongs.
func UnquotedHint(n *Node) string {
	if n.Kind != Mapping {
		return ""
	}
	return "; put a text that contains ': ' or starts with '{' in quotes"
}

// List is the value of a key as a list, nil when it is absent.
func (c *Checker) List(n *Node, key, where string) []*Node {
	v := n.Get(key)
	if v == nil {
		return nil
	}
	if v.Kind != List {
		c.Errorf(v, "Field '%s' in %s must be a list", key, where)
		return nil
	}
	return v.Items
}

// Integer reads a YAML integer or the same in quotes.
func (n *Node) Integer() (int64, bool) {
	v, err := strconv.ParseInt(n.Text, 10, 64)
	return v, n.Kind == Scalar && err == nil
}

// Boolean reads true or false in any letter case, in quotes or not.
func (n *Node) Boolean() (value, ok bool) {
	if n.Kind != Scalar {
		return false, false
	}
	return ParseBool(n.Text)
}

// ParseBool reads true or false in any letter case.
func ParseBool(s string) (value, ok bool) {
	return strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
