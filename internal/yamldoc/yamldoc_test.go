package yamldoc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot/internal/yamldoc"
)

// show is a node in one line.
func show(n *yamldoc.Node) string {
	switch n.Kind {
	case yamldoc.Scalar:
		return fmt.Sprintf("%q", n.Text)
	case yamldoc.List:
		var items []string
		for _, i := range n.Items {
			items = append(items, show(i))
		}
		return "[" + strings.Join(items, " ") + "]"
	case yamldoc.Mapping:
		var fields []string
		for _, f := range n.Fields {
			fields = append(fields, f.Key+":"+show(f.Value))
		}
		return "{" + strings.Join(fields, " ") + "}"
	}
	return "null"
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
		findings   []string
	}{
		{"source text", "a: 0750\nb: 1.10\nc: yes\nd: '012'\ne: 2026-11-21\n", `{a:"0750" b:"1.10" c:"yes" d:"012" e:"2026-11-21"}`, nil},
		{"null is absent", "a:\nb: ~\nc: 'null'\n", `{a:null b:null c:"null"}`, nil},
		{"block and CRLF", "a: |\r\n  x\r\n  y\r\n", `{a:"x\ny\n"}`, nil},
		{"byte-order mark", "\ufeffa: [b]", `{a:["b"]}`, nil},
		{"alias", "a: &x [1]\nb: *x\n", `{a:["1"] b:["1"]}`, nil},
		{"merge", "a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}\n", `{a:{p:"1" q:"2"} b:{q:"3" p:"1"}}`, nil},
		{"merge of a list", "a: [&x {p: 1}, &y {p: 2, q: 2}]\nb: {<<: [*x, *y]}\n", `{a:[{p:"1"} {p:"2" q:"2"}] b:{p:"1" q:"2"}}`, nil},
		{"all faults at once", "a: !Ref x\na: 2\n{{ b }}: 3\n", `{a:"x"}`, []string{
			"1:4: a: Explicit tags such as !Ref are not allowed",
			"2:1: a: Duplicate key 'a'",
			"3:1: A key must be text; to start a text with '{{' put it in quotes",
		}},
		{"alias of itself", "a: &x [*x]\n", `{a:[[null]]}`, []string{"1:8: a[0][0]: Alias 'x' contains itself"}},
		{"merge of text", "<<: x\n", `{}`, []string{"1:5: <<: A merge needs a mapping or a list of mappings"}},
		{"second document", "a: 1\n---\nb: 2\n", `{a:"1"}`, []string{"2:1: a second YAML document is not allowed"}},
		{"not closed", "a: [1\n", "", []string{"1:1: Unable to parse document: line 2: did not find expected ',' or ']'"}},
		{"not UTF-8", "a: 1\nb: \xff\n", "", []string{"2:1: Unable to parse document: the document is not UTF-8 text"}},
		{"empty", "# nothing\n", "", []string{"1:1: Unable to parse document: the document is empty"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, findings := yamldoc.Parse([]byte(test.text), 1<<20)
			got := ""
			if root != nil {
				got = show(root)
			}
			if got != test.want {
				t.Errorf("Parse = %s, want %s", got, test.want)
			}
			var lines []string
			for _, f := range findings {
				lines = append(lines, f.String())
			}
			if diff := cmp.Diff(test.findings, lines); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	root, _ := yamldoc.Parse([]byte("list:\n  - name: ä\n    value: {x: 1}\n"), 1<<20)
	x := root.Get("list").Items[0].Get("value").Get("x")
	if x.Path != "list[0].value.x" || x.Line != 3 || x.Column != 16 {
		t.Errorf("place of x = %s %d:%d", x.Path, x.Line, x.Column)
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	findings := yamldoc.Findings{
		{Line: 2, Column: 4, Path: "a.b", Message: "wrong", Severity: yamldoc.Error},
		{Line: 9, Column: 1, Message: "late", Severity: yamldoc.Warning},
	}
	if err := findings.Print(&b, "f.yml", []byte("a:\r\n\tö b: x\r\n")); err != nil {
		t.Fatal(err)
	}
	want := "f.yml:2:4: a.b: wrong\n    \tö b: x\n    \t  ^\nf.yml:9:1: warning: late\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("Print (-want +got):\n%s", diff)
	}
}

func TestPrintBoundsLines(t *testing.T) {
	line := strings.Repeat("ä", 300) + "Z" + strings.Repeat("ß", 300)
	var b strings.Builder
	findings := yamldoc.Findings{{Line: 1, Column: 301, Message: "bad \x1b[31m", Severity: yamldoc.Error}}
	if err := findings.Print(&b, "f.yml", []byte(line)); err != nil {
		t.Fatal(err)
	}
	want := "f.yml:1:301: bad \ufffd[31m\n    …" + strings.Repeat("ä", 50) + "Z" + strings.Repeat("ß", 50) + "…\n    " + strings.Repeat(" ", 51) + "^\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("Print (-want +got):\n%s", diff)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"ExecuteBash", "ExecuteBinary", "CopyFile", "timeoutSeconds"}
	tests := map[string]string{
		"ExecuteBsh": "ExecuteBash", "executebash": "ExecuteBash", "timeoutSecond": "timeoutSeconds",
		"Unrelated": "", "": "", strings.Repeat("x", 500): "",
	}
	for name, want := range tests {
		if got := yamldoc.Nearest(name, known); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
}

// A known name is its own nearest one.
func TestNearestFindsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,12}`), 1, 8).Draw(t, "names")
		name := rapid.SampledFrom(names).Draw(t, "name")
		if got := yamldoc.Nearest(name, names); got != name {
			t.Errorf("Nearest(%q, %q) = %q", name, names, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: &x [1]\nb: {<<: *x}\n", "? [a]\n: b\n", "%YAML 1.1\n---\na\n...\n", "\ufeff- |\r\n x\r\n", "*a", "a: b: c"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, findings := yamldoc.Parse(data, 1<<16)
		if root == nil && findings.Err() == nil {
			t.Error("neither a document nor a fault")
		}
	})
}
