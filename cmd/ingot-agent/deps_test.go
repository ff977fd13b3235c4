package main

import (
	"os/exec"
	"strings"
	"testing"
)

// allowed are the modules whose packages the agent may be made of: it is
// small, static, and at home in any guest.
var allowed = []string{
	"ingot.dev/ingot", "golang.org/x/sync", "golang.org/x/sys", "go.yaml.in/yaml/v4",
	"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go",
}

// closed are packages of our own that belong to the server.
var closed = []string{
	"ingot.dev/ingot/compute/shim", "ingot.dev/ingot/compute/container", "ingot.dev/ingot/disk",
	"ingot.dev/ingot/model", "ingot.dev/ingot/guest/agentbin",
}

func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if !within(path, allowed) {
			t.Errorf("the agent imports %s; it may import the standard library and %v", path, allowed)
		}
		if within(path, closed) {
			t.Errorf("the agent imports %s, which is the server's", path)
		}
	}
}

func within(path string, roots []string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}
