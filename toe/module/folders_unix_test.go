//go:build unix

package module_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/toe/module"
)

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func expectContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func expectLink(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.Readlink(path); err != nil || got != want {
		t.Errorf("%s leads to %q, %v; want %q", path, got, err, want)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// otherFileSystem is a folder that is not on the file system of a test's own.
func otherFileSystem(t *testing.T) string {
	t.Helper()
	here, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, candidate := range []string{"/dev/shm", "/run", "/var/tmp"} {
		info, err := os.Stat(candidate)
		if err != nil || info.Sys().(*syscall.Stat_t).Dev == here.Sys().(*syscall.Stat_t).Dev {
			continue
		}
		if dir, err := os.MkdirTemp(candidate, "ingot-test-*"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	t.Skip("needs a second file system that may be written to: /dev/shm, /run and /var/tmp are none")
	return ""
}

func TestCopyFolderKeepsModesAndLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "from/run"), "x")
	write(t, filepath.Join(dir, "from/closed/y"), "y")
	link(t, "/etc/passwd", filepath.Join(dir, "from/out"))
	link(t, "nowhere", filepath.Join(dir, "from/dangling"))
	for path, m := range map[string]fs.FileMode{"from/run": 0o755 | fs.ModeSetuid, "from/closed/y": 0o400, "from/closed": 0o500} {
		if err := os.Chmod(filepath.Join(dir, path), m); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // so that t.TempDir can go without root
		os.Chmod(filepath.Join(dir, "from/closed"), 0o700)
		os.Chmod(filepath.Join(dir, "to/closed"), 0o700)
	})
	defer syscall.Umask(syscall.Umask(0o077))
	if _, err := call(t, "CopyFolder", dir, entry{"source": "from", "destination": "to"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"to": fs.ModeDir | 0o755, "to/run": fs.ModeSetuid | 0o755, "to/closed": fs.ModeDir | 0o500, "to/closed/y": 0o400} {
		if got := mode(t, filepath.Join(dir, path)); got != want {
			t.Errorf("mode of %s = %v, want %v", path, got, want)
		}
	}
	expectLink(t, filepath.Join(dir, "to/out"), "/etc/passwd")
	expectLink(t, filepath.Join(dir, "to/dangling"), "nowhere")
}

// An attempt that fails keeps what it would have replaced, and another one
// finds the modes as they should be.
func TestCopyFolderAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "from/a/file"), "new")
	if err := errors.Join(os.Chmod(filepath.Join(dir, "from/a"), 0o775|fs.ModeSticky), os.Chmod(filepath.Join(dir, "from"), 0o750), unix.Mkfifo(filepath.Join(dir, "from/b"), 0o644)); err != nil {
		t.Fatal(err)
	}
	_, err := call(t, "CopyFolder", dir, entry{"source": "from", "destination": "to"})
	if err == nil || !strings.Contains(err.Error(), "from/b is neither") {
		t.Errorf("copying a pipe: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "from/b")); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, "CopyFolder", dir, entry{"source": "from", "destination": "to"}); err != nil {
		t.Error(err)
	}
	expectContent(t, filepath.Join(dir, "to/a/file"), "new")
	expectNames(t, filepath.Join(dir, "to/a"), "file")
	if a, to := mode(t, filepath.Join(dir, "to/a")), mode(t, filepath.Join(dir, "to")); a != mode(t, filepath.Join(dir, "from/a")) || to.Perm() != 0o750 {
		t.Errorf("modes after the second attempt: %v and %v", a, to)
	}
}

