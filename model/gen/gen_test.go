package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGenerated compares the files in the tree with what the model gives now.
func TestGenerated(t *testing.T) {
	a, err := load("../imagebuilder-model.json", "../additions.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(a)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date (%v): run go generate ./model", name, err)
		}
	}
	if n := len(a.Operations.names); n != 77 {
		t.Errorf("%d operations, want 77", n)
	}
}

// TestTranslate has the three patterns that Go cannot compile, the unanchored
// ones and those that are not applied. Source: api.md §1.11.
func TestTranslate(t *testing.T) {
	a, err := load("../imagebuilder-model.json", "../additions.json")
	if err != nil {
		t.Fatal(err)
	}
	for shape, c := range map[string]struct {
		max        int64
		match, not []string
	}{
		"TagKey":      {match: []string{"Name", "a:b c/d", "xaws:"}, not: []string{"a*b"}},
		"FilterName":  {max: 1024, match: []string{"name"}, not: []string{"", "name1", "a b"}},
		"FilterValue": {max: 1024, match: []string{`a {"b"}: c-d/1.x.x`}, not: []string{"", "a;b"}},
		"HttpTokens":  {match: []string{"optional", "required"}, not: []string{"optionally", "not required"}},
		"Timezone":    {match: []string{"Etc/UTC", "America/Argentina/Ushuaia"}, not: []string{"a b", "Etc/UTC "}},
		"OrganizationalUnitArn": {
			match: []string{"arn:aws:organizations::123456789012:ou/o-a123456789/ou-ab12-12345678"},
			not:   []string{"arn:aws:organizations::123456789012:ou/o-a123456789/ou-ab12-12345678 x"},
		},
		"InlineComponentData": {match: []string{"a\nb"}, not: []string{"", "a\x00b"}},
		"ResourceName":        {match: []string{"a b", "My_Test-1"}, not: []string{"ab", " abc", "a.b"}},
		"ComponentVersionArn": {
			match: []string{"arn:aws:imagebuilder:r:third-party:component/a/1.0.0", "arn:aws:imagebuilder:r:aws-marketplace:component/a/1.0.0"},
			not:   []string{"arn:aws:imagebuilder:r:party:component/a/1.0.0", "arn:aws:imagebuilder:r:aws:component/a/1.0.0\n"},
		},
	} {
		e, longest := translate(shape, a.Shapes.values[shape].Pattern)
		if longest != c.max {
			t.Errorf("%s: max = %d, want %d", shape, longest, c.max)
		}
		re := regexp.MustCompile(e.goSyntax)
		for _, s := range c.match {
			if !re.MatchString(s) {
				t.Errorf("%s: %q does not match %s", shape, s, e.goSyntax)
			}
		}
		for _, s := range c.not {
			if re.MatchString(s) {
				t.Errorf("%s: %q matches %s", shape, s, e.goSyntax)
			}
		}
	}
	if e, _ := translate("TagKey", a.Shapes.values["TagKey"].Pattern); e.notPrefix != "aws:" {
		t.Errorf("TagKey: forbidden prefix = %q", e.notPrefix)
	}
	for _, shape := range []string{"ComponentParameterType", "WorkflowParameterType"} {
		if e, _ := translate(shape, a.Shapes.values[shape].Pattern); e.goSyntax != "" {
			t.Errorf("%s is applied: %s", shape, e.goSyntax)
		}
	}
}

// TestAllPatternsCompile would find a new pattern of a newer model.
func TestAllPatternsCompile(t *testing.T) {
	a, err := load("../imagebuilder-model.json", "../additions.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range a.Shapes.names {
		e, _ := translate(name, a.Shapes.values[name].Pattern)
		if _, err := regexp.Compile(e.goSyntax); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(e.goSyntax, "`") {
			t.Errorf("%s cannot be a raw string", name)
		}
	}
}

func TestWords(t *testing.T) {
	for value, want := range map[string]string{
		"IMPORT_ISO": "ImportIso", "aws:ec2:image": "AwsEc2Image", "Self": "Self",
		"AWSMarketplace": "AWSMarketplace", "macOS": "MacOS", "gp3": "Gp3",
	} {
		if got := words(value); got != want {
			t.Errorf("words(%q) = %q, want %q", value, got, want)
		}
	}
}
