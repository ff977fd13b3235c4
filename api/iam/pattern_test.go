package iam

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// slowMatch is the definition of a match, tried in every way.
func slowMatch(pattern, s []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(s) == 0
	case pattern[0] == '*':
		return slowMatch(pattern[1:], s) || len(s) > 0 && slowMatch(pattern, s[1:])
	}
	return len(s) > 0 && (pattern[0] == '?' || pattern[0] == s[0]) && slowMatch(pattern[1:], s[1:])
}

func checkMatch(t interface{ Errorf(string, ...any) }, text, s string) {
	p := newPattern(wildcards(text))
	if got, want := p.match(s), slowMatch([]rune(text), []rune(s)); got != want {
		t.Errorf("%q matches %q: %v, want %v", text, s, got, want)
	}
}

func TestPattern(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""},
		{"", "a"},
		{"*", ""},
		{"*", "a"},
		{"**", "ab"},
		{"?", ""},
		{"?", "a"},
		{"?", "ö"},
		{"a*", "a"},
		{"*a", "ba"},
		{"*a", "ab"},
		{"a*b*c", "axbxbxc"},
		{"a*b*c", "axbxbx"},
		{"*?", ""},
		{"?*", "a"},
		{"a?c*", "abcd"},
		{"*aab", "aaaab"},
	} {
		checkMatch(t, c[0], c[1])
	}
}

// Patterns longer than a word of bits carry from word to word.
func TestLongPatterns(t *testing.T) {
	letters := rapid.SliceOfN(rapid.SampledFrom([]rune("aab?*")), 70, 200)
	rapid.Check(t, func(t *rapid.T) {
		runes := letters.Draw(t, "pattern")
		// A text made from the pattern, so that most match nearly.
		var s strings.Builder
		for _, r := range runes {
			switch r {
			case '*':
				s.WriteString(strings.Repeat("ab", rapid.IntRange(0, 3).Draw(t, "times")))
			case '?':
				s.WriteByte('c')
			default:
				s.WriteRune(r)
			}
		}
		text := s.String()
		p := newPattern(wildcards(string(runes)))
		if !p.match(text) {
			t.Fatalf("%q does not match %q, which was made from it", string(runes), text)
		}
		if !strings.ContainsRune(string(runes), '*') && p.match(text+"a") {
			t.Fatalf("%q matches a longer text", string(runes))
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("arn:*:imagebuilder:*:*:component/?*", "arn:aws:imagebuilder:eu-north-1:111111111111:component/x")
	f.Add("a*a*a*b", "aaaaaaaa")
	f.Add("*ö?", "aöö")
	f.Fuzz(func(t *testing.T, text, s string) {
		// The oracle takes exponential time.
		if !utf8.ValidString(text) || !utf8.ValidString(s) || len(text) > 24 || len(s) > 24 || strings.Count(text, "*") > 6 {
			return
		}
		checkMatch(t, text, s)
	})
}

// The worst that a policy of the greatest size can ask for.
func BenchmarkHostilePattern(b *testing.B) {
	hostile := newPattern(wildcards(strings.Repeat("*a?", 500) + "b"))
	value := strings.Repeat("a", 2048)
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if hostile.match(value) {
			b.Fatal("a text without b matches")
		}
	}
}