// A merge leaves the mode of a folder that exists, and replaces links instead
// of writing to what they point to.
func TestCopyFolderStaysInItsTarget(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside/file"), "precious")
	write(t, filepath.Join(dir, "from/file"), "new")
	write(t, filepath.Join(dir, "from/sub/file"), "new")
	for _, name := range []string{"files", "folders"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	link(t, "../outside/file", filepath.Join(dir, "files/file"))
	link(t, "../outside", filepath.Join(dir, "folders/sub"))
	if _, err := call(t, "CopyFolder", dir, entry{"source": "from", "destination": "files"}); err != nil {
		t.Error(err)
	}
	expectContent(t, filepath.Join(dir, "files/file"), "new")
	if got := mode(t, filepath.Join(dir, "files")); got != fs.ModeDir|0o711 {
		t.Errorf("the folder that existed has mode %v, want 0711", got)
	}
	_, err := call(t, "CopyFolder", dir, entry{"source": "from", "destination": "folders"})
	if err == nil || !strings.Contains(err.Error(), "folders/sub is not a folder") {
		t.Errorf("copying over a link to a folder: %v", err)
	}
	expectContent(t, filepath.Join(dir, "outside/file"), "precious")
	link(t, "from/sub", filepath.Join(dir, "way-in"))
	_, err = call(t, "CopyFolder", dir, entry{"source": "from", "destination": "way-in/x"})
	if err == nil || !strings.Contains(err.Error(), "lies within the source") {
		t.Errorf("copying into itself by a link: %v", err)
	}
}

// ".." after a link leads where it does for every program.
func TestPathsAfterLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real/there/x"), "")
	write(t, filepath.Join(dir, "real/here"), "here")
	write(t, filepath.Join(dir, "here"), "not here")
	link(t, "real/there", filepath.Join(dir, "link"))
	out, err := call(t, "ReadFile", dir, entry{"path": "link/../here"}, entry{"path": "new/../here"}, entry{"path": "..a/../here"})
	if err != nil || out[0].String("content") != "here" || out[1].String("content") != "not here" || out[2].String("content") != "not here" {
		t.Errorf("ReadFile = %v, %v", out, err)
	}
	if _, err := call(t, "CopyFile", dir, entry{"source": "link/../here", "destination": "link/../copy/"}); err != nil {
		t.Error(err)
	}
	expectContent(t, filepath.Join(dir, "real/copy/here"), "here")
}

func TestDeleteFolderDoesNotFollowLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside/file"), "precious")
	write(t, filepath.Join(dir, "tree/file"), "")
	link(t, "../outside", filepath.Join(dir, "tree/link"))
	link(t, "outside", filepath.Join(dir, "link"))
	if _, err := call(t, "DeleteFolder", dir, entry{"path": "link"}); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("deleting a link without force: %v", err)
	}
	if _, err := call(t, "DeleteFolder", dir, entry{"path": "tree", "force": "true"}, entry{"path": "link/", "force": "true"}); err != nil {
		t.Error(err)
	}
	expectContent(t, filepath.Join(dir, "outside/file"), "precious")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v; want the folder outside", left, err)
	}
}

// Named pipes and devices end a step at once instead of never.
func TestPipesAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for _, pipe := range []string{"pipe", "folder/pipe"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, pipe)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(filepath.Join(dir, pipe), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		module string
		entry  entry
		err    string
	}{
		{"ReadFile", entry{"path": "pipe"}, "not a regular file"},
		{"AppendFile", entry{"path": "pipe"}, "no such device or address"},
		{"CreateFile", entry{"path": "pipe"}, "no such device or address"},
		{"CreateFile", entry{"path": "/dev/null"}, "not a regular file"},
		{"SetFileEncoding", entry{"path": "pipe"}, "not a regular file"},
		{"CopyFile", entry{"source": "pipe", "destination": "new"}, "not a regular file"},
		{"CopyFile", entry{"source": "file", "destination": "pipe"}, "not a regular file"},
		{"CopyFolder", entry{"source": "folder", "destination": "new"}, "folder/pipe is neither a file nor a folder nor a link"},
		{"CopyFolder", entry{"source": "pipe", "destination": "new"}, "is not a folder"},
		{"ListFiles", entry{"path": "pipe"}, "is not a folder"},
		{"SetFolderOwner", entry{"path": "pipe", "owner": "0"}, "is not a folder"},
		{"SetFolderPermissions", entry{"path": "pipe", "permissions": "755"}, "is not a folder"},
	}
	for _, test := range tests {
		if _, err := call(t, test.module, dir, test.entry); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s(%v): %v, want %q", test.module, test.entry, err, test.err)
		}
	}
	if out, err := call(t, "ListFiles", dir, entry{"path": ".", "recursive": "true"}); err != nil || out[0].String("files") != "./file" {
		t.Errorf("ListFiles = %v, %v; want the file alone", out, err)
	}
}

