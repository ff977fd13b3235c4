package toe_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The cases C48 to C52, those of files and folders.

// outputs are the outputs of a step of phase build, an entry of its inputs
// each.
func (tr *trial) outputs(t *testing.T, name string) []map[string]string {
	t.Helper()
	var out []map[string]string
	if err := json.Unmarshal([]byte(tr.steps["build."+name].Outputs), &out); err != nil {
		t.Fatalf("outputs of %s: %v", name, err)
	}
	return out
}

// failure is the message of a step of phase build, empty if it succeeded.
func (tr *trial) failure(name string) string { return tr.steps["build."+name].FailureMessage }

// expectFailures compares the messages of steps with a part of each; an empty
// one stands for success.
func (tr *trial) expectFailures(t *testing.T, want map[string]string) {
	t.Helper()
	for name, part := range want {
		got := tr.failure(name)
		if (got != "") != (part != "") || !strings.Contains(got, part) {
			t.Errorf("failure of %s = %q, want %q", name, got, part)
		}
	}
}

// expectFiles compares the contents of files below the trial's folder; "-" is
// a file that must not exist.
func (tr *trial) expectFiles(t *testing.T, want map[string]string) {
	t.Helper()
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(tr.dir, name))
		if err != nil && content != "-" || err == nil && string(got) != content {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, content)
		}
	}
}

func TestConformanceOfFiles(t *testing.T) {
	t.Run("C48 CopyFile", func(t *testing.T) {
		tr := try(t, nil, document(`
- {name: make, action: CreateFile, inputs: [{path: c48/a.txt, content: A}, {path: c48/b.txt, content: B}]}
- {name: folder, action: CopyFile, inputs: [{source: $DIR/c48/*.txt, destination: $DIR/c48d/}]}
- {name: file, action: CopyFile, onFailure: Ignore, inputs: [{source: $DIR/c48/*.txt, destination: $DIR/c48d2}]}
- {name: none, action: CopyFile, onFailure: Ignore, inputs: [{source: $DIR/c48/*.none, destination: $DIR/c48d/}]}
- {name: keep, action: CopyFile, onFailure: Ignore, inputs: [{source: $DIR/c48/a.txt, destination: $DIR/c48d/b.txt, overwrite: false}]}`))
		tr.expectFailures(t, map[string]string{
			"folder": "", "file": "must be a folder", "none": "no regular file matches", "keep": "already exists and overwrite is set to false",
		})
		tr.expectFiles(t, map[string]string{"c48d/a.txt": "A", "c48d/b.txt": "B", "c48d2": "-"})
	})
	t.Run("C49 CreateFile", func(t *testing.T) {
		tr := try(t, nil, document(`
- {name: verbatim, action: CreateFile, inputs: [{path: text, content: 'a\nb'}]}
- {name: mode, action: CreateFile, inputs: [{path: private, content: x, permissions: 0640}]}
- {name: wide, action: CreateFile, inputs: [{path: wide, content: A, encoding: UTF-16}]}`))
		tr.expectFailures(t, map[string]string{"verbatim": "", "mode": "", "wide": ""})
		tr.expectFiles(t, map[string]string{"text": `a\nb`, "wide": "A\x00"})
		if info, err := os.Stat(filepath.Join(tr.dir, "private")); err != nil || info.Mode() != 0o640 {
			t.Errorf("private has mode %v, %v; want 0640", info.Mode(), err)
		}
	})
	t.Run("C50 DeleteFolder and DeleteFile", func(t *testing.T) {
		tr := try(t, nil, document(`
- {name: make, action: CreateFile, inputs: [{path: kept/x, content: X}, {path: gone/x}]}
- {name: full, action: DeleteFolder, onFailure: Ignore, inputs: [{path: $DIR/kept}]}
- {name: force, action: DeleteFolder, inputs: [{path: $DIR/gone, force: true}]}
- {name: wildcard, action: DeleteFile, inputs: [{path: $DIR/none-*}]}
- {name: missing, action: DeleteFile, onFailure: Ignore, inputs: [{path: $DIR/none}]}`))
		tr.expectFailures(t, map[string]string{"full": "not empty", "force": "", "wildcard": "", "missing": "no such file"})
		tr.expectFiles(t, map[string]string{"kept/x": "X", "gone/x": "-"})
	})
	t.Run("C51 CreateSymlink", func(t *testing.T) {
		tr := try(t, nil, document(`
- {name: make, action: CreateFile, inputs: [{path: a, content: A}, {path: b, content: B}]}
- {name: missing, action: CreateSymlink, onFailure: Ignore, inputs: [{path: link, target: $DIR/none}]}
- {name: first, action: CreateSymlink, inputs: [{path: link, target: $DIR/a}]}
- {name: again, action: CreateSymlink, onFailure: Ignore, inputs: [{path: link, target: $DIR/b}]}
- {name: before, action: ReadFile, inputs: [{path: link}]}
- {name: force, action: CreateSymlink, inputs: [{path: link, target: $DIR/b, force: true}]}
- {name: file, action: CreateSymlink, onFailure: Ignore, inputs: [{path: a, target: $DIR/b, force: true}]}`))
		tr.expectFailures(t, map[string]string{
			"missing": "no such file", "first": "", "again": "already exists", "force": "", "file": "exists and is not a link",
		})
		tr.expectFiles(t, map[string]string{"link": "B", "a": "A"})
		if got := tr.outputs(t, "before")[0]["content"]; got != "A" {
			t.Errorf("the link led to %q before it was replaced, want A", got)
		}
	})
	t.Run("C52 ListFiles", func(t *testing.T) {
		tr := try(t, nil, document(`
- {name: make, action: CreateFile, inputs: [{path: p/b.log}, {path: p/a.log}, {path: p/sub/c.log}, {path: p/a.txt}]}
- name: list
  action: ListFiles
  inputs:
  - {path: $DIR/p, fileNamePattern: '*.log'}
  - {path: $DIR/p, fileNamePattern: '*.log', recursive: true}
  - {path: $DIR/p, fileNamePattern: '*.none'}
- {name: use, action: ExecuteBash, inputs: {commands: ["echo '{{ build.list.outputs[1].files }}'"]}}`))
		p := filepath.Join(tr.dir, "p")
		flat := p + "/a.log," + p + "/b.log"
		for i, want := range []string{flat, flat + "," + p + "/sub/c.log", ""} {
			if got := tr.outputs(t, "list")[i]["files"]; got != want {
				t.Errorf("files of entry %d = %q, want %q", i, got, want)
			}
		}
		if got := tr.stdout("build.use"); got != flat+","+p+"/sub/c.log" {
			t.Errorf("a later step sees %q", got)
		}
	})
}
