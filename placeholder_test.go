package ingot

import (
	"strings"
	"testing"
	"time"
)

func TestPlaceholders(t *testing.T) {
	p := Placeholders{
		BuildDate: time.Date(2026, 3, 4, 6, 6, 7, 89e6, time.FixedZone("", 3600)), BuildVersion: 7,
		Parameter: func(name string) (string, error) { return "<" + name + ">", nil },
	}
	for text, want := range map[string]string{
		"plain":                        "plain",
		"a {{imagebuilder:buildDate}}": "a 2026-03-04T05-06-07.089Z",
		"{{ imagebuilder:buildVersion }}-{{ssm:/a}}":           "7-</a>",
		"{{imagebuilder:buildDate:yyyyMMHHss}}":                "2026030507",
		"{{ imagebuilder:buildDate:yyyy-MM-dd_HH.mm.ss.SSS }}": "2026-03-04_05.06.07.089",
		"{{ other }} {{{imagebuilder:buildVersion}}}":          "{{ other }} {7}",
		"{{imagebuilder:buildVersion":                          "{{imagebuilder:buildVersion",
	} {
		if got, err := p.Expand(text); err != nil || got != want {
			t.Errorf("Expand(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"{{imagebuilder:buildDate:YYYY}}", "{{imagebuilder:BuildDate}}", "{{imagebuilder:}}", "{{imagebuilder:buildVersion:x}}",
	} {
		if got, err := p.Expand(text); ErrorCode(err) != CodeInvalid {
			t.Errorf("Expand(%q) = %q, %v, want CodeInvalid", text, got, err)
		}
	}
	if _, err := (Placeholders{}).Expand("{{ssm:/a}}"); ErrorCode(err) != CodeInvalid {
		t.Errorf("a parameter without a store = %v", err)
	}
}

func TestHasBuildDate(t *testing.T) {
	for text, want := range map[string]bool{
		"x {{ imagebuilder:buildDate }}": true, "{{imagebuilder:buildDate:yyyy}}": true,
		"{{imagebuilder:buildVersion}}": false, "buildDate": false, "{{ssm:buildDate}}": false,
	} {
		if got := hasBuildDate(text); got != want {
			t.Errorf("hasBuildDate(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzPlaceholders(f *testing.F) {
	f.Add("a {{imagebuilder:buildDate:yyyy-MM}} {{ssm:/x}} {{{{")
	f.Add("{{ imagebuilder:buildDate:ééé }}")
	p := Placeholders{BuildVersion: 7}
	f.Fuzz(func(t *testing.T, text string) {
		expanded, err := p.Expand(text)
		if err != nil && ErrorCode(err) != CodeInvalid {
			t.Errorf("Expand(%q) = %v without a code", text, err)
		}
		if err == nil && !strings.Contains(text, "{{") && expanded != text {
			t.Errorf("Expand(%q) = %q changes plain text", text, expanded)
		}
	})
}
