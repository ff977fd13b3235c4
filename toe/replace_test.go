package toe_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

func TestRecordIsWholeAtEveryMoment(t *testing.T) {
	dir := t.TempDir()
	req := request(dir, document(`
- {name: a, action: ExecuteBash, inputs: {commands: ['seq 2000']}}
- {name: b, action: ExecuteBash, inputs: {commands: ['echo {{ build.a.outputs.stdout }} | wc -w']}}
- {name: c, action: ExecuteBash, inputs: {commands: [echo end]}}`))
	most := 0
	result, err := toe.Run(context.Background(), req, toe.Options{Observer: func(toe.Event) {
		files, err := filepath.Glob(filepath.Join(dir, "logs", "TOE_*", "detailedoutput.json"))
		if err != nil || len(files) == 0 {
			return // before the first step is done
		}
		data, err := os.ReadFile(files[0])
		if err != nil || !json.Valid(data) {
			t.Fatalf("detailedoutput.json: %v\n%s", err, data)
		}
		if len(data) < most {
			t.Errorf("the record shrank from %d bytes to %d", most, len(data))
		}
		most = len(data)
	}})
	if err != nil || result.Status != "success" || most == 0 {
		t.Fatalf("Run = %+v, %v; largest record %d bytes", result, err, most)
	}
	want := []string{"application.log", "chaining.json", "console.log", "detailedoutput.json", "document.yaml"}
	if diff := cmp.Diff(want, names(t, result.LogURL)); diff != "" {
		t.Errorf("log folder (-want +got):\n%s", diff)
	}
}

// names are those in a folder, in order.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
