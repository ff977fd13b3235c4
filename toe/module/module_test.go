package module_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/module"
)

// console remembers what a module says.
type console struct {
	mu    sync.Mutex
	lines []string
}

func (c *console) Printf(level module.Level, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, string(level)+" "+fmt.Sprintf(format, args...))
}

func (c *console) Output(stream module.Stream, lines []byte) {
	c.Printf(module.Info, "%s: %s", stream, strings.TrimSuffix(string(lines), "\n"))
}

// call runs a module in a directory with inputs as a document writes them.
func call(t testing.TB, name, dir string, entries ...map[string]string) ([]module.Values, error) {
	t.Helper()
	return callWith(t, cloud.New(os.LookupEnv), name, dir, entries...)
}

func callWith(t testing.TB, client *cloud.Client, name, dir string, entries ...map[string]string) ([]module.Values, error) {
	t.Helper()
	m := module.Find(name)
	if m == nil {
		t.Fatalf("no module %s", name)
	}
	c := &module.Call{Dir: dir, Env: os.Environ(), Console: &console{}, Cloud: client}
	for _, entry := range entries {
		values := module.Values{}
		for key, text := range entry {
			in, ok := m.Input(key)
			if !ok {
				t.Fatalf("%s has no input %s", name, key)
			}
			v, err := m.Convert(in, text, runtime.GOOS)
			if err != nil {
				return nil, err
			}
			values[key] = v
		}
		c.Inputs = append(c.Inputs, values)
	}
	return m.Run(context.Background(), c)
}

