package module_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFolders(t *testing.T) {
	tests := []struct {
		name, module string
		entries      []entry
		want         map[string]string // what differs from the start
		gone         []string
		err          string
	}{
		{name: "copy to a name", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "new/x"}}, want: map[string]string{"new/x/1": "a1", "new/x/deep/2": "a2"}},
		{name: "copy into a folder", module: "CopyFolder", entries: []entry{{"source": "a/", "destination": "new/"}}, want: map[string]string{"new/a/1": "a1", "new/a/deep/2": "a2"}},
		{name: "copy merges", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "b"}}, want: map[string]string{"b/1": "a1", "b/deep/2": "a2"}},
		{name: "copy not over", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "b", "overwrite": "false"}}, err: "b already exists and overwrite is set to false"},
		{name: "copy a file", module: "CopyFolder", entries: []entry{{"source": "file", "destination": "new"}}, err: "file is not a folder"},
		{name: "copy over a file", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "file"}}, err: "file is not a folder"},
		{name: "copy nothing", module: "CopyFolder", entries: []entry{{"source": "none", "destination": "new"}}, err: "no such file"},
		{name: "copy a folder over a file", module: "CopyFolder", entries: []entry{{"source": "c", "destination": "a"}}, err: "1 is not a folder"},
		{name: "copy a file over a folder", module: "CopyFolder", entries: []entry{{"source": "d", "destination": "a"}}, err: "deep is a folder"},
		{name: "copy into itself", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "a/"}}, err: "lies within the source"},
		{name: "copy deep into itself", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "a/deep/x/y"}}, err: "lies within the source"},
		{name: "copy to itself", module: "CopyFolder", entries: []entry{{"source": "a", "destination": "b/../a"}}, err: "lies within the source"},
		{name: "copy up", module: "CopyFolder", entries: []entry{{"source": "a/deep", "destination": "a"}}, want: map[string]string{"a/2": "a2"}},
		{name: "copy what .. leads to", module: "CopyFolder", entries: []entry{{"source": "a/deep/..", "destination": "b/x/"}}, want: map[string]string{"b/x/a/1": "a1", "b/x/a/deep/2": "a2"}},
		{name: "copy several", module: "CopyFolder", entries: []entry{{"source": "[ab*", "destination": "new/"}}, err: "no folder matches"},
		{name: "copy all", module: "CopyFolder", entries: []entry{{"source": "*", "destination": "../copied/"}}},
		{name: "copy several to a name", module: "CopyFolder", entries: []entry{{"source": "a*", "destination": "new"}}, err: "must end in a separator"},
		{name: "copy the root", module: "CopyFolder", entries: []entry{{"source": "/", "destination": "new"}}, err: "lies within the source"},
		{name: "move to a name", module: "MoveFolder", entries: []entry{{"source": "a", "destination": "new/x"}}, want: map[string]string{"new/x/1": "a1", "new/x/deep/2": "a2"}, gone: []string{"a/1", "a/deep/2"}},
		{name: "move over", module: "MoveFolder", entries: []entry{{"source": "a", "destination": "b"}}, want: map[string]string{"b/1": "a1", "b/deep/2": "a2"}, gone: []string{"a/1", "a/deep/2", "b/3"}},
		{name: "move not over", module: "MoveFolder", entries: []entry{{"source": "a", "destination": "b", "overwrite": "false"}}, err: "already exists"},
		{name: "move several", module: "MoveFolder", entries: []entry{{"source": "a*", "destination": "b/"}}, want: map[string]string{"b/a/1": "a1", "b/a/deep/2": "a2"}, gone: []string{"a/1", "a/deep/2"}},
		{name: "move into itself", module: "MoveFolder", entries: []entry{{"source": "a", "destination": "a/x"}}, err: "lies within the source"},
		{name: "move over what holds it", module: "MoveFolder", entries: []entry{{"source": "a/deep", "destination": "a"}}, err: "which it would replace"},
		{name: "move over a file", module: "MoveFolder", entries: []entry{{"source": "a", "destination": "file"}}, err: "file is not a folder"},
		{name: "move a file", module: "MoveFile", entries: []entry{{"source": "file", "destination": "new/x"}}, want: map[string]string{"new/x": "f"}, gone: []string{"file"}},
		{name: "move a file over", module: "MoveFile", entries: []entry{{"source": "file", "destination": "a/1"}}, want: map[string]string{"a/1": "f"}, gone: []string{"file"}},
		{name: "move files into a folder", module: "MoveFile", entries: []entry{{"source": "a/*", "destination": "b"}}, want: map[string]string{"b/1": "a1"}, gone: []string{"a/1"}},
		{name: "move a file not over", module: "MoveFile", entries: []entry{{"source": "file", "destination": "a/1", "overwrite": "false"}}, err: "already exists"},
		{name: "move a file to itself", module: "MoveFile", entries: []entry{{"source": "file", "destination": "./"}}, err: "are the same file"},
		{name: "move no file", module: "MoveFile", entries: []entry{{"source": "a", "destination": "new"}}, err: "is not a regular file"},
		{name: "delete empty", module: "DeleteFolder", entries: []entry{{"path": "empty"}}},
		{name: "delete full", module: "DeleteFolder", entries: []entry{{"path": "a"}}, err: "not empty"},
		{name: "delete all", module: "DeleteFolder", entries: []entry{{"path": "a", "force": "true"}, {"path": "none", "force": "true"}, {"path": "file", "force": "true"}}, gone: []string{"a/1", "a/deep/2", "file"}},
		{name: "delete a file", module: "DeleteFolder", entries: []entry{{"path": "file"}}, err: "is not a folder"},
		{name: "delete nothing", module: "DeleteFolder", entries: []entry{{"path": "none"}}, err: "no such file"},
		{name: "delete the root", module: "DeleteFolder", entries: []entry{{"path": "/"}}, err: "root of a file system"},
		{name: "delete the root by ..", module: "DeleteFolder", entries: []entry{{"path": "/tmp/../.."}}, err: "root of a file system"},
		{name: "delete the empty path", module: "DeleteFolder", entries: []entry{{"path": ""}}, err: "must not be empty"},
		{name: "list a file", module: "ListFiles", entries: []entry{{"path": "file"}}, err: "is not a folder"},
		{name: "list nothing", module: "ListFiles", entries: []entry{{"path": "none"}}, err: "no such file"},
		{name: "encode", module: "SetFileEncoding", entries: []entry{{"path": "a/1", "encoding": "utf-16-BE"}}, want: map[string]string{"a/1": "\x00a\x001"}},
		{name: "encode twice", module: "SetFileEncoding", entries: []entry{{"path": "umlaut", "encoding": "utf16"}, {"path": "umlaut"}}, want: map[string]string{"umlaut": "\xe4\x00"}, err: "umlaut: the bytes are not valid in the encoding"},
		{name: "encode drops the mark", module: "SetFileEncoding", entries: []entry{{"path": "mark"}}, want: map[string]string{"mark": "x"}},
		{name: "encode nothing", module: "SetFileEncoding", entries: []entry{{"path": "none"}}, err: "no such file"},
		{name: "encode a folder", module: "SetFileEncoding", entries: []entry{{"path": "a"}}, err: "is not a regular file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			want := map[string]string{
				"a/1": "a1", "a/deep/2": "a2", "b/1": "b1", "b/3": "b3", "file": "f",
				"c/1/x": "c", "d/deep": "d", "umlaut": "ä", "mark": "\ufeffx",
			}
			for name, content := range want {
				write(t, filepath.Join(dir, name), content)
			}
			if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
				t.Fatal(err)
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

func TestListFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x", "a.log", "B", "ä,", ".hidden", "a/b/c"} {
		write(t, filepath.Join(dir, "top", name), "")
	}
	tests := []struct {
		entry entry
		want  string
	}{
		{entry{"path": "top"}, "top/.hidden,top/B,top/a.log,top/ä,"},
		{entry{"path": "./top//"}, "./top/.hidden,./top/B,./top/a.log,./top/ä,"},
		{entry{"path": "top", "recursive": "true"}, "top/.hidden,top/B,top/a.log,top/a/b/c,top/a/x,top/ä,"},
		{entry{"path": "top", "recursive": "true", "fileNamePattern": "?"}, ""},
		{entry{"path": "top", "recursive": "true", "fileNamePattern": "x"}, "top/a/x"},
	}
	for _, test := range tests {
		out, err := call(t, "ListFiles", dir, test.entry)
		if err != nil || len(out) != 1 || filepath.ToSlash(out[0].String("files")) != test.want {
			t.Errorf("ListFiles(%v) = %v, %v; want %q", test.entry, out, err, test.want)
		}
	}
}