func TestMoveAcrossFileSystems(t *testing.T) {
	dir, other := t.TempDir(), otherFileSystem(t)
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	write(t, filepath.Join(dir, "tree/sub/file"), "new")
	write(t, filepath.Join(dir, "file"), "file")
	link(t, "file", filepath.Join(dir, "tree/sub/link"))
	link(t, "file", filepath.Join(dir, "link"))
	write(t, filepath.Join(other, "tree/old"), "old")
	for _, path := range []string{"tree/sub/file", "tree/sub", "file"} {
		if err := errors.Join(os.Chmod(filepath.Join(dir, path), 0o751), os.Chtimes(filepath.Join(dir, path), old, old)); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(filepath.Join(dir, path), 12, 34); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := call(t, "MoveFolder", dir, entry{"source": "tree", "destination": other + "/"}); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, "MoveFile", dir, entry{"source": "link", "destination": other + "/"}, entry{"source": "file", "destination": filepath.Join(other, "tree/f")}); err != nil {
		t.Fatal(err)
	}
	expectContent(t, filepath.Join(other, "tree/sub/file"), "new")
	expectLink(t, filepath.Join(other, "tree/sub/link"), "file")
	expectLink(t, filepath.Join(other, "link"), "file")
	for _, path := range []string{"tree/sub/file", "tree/sub", "tree/f"} {
		info, err := os.Lstat(filepath.Join(other, path))
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != 0o751 || !info.ModTime().Equal(old) || os.Geteuid() == 0 && (owner.Uid != 12 || owner.Gid != 34) {
			t.Errorf("%s arrived with mode %v, time %v, owner %d:%d", path, info.Mode(), info.ModTime(), owner.Uid, owner.Gid)
		}
	}
	expectNames(t, dir)
	expectNames(t, other, "link", "tree")
	expectNames(t, filepath.Join(other, "tree"), "f", "sub")
}

// expectNames compares what a folder holds: nothing half made may be left.
func expectNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}

