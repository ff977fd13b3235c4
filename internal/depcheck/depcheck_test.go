// Package depcheck states who may import whom, and fails on a new edge.
package depcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "ingot.dev/ingot"

// allowed lists, for each package of the product, the packages of the product
// it may import. cmd/ and server, which put everything together, are free.
var allowed = map[string][]string{
	"":                       {"model"},
	"model":                  {},
	"model/gen":              {},
	"api":                    {"", "model", "api/iam", "api/sigv4", "audit", "blob", "logs", "schedule", "toe", "workflow"},
	"api/iam":                {""},
	"api/sigv4":              {},
	"transport":              {},
	"audit":                  {},
	"trace":                  {},
	"hook":                   {},
	"sqlite":                 {""},
	"storetest":              {"", "model"},
	"logs":                   {""},
	"schedule":               {"", "logs", "model"},
	"flow":                   {},
	"flow/journal":           {"flow"},
	"flow/flowtest":          {"flow"},
	"toe":                    {"toe/cloud", "toe/module", "internal/yamldoc"},
	"toe/cloud":              {},
	"toe/command":            {"internal/yamldoc", "toe", "toe/cloud", "toe/module", "toe/startup"},
	"toe/module":             {"toe/cloud"},
	"toe/startup":            {},
	"workflow":               {"internal/yamldoc", "model"},
	"internal/yamldoc":       {},
	"guest":                  {"toe", "guest/sanitize"},
	"guest/sanitize":         {},
	"guest/agentbin":         {},
	"compute":                {"guest"},
	"compute/shim":           {"compute", "disk", "guest"},
	"compute/container":      {"compute", "compute/shim", "disk", "guest", "guest/agentbin"},
	"compute/qemu":           {"compute", "compute/qemu/initramfs", "compute/qemu/probe", "compute/shim", "disk", "guest", "guest/agentbin"},
	"compute/qemu/initramfs": {"guest"},
	"compute/qemu/probe":     {},
	"doctor":                 {"compute"},
	"disk":                   {""},
	"registry":               {""},
	"region":                 {"", "disk", "registry"},
	"lifecycle":              {"", "disk", "model", "region", "registry"},
	"distribute":             {"", "disk", "model", "region"},
	"base":                   {"", "catalog", "disk", "region"},
	"blob":                   {},
	"blob/dir":               {"blob"},
	"blob/outbox":            {"blob"},
	"blob/s3":                {"blob", "toe/cloud"},
	"catalog":                {"", "model", "toe", "workflow"},
	"build":                  {"", "blob/outbox", "catalog", "compute", "disk", "distribute", "flow", "guest", "guest/agentbin", "guest/sanitize", "hook", "logs", "model", "region", "registry", "toe", "workflow"},
	"notify":                 {"", "hook"},
	"client":                 {},
	"project":                {"", "client", "model"},
	"admin":                  {""},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	seen := 0
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		check(t, p)
	}
	if seen < len(allowed)/2 {
		t.Errorf("go list named %d packages, want the whole module", seen)
	}
}

func check(t *testing.T, p listed) {
	name := local(p.ImportPath)
	rule, ok := allowed[name]
	if !ok {
		if strings.HasPrefix(name, "cmd/") || name == "server" || strings.HasSuffix(name, "test") || strings.HasPrefix(name, "internal/") {
			return
		}
		t.Errorf("package %q: is not in the table of this test; say what it may import", name)
		return
	}
	for _, i := range p.Imports {
		if i != module && !strings.HasPrefix(i, module+"/") {
			continue
		}
		if !slices.Contains(rule, local(i)) {
			t.Errorf("package %q imports %q: the table of this test does not allow it", name, local(i))
		}
	}
}

func local(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}