type entry = map[string]string

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files below a directory with their contents.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// expectError compares an error with a part of it; an empty one stands for
// success. What the system says has other words on Windows.
func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if runtime.GOOS == "windows" && err != nil && slices.Contains([]string{"no such file", "not a directory"}, want) {
		return
	}
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestFiles(t *testing.T) {
	tests := []struct {
		name, module string
		entries      []entry
		want         map[string]string // what differs from the start; "" with deleted: gone
		gone         []string
		err          string
	}{
		{name: "create", module: "CreateFile", entries: []entry{{"path": "x/new", "content": "a\\nb"}}, want: map[string]string{"x/new": `a\nb`}},
		{name: "create UTF-16", module: "CreateFile", entries: []entry{{"path": "u", "content": "A", "encoding": "UTF-16"}}, want: map[string]string{"u": "A\x00"}},
		{name: "create UTF-32-BE", module: "CreateFile", entries: []entry{{"path": "u", "content": "A", "encoding": "utf32-BE"}}, want: map[string]string{"u": "\x00\x00\x00A"}},
		{name: "create over", module: "CreateFile", entries: []entry{{"path": "a.txt"}}, want: map[string]string{"a.txt": ""}},
		{name: "create not over", module: "CreateFile", entries: []entry{{"path": "a.txt", "overwrite": "false"}}, err: "a.txt already exists and overwrite is set to false"},
		{name: "first entry stays", module: "CreateFile", entries: []entry{{"path": "n", "content": "n"}, {"path": "a.txt/below"}}, want: map[string]string{"n": "n"}, err: "not a directory"},
		{name: "append", module: "AppendFile", entries: []entry{{"path": "a.txt", "content": "+"}}, want: map[string]string{"a.txt": "AAA+"}},
		{name: "append to nothing", module: "AppendFile", entries: []entry{{"path": "none"}}, err: "no such file"},
		{name: "copy", module: "CopyFile", entries: []entry{{"source": "a.txt", "destination": "d/e"}}, want: map[string]string{"d/e": "AAA"}},
		{name: "copy into a folder", module: "CopyFile", entries: []entry{{"source": "a.txt", "destination": "folder"}}, want: map[string]string{"folder/a.txt": "AAA"}},
		{name: "C48 copy several", module: "CopyFile", entries: []entry{{"source": "*.txt", "destination": "d/"}}, want: map[string]string{"d/a.txt": "AAA", "d/b.txt": "BBB", "d/.c.txt": "CCC"}},
		{name: "C48 copy several to a file", module: "CopyFile", entries: []entry{{"source": "*.txt", "destination": "d"}}, err: "must be a folder"},
		{name: "C48 copy nothing", module: "CopyFile", entries: []entry{{"source": "*.none", "destination": "d/"}}, err: "no regular file matches"},
		{name: "C48 copy not over", module: "CopyFile", entries: []entry{{"source": "a.txt", "destination": "b.txt", "overwrite": "false"}}, err: "overwrite is set to false"},
		{name: "copy to itself", module: "CopyFile", entries: []entry{{"source": "a.txt", "destination": "./a.txt"}}, err: "the same file"},
		{name: "copy a folder", module: "CopyFile", entries: []entry{{"source": "folder", "destination": "d"}}, err: "not a regular file"},
		{name: "delete", module: "DeleteFile", entries: []entry{{"path": "a.txt"}}, gone: []string{"a.txt"}},
		{name: "delete several", module: "DeleteFile", entries: []entry{{"path": "*.txt"}}, gone: []string{"a.txt", "b.txt", ".c.txt"}},
		{name: "C50 delete no match", module: "DeleteFile", entries: []entry{{"path": "none-*"}}},
		{name: "C50 delete nothing", module: "DeleteFile", entries: []entry{{"path": "none"}}, err: "no such file"},
		{name: "delete a folder", module: "DeleteFile", entries: []entry{{"path": "folder"}}, err: "is a folder; use DeleteFolder"},
		{name: "wildcard elsewhere", module: "DeleteFile", entries: []entry{{"path": "fold*/x"}}, err: "no such file"},
		{name: "create folder over a file", module: "CreateFolder", entries: []entry{{"path": "a.txt"}}, err: "not a directory"},
		{name: "create folder again", module: "CreateFolder", entries: []entry{{"path": "folder"}}},
		{name: "create folder not again", module: "CreateFolder", entries: []entry{{"path": "folder", "overwrite": "false"}}, err: "already exists"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			want := map[string]string{"a.txt": "AAA", "b.txt": "BBB", ".c.txt": "CCC", "folder/x": "X"}
			for name, content := range want {
				write(t, filepath.Join(dir, name), content)
			}
			_, err := call(t, test.module, dir, test.entries...)
			expectError(t, err, test.err)
			for name, content := range test.want {
				want[name] = content
			}
			for _, name := range test.gone {
				delete(want, name)
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPermissions(t *testing.T) { // C49
	if runtime.GOOS == "windows" {
		t.Skip("needs Unix permissions")
	}
	tests := []struct {
		module, permissions string
		want                os.FileMode
		err                 string
	}{
		{"CreateFile", "0640", 0o640, ""},
		{"CreateFile", "777", 0o777, ""},
		{"CreateFolder", "1777", 0o777 | os.ModeDir | os.ModeSticky, ""},
		{"SetFilePermissions", "4755", 0o755 | os.ModeSetuid, ""},
		{"CreateFile", "0o640", 0, "no octal permissions"},
		{"CreateFile", "99", 0, "no octal permissions"},
		{"CreateFile", "64", 0, "no octal permissions"},
		{"CreateFile", "12345", 0, "no octal permissions"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		path := filepath.Join(dir, "x")
		if test.module == "SetFilePermissions" {
			write(t, path, "")
		}
		_, err := call(t, test.module, dir, entry{"path": "x", "permissions": test.permissions})
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s %s: error %v, want %q", test.module, test.permissions, err, test.err)
		}
		if info, err := os.Stat(path); test.err == "" && (err != nil || info.Mode() != test.want) {
			t.Errorf("%s %s: mode %v, %v; want %v", test.module, test.permissions, info, err, test.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "one\n")
	write(t, filepath.Join(dir, "mark"), "\xef\xbb\xbfx")
	write(t, filepath.Join(dir, "wide"), "\xff\xfeA\x00\x3d\xd8\x00\xde")
	write(t, filepath.Join(dir, "bad"), "\xff")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 8<<20+1))
	got, err := call(t, "ReadFile", dir, entry{"path": "a"}, entry{"path": "mark"}, entry{"path": "wide", "encoding": "utf16"})
	want := []module.Values{{"content": "one\n"}, {"content": "x"}, {"content": "A😀"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("outputs (-want +got), error %v:\n%s", err, diff)
	}
	for name, want := range map[string]string{"none": "no such file", ".": "is not a regular file", "bad": "not valid in the encoding", "large": "larger than 8388608 bytes"} {
		_, err := call(t, "ReadFile", dir, entry{"path": name})
		expectError(t, err, want)
	}
	if _, err := call(t, "ReadFile", dir, entry{"path": "mark", "encoding": "utf16"}); err != nil {
		t.Errorf("four bytes are two units of UTF-16: %v", err)
	}
}

func TestExecuteBinary(t *testing.T) {
	dir := t.TempDir()
	m := module.Find("ExecuteBinary")
	c := &module.Call{Dir: dir, Env: os.Environ(), Console: &console{}}
	c.Inputs = []module.Values{{"path": "printf", "arguments": []string{`%s|%s\r\n\n`, "a b", "*"}}}
	out, err := m.Run(context.Background(), c)
	if diff := cmp.Diff([]module.Values{{"stdout": "a b|*"}}, out); diff != "" || err != nil {
		t.Errorf("outputs (-want +got), error %v:\n%s", err, diff)
	}
}

func TestEveryModuleDescribesItself(t *testing.T) {
	all := module.All()
	if !slices.IsSortedFunc(all, func(a, b *module.Module) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("modules are not in the order of their names")
	}
	for _, m := range all {
		if m.Description == "" || len(m.Platforms) == 0 || m.Run == nil || module.Find(m.Name) != m {
			t.Errorf("%s lacks a description, platforms or a function, or is listed wrongly", m.Name)
		}
		for _, in := range m.Inputs {
			if in.Description == "" || in.Type == "" {
				t.Errorf("input %s of %s lacks a description or type", in.Name, m.Name)
			}
			if in.Required && m.Optional {
				t.Errorf("input %s of %s is required, the inputs are not", in.Name, m.Name)
			}
		}
	}
}
