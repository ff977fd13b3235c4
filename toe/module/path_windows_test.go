package module

import (
	"strings"
	"testing"
)

func TestWindowsPath(t *testing.T) {
	c := &Call{Dir: `D:\work`}
	for path, want := range map[string]string{
		"":                "",
		`a/b`:             `D:\work\a\b`,
		`..\x`:            `D:\x`,
		`/tmp/x`:          `D:\tmp\x`,
		`\tmp\x`:          `D:\tmp\x`,
		`C:\x/y`:          `C:\x\y`,
		`C:x`:             `C:\x`,
		`\\host\share\x`:  `\\host\share\x`,
		`\\?\C:\a very/x`: `\\?\C:\a very\x`,
	} {
		if got := c.Path(path); got != want {
			t.Errorf("Path(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestWindowsNames(t *testing.T) {
	if !matchName("*.TXT", "Größe.txt") || matchName("a*", "ba") {
		t.Error("names are not compared as Windows compares them")
	}
	for _, name := range []string{"NUL", "com1.txt", "a:b", "..", `a\..\..\b`} {
		c := &Call{Dir: `C:\work`, Console: nowhere{}}
		d, err := entryDownload(c, Values{"source": "http://host/" + strings.ReplaceAll(name, `\`, "%5C"), "destination": `new\`})
		if err == nil {
			t.Errorf("a download named %s goes to %s, want an error", name, d.path)
		}
	}
}
