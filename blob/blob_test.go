package blob

import (
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]Location{
		"s3://bucket/key":        {"bucket", "key"},
		"s3://b.u-c_K1//a/../b ": {"b.u-c_K1", "/a/../b "},
		"s3://bucket/":           {},
		"s3://bucket":            {},
		"s3:///key":              {},
		"s3://../key":            {},
		"s3://buc ket/key":       {},
		"s3://buc\\ket/key":      {},
		"https://bucket/key":     {},
		"bucket/key":             {},
		"s3://bucket/\x00":       {},
		"s3://bucket/\xff":       {},
		"s3://bucket/" + strings.Repeat("k", maxKey+1): {},
	} {
		got, err := ParseLocation(text)
		if got != want || (err == nil) != (want != Location{}) {
			t.Errorf("ParseLocation(%.40q) = %v, %v; want %v", text, got, err, want)
		}
		if err == nil && got.String() != text {
			t.Errorf("String() = %s, want %s", got, text)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	f.Add("s3://bucket/key")
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := ParseLocation(text); err == nil && (at.String() != text || at.Check() != nil) {
			t.Errorf("ParseLocation(%q) = %v, %v", text, at, at.Check())
		}
	})
}
