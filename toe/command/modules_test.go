package command

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

var update = flag.Bool("update", false, "rewrite the files that are compared")

// golden compares a text with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the program says; run this test with -update (-want +got):\n%s", file, diff)
	}
}

// docs/modules.md is the reference that the program prints.
func TestModulesPage(t *testing.T) {
	status, stdout, stderr := awstoe(t, nil, "modules", "--output", "markdown")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	golden(t, "../../docs/modules.md", stdout)
}

func TestModulesJSON(t *testing.T) {
	_, stdout, _ := awstoe(t, nil, "modules", "--output", "json")
	var modules []moduleInfo
	if err := json.Unmarshal([]byte(stdout), &modules); err != nil {
		t.Fatal(err)
	}
	if len(modules) != len(module.All()) {
		t.Errorf("%d modules, want %d", len(modules), len(module.All()))
	}
	for _, m := range modules {
		if m.Description == "" || len(m.Platforms) == 0 {
			t.Errorf("module %s says too little: %+v", m.Name, m)
		}
		for _, in := range m.Inputs {
			if in.Type == "" || in.Description == "" {
				t.Errorf("input %s of %s says too little: %+v", in.Name, m.Name, in)
			}
		}
	}
}

func TestModules(t *testing.T) {
	tests := []struct {
		args   string
		status int
		part   string
	}{
		{"modules", 0, "WebDownload "},
		{"modules WebDownload Reboot", 0, "\nReboot (linux, windows)\n"},
		{"modules webdownlod", 1, `there is no action module "webdownlod"; did you mean 'WebDownload'?`},
		{"modules --output xml", 1, `--output "xml": must be text, json or markdown`},
	}
	for _, test := range tests {
		status, stdout, stderr := awstoe(t, nil, strings.Fields(test.args)...)
		if status != test.status || !strings.Contains(stdout+stderr, test.part) {
			t.Errorf("%s: exit status %d, want %d, and %q in:\n%s%s", test.args, status, test.status, test.part, stdout, stderr)
		}
	}
}
