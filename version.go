package ingot

import (
	"cmp"
	"strconv"
	"strings"
)

// MaxVersionNode is the highest value of a version node: a node is thirty bits
// of the single number that notifications carry. Source: api.md §2.4.
const MaxVersionNode = 1<<30 - 1

const wildcard = -1

// Version is major.minor.patch. It compares by number and prints as it was
// written, leading zeros included. Nodes may be the wildcard x from some node
// on to the last. The zero Version is the absence of one.
type Version struct {
	text  string
	nodes [3]int32 // wildcard, or 0 … MaxVersionNode
}

// ParseVersion reads major.minor.patch, wildcards allowed. Its errors have
// CodeVersion; an ARN parser turns them into CodeInvalid.
func ParseVersion(text string) (Version, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Version{}, versionError(text, "it is not of the form major.minor.patch")
	}
	v := Version{text: text}
	for i, part := range parts {
		if part == "x" {
			v.nodes[i] = wildcard
			continue
		}
		if i > 0 && v.nodes[i-1] == wildcard {
			return Version{}, versionError(text, "every node after the first x must be x")
		}
		n, ok := parseNode(part)
		if !ok {
			return Version{}, versionError(text, "a node is a decimal number from 0 to 1073741823")
		}
		v.nodes[i] = n
	}
	return v, nil
}

func versionError(text, rule string) error {
	return Errorf(CodeVersion, "The version '%s' is not valid: %s.", text, rule)
}

// maxNodeDigits bounds the leading zeros of a node, which have no other limit.
const maxNodeDigits = 32

func parseNode(s string) (int32, bool) {
	if s == "" || len(s) > maxNodeDigits || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > MaxVersionNode {
		return 0, false
	}
	return int32(n), true
}

// NewVersion makes the version of three numbers in range.
func NewVersion(major, minor, patch int) Version {
	v := Version{nodes: [3]int32{int32(major), int32(minor), int32(patch)}}
	v.text = v.Number()
	return v
}

// String returns the version as it was written.
func (v Version) String() string { return v.text }

// Number returns the version without leading zeros: equal versions have equal numbers.
func (v Version) Number() string { return v.prefix(3) }

// prefix joins the first n nodes with dots, without leading zeros.
func (v Version) prefix(n int) string {
	nodes := make([]string, n)
	for i := range nodes {
		nodes[i] = "x"
		if v.nodes[i] != wildcard {
			nodes[i] = strconv.Itoa(int(v.nodes[i]))
		}
	}
	return strings.Join(nodes, ".")
}

// IsZero reports the absence of a version.
func (v Version) IsZero() bool { return v.text == "" }

// Fixed is the number of nodes before the first wildcard: 3 for a concrete version.
func (v Version) Fixed() int {
	for i, n := range v.nodes {
		if n == wildcard {
			return i
		}
	}
	return len(v.nodes)
}

// IsWildcard reports whether a node is x.
func (v Version) IsWildcard() bool { return v.Fixed() < len(v.nodes) }

// Node returns node i (0 major, 1 minor, 2 patch); only the first Fixed ones have values.
func (v Version) Node(i int) int { return int(v.nodes[i]) }

// Wildcard keeps the first n nodes and makes the others x.
func (v Version) Wildcard(n int) Version {
	for i := n; i < len(v.nodes); i++ {
		v.nodes[i] = wildcard
	}
	v.text = v.Number()
	return v
}

// Matches reports whether v, which may have wildcards, covers the concrete version w.
func (v Version) Matches(w Version) bool {
	for i := range v.Fixed() {
		if v.nodes[i] != w.nodes[i] {
			return false
		}
	}
	return true
}

// Equal compares by number: 1.0.0 equals 1.0.00.
func (v Version) Equal(w Version) bool { return v.IsZero() == w.IsZero() && v.nodes == w.nodes }

// Compare orders concrete versions by number.
func (v Version) Compare(w Version) int {
	for i := range v.nodes {
		if c := cmp.Compare(v.nodes[i], w.nodes[i]); c != 0 {
			return c
		}
	}
	return 0
}

// Allocate returns the version that a create with the wildcard version v makes,
// where highest is the highest existing version that v matches, or zero. It
// counts the first x up and sets the nodes after it to 0. Source: api.md §2.6.
func (v Version) Allocate(highest Version) (Version, error) {
	at := v.Fixed()
	if at == len(v.nodes) {
		return v, nil
	}
	next := v
	for i := at; i < len(next.nodes); i++ {
		next.nodes[i] = 0
	}
	if !highest.IsZero() {
		next.nodes[at] = highest.nodes[at] + 1
	}
	if next.nodes == [3]int32{} {
		next.nodes[at] = 1 // 0.0.0 is never allocated
	}
	if next.nodes[at] > MaxVersionNode {
		return Version{}, Errorf(CodeVersion, "No version is left that matches '%s': %s exists.", v, highest)
	}
	next.text = next.Number()
	return next, nil
}

// Terms are the filter values that find a resource of version v and the given
// build (0 for none): 1, 1.2, 1.2.3 and 1.2.3/4. Source: api.md §3.14.
func (v Version) Terms(build int) []string {
	terms := []string{v.prefix(1), v.prefix(2), v.prefix(3)}
	if build > 0 {
		terms = append(terms, v.prefix(3)+"/"+strconv.Itoa(build))
	}
	return terms
}

// VersionTerm brings a filter value such as 1, 1.02, 1.x.x or 1.0.0/3 into the
// form of Terms. It is empty for a value that every version matches; ok is
// false for one that no version can match.
func VersionTerm(filter string) (term string, ok bool) {
	text, build, hasBuild := strings.Cut(filter, "/")
	if n := strings.Count(text, "."); n < 2 {
		text += strings.Repeat(".x", 2-n)
	}
	v, err := ParseVersion(text)
	if err != nil {
		return "", false
	}
	term = v.prefix(v.Fixed())
	if !hasBuild {
		return term, true
	}
	n, ok := parseBuild(build)
	return term + "/" + strconv.Itoa(n), ok && !v.IsWildcard()
}
