package startup

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTask(t *testing.T) {
	c := Command{Args: []string{`C:\Program Files\awstoe.exe`, "run", "-d", `C:\a b\`, `say "hi"`, `\"`, ""}, Dir: `C:\<work> & more`, State: `C:\s`}
	text, err := task(c)
	if err != nil {
		t.Fatal(err)
	}
	var got taskDefinition
	decoder := xml.NewDecoder(strings.NewReader(strings.Replace(text, "UTF-16", "UTF-8", 1)))
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	got.XMLName = xml.Name{}
	want := taskDefinition{
		Version: "1.2", Boot: true, User: "S-1-5-18", RunLevel: "HighestAvailable", TimeLimit: "PT0S",
		Command: c.Args[0], Dir: c.Dir, Arguments: `"run" "-d" "C:\a b\\" "say \"hi\"" "\\\"" ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
}
