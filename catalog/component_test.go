package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

// The managed components: their type and the steps of each phase.
func TestComponents(t *testing.T) {
	list, err := loadComponents()
	if err != nil {
		t.Fatal(err)
	}
	installs := []string{"BUILD", "build: Install ExecuteBash", "validate: CheckVersion ExecuteBash", "test: CheckVersion ExecuteBash"}
	want := map[string][]string{
		"aws-cli-version-2-linux": installs,
		"hello-world-linux":       {"BUILD", "build: HelloWorld ExecuteBash", "validate: HelloWorld ExecuteBash", "test: HelloWorld ExecuteBash"},
		"python-3-linux":          installs,
		"reboot-linux":            {"BUILD", "build: Restart Reboot"},
		"reboot-test-linux":       {"TEST", "test: MarkThisBoot CreateFile", "test: Restart Reboot", "test: CheckRestarted Assert", "test: CheckRunning ExecuteBash"},
		"simple-boot-test-linux":  {"TEST", "test: CheckBooted ExecuteBash"},
		"update-linux":            {"BUILD", "build: UpdateOperatingSystem UpdateOS"},
	}
	got := map[string][]string{}
	for _, c := range list {
		if c.Document.Name != c.Name || c.Document.Description == "" {
			t.Errorf("%s calls itself %q: %q", c.Name, c.Document.Name, c.Document.Description)
		}
		if _, findings := toe.Check([]byte(c.Data), toe.CheckOptions{Path: c.Name, Platform: "linux", Service: true}); len(findings) > 0 {
			t.Errorf("%s has warnings: %v", c.Name, findings)
		}
		got[c.Name] = componentOutline(c.Document)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// componentOutline has the type and a line for each step.
func componentOutline(d *toe.Document) []string {
	lines := []string{d.Type()}
	for _, p := range d.Phases {
		for _, s := range p.Steps {
			lines = append(lines, p.Name+": "+s.Name+" "+s.Action)
		}
	}
	return lines
}