// A move that fails leaves both sides as they were.
func TestMoveThatFails(t *testing.T) {
	dir, other := t.TempDir(), otherFileSystem(t)
	write(t, filepath.Join(dir, "tree/file"), "new")
	write(t, filepath.Join(other, "tree/old"), "old")
	if err := unix.Mkfifo(filepath.Join(dir, "tree/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := call(t, "MoveFolder", dir, entry{"source": "tree", "destination": other + "/"})
	if err == nil || !strings.Contains(err.Error(), "tree/pipe is neither") {
		t.Errorf("MoveFolder: %v", err)
	}
	expectNames(t, filepath.Join(dir, "tree"), "file", "pipe")
	expectNames(t, other, "tree")
	expectContent(t, filepath.Join(other, "tree/old"), "old")
}

func TestCopyKeepsHoles(t *testing.T) {
	dir := t.TempDir()
	const size = 1 << 30
	f, err := os.Create(filepath.Join(dir, "from"))
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := f.WriteAt([]byte("one"), 0)
	_, err2 := f.WriteAt([]byte("two"), 512<<20)
	if err := errors.Join(err1, err2, f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, "CopyFile", dir, entry{"source": "from", "destination": "to"}); err != nil {
		t.Fatal(err)
	}
	copied, err := os.Open(filepath.Join(dir, "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	info, err := copied.Stat()
	if err != nil || info.Size() != size || info.Sys().(*syscall.Stat_t).Blocks*512 > 8<<20 {
		t.Errorf("the copy has %d bytes in %d blocks, %v; want 1 GiB in a few", info.Size(), info.Sys().(*syscall.Stat_t).Blocks, err)
	}
	for offset, want := range map[int64]string{0: "one", 512 << 20: "two", 1 << 20: "\x00\x00\x00"} {
		got := make([]byte, 3)
		if _, err := copied.ReadAt(got, offset); err != nil || string(got) != want {
			t.Errorf("at %d the copy has %q, %v; want %q", offset, got, err, want)
		}
	}
}

// nest makes folders within each other, deeper than a path can say.
func nest(t *testing.T, dir string, depth int) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	for range depth {
		if err == nil {
			err = root.Mkdir("d", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		var below *os.Root
		below, err = root.OpenRoot("d")
		root.Close()
		root = below
	}
	root.Close()
}

func TestDeepFoldersAreRefused(t *testing.T) {
	dir := t.TempDir()
	nest(t, dir, 1100)
	for _, test := range []struct {
		module string
		entry  entry
	}{
		{"CopyFolder", entry{"source": "d", "destination": "copy"}},
		{"ListFiles", entry{"path": "d", "recursive": "true"}},
		{"SetFolderPermissions", entry{"path": "d", "permissions": "755"}},
	} {
		if _, err := call(t, test.module, dir, test.entry); err == nil || !strings.Contains(err.Error(), "more than 1000 folders within each other") {
			t.Errorf("%s: %.300v", test.module, err)
		}
	}
}

func TestTreesHeedTheContext(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tree/file"), "x")
	timeout := errors.New("timed out")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(timeout)
	for name, in := range map[string]module.Values{
		"CopyFolder":     {"source": "tree", "destination": "copy"},
		"DeleteFolder":   {"path": "tree", "force": true},
		"ListFiles":      {"path": "tree", "recursive": true},
		"SetFolderOwner": {"path": "tree", "owner": "0"},
	} {
		c := &module.Call{Dir: dir, Console: &console{}, Inputs: []module.Values{in}}
		if _, err := module.Find(name).Run(ctx, c); !errors.Is(err, timeout) {
			t.Errorf("%s after the end of its time: %v", name, err)
		}
	}
	expectContent(t, filepath.Join(dir, "tree/file"), "x")
}

func TestFolderPermissions(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside"), "")
	write(t, filepath.Join(dir, "tree/sub/file"), "")
	link(t, "../outside", filepath.Join(dir, "tree/link"))
	steps := []struct {
		entry                    entry
		tree, sub, file, outside fs.FileMode
	}{
		{entry{"path": "tree", "permissions": "700", "recursive": "false"}, 0o700, 0o755, 0o644, 0o644},
		{entry{"path": "tree", "permissions": "1750"}, 0o750 | fs.ModeSticky, 0o750 | fs.ModeSticky, 0o750 | fs.ModeSticky, 0o644},
	}
	for _, s := range steps {
		if _, err := call(t, "SetFolderPermissions", dir, s.entry); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]fs.FileMode{"tree": s.tree | fs.ModeDir, "tree/sub": s.sub | fs.ModeDir, "tree/sub/file": s.file, "outside": s.outside} {
			if got := mode(t, filepath.Join(dir, path)); got != want {
				t.Errorf("after %v %s has mode %v, want %v", s.entry, path, got, want)
			}
		}
	}
	// Children first: a folder that shuts itself does not stop the walk.
	if _, err := call(t, "SetFolderPermissions", dir, entry{"path": "tree", "permissions": "000"}); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(dir, "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, filepath.Join(dir, "tree/sub")); got != fs.ModeDir {
		t.Errorf("the folder within has mode %v, want none", got)
	}
	if err := os.Chmod(filepath.Join(dir, "tree/sub"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestOwners(t *testing.T) {
	testenv.For(t, testenv.Root)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside"), "")
	write(t, filepath.Join(dir, "tree/sub/file"), "")
	link(t, "../outside", filepath.Join(dir, "tree/link"))
	link(t, "outside", filepath.Join(dir, "link"))
	owner := func(path string) [2]uint32 {
		t.Helper()
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		return [2]uint32{stat.Uid, stat.Gid}
	}
	steps := []struct {
		module string
		entry  entry
		want   map[string][2]uint32
	}{
		{"SetFolderOwner", entry{"path": "tree", "owner": "12345", "group": "54321"}, map[string][2]uint32{
			"tree": {12345, 54321}, "tree/sub": {12345, 54321}, "tree/sub/file": {12345, 54321}, "tree/link": {12345, 54321}, "outside": {0, 0},
		}},
		{"SetFolderOwner", entry{"path": "tree", "owner": "root", "recursive": "false"}, map[string][2]uint32{"tree": {0, 0}, "tree/sub": {12345, 54321}}},
		{"SetFileOwner", entry{"path": "link", "owner": "12345"}, map[string][2]uint32{"link": {0, 0}, "outside": {12345, 0}}},
		{"SetFileOwner", entry{"path": "outside", "owner": "root", "group": "54321"}, map[string][2]uint32{"outside": {0, 54321}}},
		{"SetFileOwner", entry{"path": "outside", "owner": "root"}, map[string][2]uint32{"outside": {0, 0}}},
		{"CreateFile", entry{"path": "made", "owner": "12345", "permissions": "4755", "content": "x"}, map[string][2]uint32{"made": {12345, 0}}},
		{"SetFileEncoding", entry{"path": "made", "encoding": "utf16"}, map[string][2]uint32{"made": {12345, 0}}},
	}
	for _, s := range steps {
		if _, err := call(t, s.module, dir, s.entry); err != nil {
			t.Errorf("%s(%v): %v", s.module, s.entry, err)
		}
		for path, want := range s.want {
			if got := owner(path); got != want {
				t.Errorf("after %s(%v) the owner of %s = %v, want %v", s.module, s.entry, path, got, want)
			}
		}
	}
	if got := mode(t, filepath.Join(dir, "made")); got != 0o755|fs.ModeSetuid {
		t.Errorf("mode of the file made = %v, want 04755", got)
	}
	for path, want := range map[string]string{"tree": "use SetFolderOwner", "none": "no such file"} {
		if _, err := call(t, "SetFileOwner", dir, entry{"path": path, "owner": "root"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SetFileOwner of %s: %v, want %q", path, err, want)
		}
	}
	for _, in := range []entry{{"path": "tree", "owner": "no-such-user"}, {"path": "tree", "owner": "root", "group": "no-such-group"}} {
		if _, err := call(t, "SetFolderOwner", dir, in); err == nil || !strings.Contains(err.Error(), "no-such-") {
			t.Errorf("SetFolderOwner(%v): %v", in, err)
		}
	}
}

func TestCreateSymlink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real/file"), "")
	link(t, "real/file", filepath.Join(dir, "old"))
	tests := []struct {
		entry     entry
		want, err string
	}{
		{entry{"path": "new/deep/link", "target": "../../real/file"}, "../../real/file", ""},
		{entry{"path": "new/other", "target": "real/file"}, "", "looking for the target"},
		{entry{"path": "old", "target": "real"}, "", "set force to replace it"},
		{entry{"path": "old", "target": "old", "force": "true"}, "", "would point to itself"},
		{entry{"path": "old", "target": "real", "force": "true"}, "real", ""},
		{entry{"path": "real", "target": "old", "force": "true"}, "", "exists and is not a link"},
	}
	for _, test := range tests {
		_, err := call(t, "CreateSymlink", dir, test.entry)
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("CreateSymlink(%v): %v, want %q", test.entry, err, test.err)
		}
		if test.want != "" {
			expectLink(t, filepath.Join(dir, test.entry["path"]), test.want)
		}
	}
	expectNames(t, dir, "new", "old", "real")
}

func TestOwnersAndPermissionsThatFail(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "old")
	tests := []struct {
		module string
		entry  entry
		err    string
	}{
		{"CreateFile", entry{"path": "file", "content": "new", "owner": "no-such-user"}, "no-such-user"},
		{"SetFilePermissions", entry{"path": ".", "permissions": "755"}, "is a folder; use SetFolderPermissions"},
		{"SetFolderPermissions", entry{"path": "file", "permissions": "755"}, "is not a folder"},
		{"SetFolderOwner", entry{"path": "file", "owner": "0"}, "is not a folder"},
		{"SetFolderOwner", entry{"path": "none", "owner": "0"}, "no such file"},
	}
	for _, test := range tests {
		_, err := call(t, test.module, dir, test.entry)
		expectError(t, err, test.err)
	}
	expectContent(t, filepath.Join(dir, "file"), "old")
}
