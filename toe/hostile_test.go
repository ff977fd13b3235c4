package toe_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

// repeat is what f makes of the numbers below n.
func repeat(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

// command is a document that runs one.
func command(text string) string {
	return document("- {name: s, action: ExecuteBash, inputs: {commands: ['" + text + "']}}")
}

func TestHostileDocuments(t *testing.T) {
	const steps = "schemaVersion: 1.0\nphases: [{name: build, steps: "
	long := strings.Repeat("n", 400_000)
	tests := []struct{ name, document, want string }{
		{"alias bomb", "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + repeat(9, func(i int) string {
			return fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
		}), "Aliases and merges expand to more than 10000 nodes"},
		{"merge bomb", "m0: &m0 {a: 1, b: 2}\n" + repeat(30, func(i int) string {
			return fmt.Sprintf("m%d: &m%d {<<: [*m%d, *m%d]}\n", i+1, i+1, i, i)
		}), "Aliases and merges expand to more than 10000 nodes"},
		{"alias of itself", "a: &a [*a]\n", "Alias 'a' contains itself"},
		{"10 MB", command(strings.Repeat("x", 10<<20)), "more than 1048576"},
		{"lists in lists", strings.Repeat("[", 1<<20-1), "exceeded max depth"},
		{"mappings in mappings", strings.Repeat("{a: ", 1<<18-1), "exceeded max depth"},
		{"blocks in blocks", strings.Repeat("- ", 1<<19-1), "exceeded max depth"},
		{"100 levels", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper than 100 levels"},
		{"many keys", "schemaVersion: 1.0\n" + repeat(60_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }), "Unknown field 'k0'"},
		{"a long name", steps + "[{name: " + long + ", action: ExecuteBash, inputs: {commands: ['" + strings.Repeat("{{ abc }}", 60_000) + "']}}]}]\n", "Invalid step name 'nnn"},
		{"long paths", "schemaVersion: 1.0\n" + long + ": {" + repeat(50_000, func(i int) string { return fmt.Sprintf("k%d: 1, ", i) }) + "}\n", "Unknown field 'nnn"},
		{"deep paths", "schemaVersion: 1.0\n" + strings.Repeat("{"+strings.Repeat("k", 80)+": ", 90) + "[" + strings.Repeat("x,", 400_000), "Unable to parse document"},
		{"open braces", command(strings.Repeat("{{ ", 340_000)), ""},
		{"braces of others", command(strings.Repeat("{{ a.b }}", 110_000)), "is no expression"},
		{"unknown references", command(strings.Repeat("{{ abc }}", 110_000)), "Undefined reference '{{ abc }}'"},
		{"a long pattern", document("- {name: s, action: Assert, inputs: {patternMatches: '" + strings.Repeat("(a{1,1000}){1,1000}", 1000) + "', value: a}}"), "Invalid condition"},
		{"a billion iterations", document("- {name: s, action: ExecuteBash, loop: {for: {start: 1, end: 1000000000, updateBy: 1}}, inputs: {commands: [a]}}"), "Invalid loop"},
		{"iterations without end", document("- {name: s, action: ExecuteBash, loop: {for: {start: -9223372036854775808, end: 9223372036854775807, updateBy: 1}}, inputs: {commands: [a]}}"), "Invalid loop"},
		{"a number that is none", document("- {name: s, action: ExecuteBash, timeoutSeconds: 99999999999999999999, inputs: {commands: [a]}}"), "Invalid value '99999999999999999999'"},
		{"too many steps", document(repeat(1001, func(i int) string { return fmt.Sprintf("- {name: s%d, action: Reboot}\n", i) })), "more than 1000 steps"},
		{"control characters", "schemaVersion: 1.0\nname: \"\\x1b[2J\\a\"\nphases: []\n", "at least one phase"},
		{"NUL", "schemaVersion: 1.0\x00\n", "Unable to parse document"},
		{"not UTF-8", "schemaVersion: 1.0\nname: \xff\xfe\n", "2:1: Unable to parse document: the document is not UTF-8"},
		{"UTF-16", "\xff\xfes\x00c\x00h\x00", "not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := allocated()
			_, findings := toe.Check([]byte(test.document), toe.CheckOptions{Path: "d"})
			// Half a million values need 700 MiB while they are decoded. What grows
			// with the square of the size is far above the bound.
			if grown := (allocated() - before) >> 20; grown > 1024 {
				t.Errorf("Check allocated %d MiB for a document of %d KiB", grown, len(test.document)>>10)
			}
			text := ""
			for _, f := range findings {
				text += f.String() + "\n"
			}
			if !strings.Contains(text, test.want) {
				t.Errorf("findings lack %q:\n%.1000s", test.want, text)
			}
			if len(findings) > 2100 || len(text) > 4<<20 {
				t.Errorf("%d findings of %d bytes: nobody reads that", len(findings), len(text))
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
