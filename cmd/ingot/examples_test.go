package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// TestSameResultEverywhere runs an example on this host and in both kinds of
// instance. detailedoutput.json must be the same, but for times, ids and the
// name of the document.
func TestSameResultEverywhere(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	const example = "../../examples/language-tour/tour.yaml"
	document, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t)
	logs := t.TempDir()
	var result struct{ Status, LogURL string }
	if err := json.Unmarshal(p.command("toe", "run", "--documents", example, "--phases", "build,validate", "--log-directory", logs), &result); err != nil {
		t.Fatal(err)
	}
	if result.Status != "successWithIgnoredFailure" {
		t.Fatalf("status on this host: %s, want successWithIgnoredFailure", result.Status)
	}
	want := whatHappened(t, filepath.Join(result.LogURL, "detailedoutput.json"))
	p.start()
	p.importBase()
	for _, kind := range []string{"ct.small", "vm.small"} {
		t.Run(kind, func(t *testing.T) {
			p.t = t
			image := p.createImage(p.recipe("tour-"+kind[:2], model.CreateInfrastructureConfigurationRequest{InstanceTypes: []string{kind}}, string(document)), false)
			if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
				t.Fatalf("%s is %s: %s; the server's log:\n%s", image, got.State.Status, got.State.Reason, p.log)
			}
			if diff := cmp.Diff(want, whatHappened(t, filepath.Join(p.logDir(image), "logs/*/1.0.0/1/wf-*/Apply*Components/TOE_*/detailedoutput.json"))); diff != "" {
				t.Errorf("detailedoutput.json (-this host +%s):\n%s", kind, diff)
			}
		})
	}
	p.t = t
}

// whatHappened reads the one record that a pattern names and leaves out what
// differs from run to run.
func whatHappened(t *testing.T, pattern string) any {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %d files, %v; want one", pattern, len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var record any
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	return without(record, "executionId", "startTime", "endTime", "filePath")
}

// without is a JSON value without some keys, at any depth.
func without(v any, keys ...string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys {
			delete(v, k)
		}
		for k := range v {
			v[k] = without(v[k], keys...)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], keys...)
		}
	}
	return v
}
