package iam

import (
	"slices"
	"strings"
)

// Wildcards stand in a row of runes where no rune can.
const (
	anyRunes rune = -1 // *
	oneRune  rune = -2 // ?
)

// wildcards turns the wildcards of a text into their marks.
func wildcards(text string) []rune {
	runes := []rune(text)
	for i, r := range runes {
		switch r {
		case '*':
			runes[i] = anyRunes
		case '?':
			runes[i] = oneRune
		}
	}
	return runes
}

// pattern matches whole strings: a literal start, and what follows it.
type pattern struct {
	literal string
	rest    matcher // zero: nothing may follow
	open    bool    // anything may follow; no rest
}

// newPattern compiles runes with wildcard marks.
func newPattern(runes []rune) pattern {
	n := 0
	for n < len(runes) && runes[n] >= 0 {
		n++
	}
	p := pattern{literal: string(runes[:n])}
	rest := runes[n:]
	if slices.ContainsFunc(rest, func(r rune) bool { return r != anyRunes }) {
		p.rest = newMatcher(rest)
	} else {
		p.open = len(rest) > 0
	}
	return p
}

func (p *pattern) match(s string) bool {
	rest, ok := strings.CutPrefix(s, p.literal)
	switch {
	case !ok:
		return false
	case p.open:
		return true
	case p.rest.accepts == nil:
		return rest == ""
	}
	return p.rest.match(rest)
}

// matcher follows all ways to match at once, in a set of bits: bit i is set
// when what was read so far matches the first i runes of the pattern, the
// asterisks not counted. A step is a shift, so a match costs one pass over the
// text for each 64 runes of the pattern; there is no way back to blow up.
type matcher struct {
	length  int               // runes that are not asterisks
	loops   []uint64          // bit i: an asterisk stands before rune i
	one     []uint64          // bit i: rune i is a question mark
	accepts map[rune][]uint64 // bit i: rune i is this rune, or a question mark
}

func newMatcher(runes []rune) matcher {
	words := len(runes)/64 + 1
	m := matcher{loops: make([]uint64, words), one: make([]uint64, words), accepts: map[rune][]uint64{}}
	literals := make([]rune, 0, len(runes))
	for _, r := range runes {
		bit, word := uint64(1)<<(m.length%64), m.length/64
		switch r {
		case anyRunes:
			m.loops[word] |= bit
			continue
		case oneRune:
			m.one[word] |= bit
		}
		literals = append(literals, r)
		m.length++
	}
	for i, r := range literals {
		if r < 0 {
			continue
		}
		if m.accepts[r] == nil {
			m.accepts[r] = append([]uint64(nil), m.one...)
		}
		m.accepts[r][i/64] |= 1 << (i % 64)
	}
	return m
}

func (m *matcher) match(s string) bool {
	at := make([]uint64, len(m.loops))
	at[0] = 1
	for _, r := range s {
		accepts, known := m.accepts[r]
		if !known {
			accepts = m.one
		}
		var carry, alive uint64
		for i, set := range at {
			step := set & accepts[i]
			at[i] = step<<1 | carry | set&m.loops[i]
			carry = step >> 63
			alive |= at[i]
		}
		if alive == 0 {
			return false
		}
	}
	return at[m.length/64]>>(m.length%64)&1 == 1
}
