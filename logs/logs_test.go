package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot"
)

var scope = ingot.Scope{Account: "111122223333", Region: "us-east-1"}

func newStore(t testing.TB) *Store {
	dir := t.TempDir()
	return &Store{
		Dir:   filepath.Join(dir, "logs"),
		Image: func(a ingot.ARN) string { return filepath.Join(dir, "builds", a.Name, "log") },
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func image(t testing.TB, tail string) ingot.ARN {
	t.Helper()
	a, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:111122223333:image/" + tail)
	check(t, err)
	return a
}

func wantCode(t testing.TB, doing string, err error, want ingot.Code) {
	t.Helper()
	if got := ingot.ErrorCode(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", doing, got, err, want)
	}
}

// TestGroupsAreFolders: each name has a folder of its own, below the scope's,
// and the folder says the name.
func TestGroupsAreFolders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab09././/-_")), 1, 512, 512).Draw(t, "name")
		checkFolder(t, name)
	})
}

func FuzzGroup(f *testing.F) {
	for _, name := range []string{"/aws/imagebuilder/web", "a", "/", "//", ".", "../..", "/a/../b", "/a/./b/", strings.Repeat("a", 512), "a/" + strings.Repeat("b", 201)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if ingot.CheckLogGroup(name) == nil {
			checkFolder(t, name)
		}
	})
}

func checkFolder(t rapid.TB, name string) {
	s := &Store{Dir: "/logs"}
	dir, err := s.group(scope, name)
	if err != nil {
		t.Fatal(err)
	}
	const root = "/logs/us-east-1/111122223333"
	if !strings.HasPrefix(dir, root+"/") || filepath.Clean(dir) != dir {
		t.Fatalf("the folder of %q is %q, want one below %s", name, dir, root)
	}
	for part := range strings.SplitSeq(dir, "/") {
		if len(part) > 255 || strings.Contains(part, slash) {
			t.Fatalf("the folder of %q has the part %q", name, part)
		}
	}
	if got := groupOf(root, dir); got != name {
		t.Fatalf("the folder of %q is that of %q", name, got)
	}
}

// TestHostileNames: what is not a name finds nothing, wherever it leads.
func TestHostileNames(t *testing.T) {
	s := newStore(t)
	check(t, os.MkdirAll(filepath.Join(s.Dir, "us-east-1/111122223333"), 0o700))
	check(t, os.WriteFile(filepath.Join(filepath.Dir(s.Dir), "secret.log"), []byte("{}\n"), 0o600))
	for _, l := range []ingot.LogStream{
		{Scope: scope, Group: "", Name: "1.0.0/1"},
		{Scope: scope, Group: "/a\x00b", Name: "1.0.0/1"},
		{Scope: scope, Group: "/a%2e%2e", Name: "1.0.0/1"},
		{Scope: scope, Group: strings.Repeat("a", 513), Name: "1.0.0/1"},
		{Scope: scope, Group: "/a", Name: ""},
		{Scope: scope, Group: "/a", Name: "/etc/passwd"},
		{Scope: scope, Group: "/a", Name: "a//b"},
		{Scope: scope, Group: "/a", Name: "a@b"},
		{Scope: scope, Group: "/a", Name: strings.Repeat("a", 201)},
		{Scope: ingot.Scope{Account: "../..", Region: "us-east-1"}, Group: "/a", Name: "1.0.0/1"},
		{Scope: ingot.Scope{Account: "111122223333", Region: "."}, Group: "/a", Name: "1.0.0/1"},
	} {
		_, err := s.Find(l)
		wantCode(t, fmt.Sprintf("Find(%.80q)", l), err, ingot.CodeInvalid)
	}
	for _, l := range []ingot.LogStream{
		{Scope: scope, Group: "../../..", Name: "secret"},
		{Scope: scope, Group: "/a", Name: "../../../secret"},
		{Scope: scope, Group: "/a", Name: ".."},
	} {
		_, err := s.Find(l)
		wantCode(t, fmt.Sprintf("Find(%q)", l), err, ingot.CodeNotFound)
	}
}

// TestNames: images share groups without mixing, and a name outlives its image.
func TestNames(t *testing.T) {
	s := newStore(t)
	web, app := image(t, "web/1.0.0/1"), image(t, "app/1.0.0/1")
	shared := ingot.LogStream{Scope: scope, Group: "/aws/imagebuilder/shared", Name: "1.0.0/1"}
	for _, arn := range []ingot.ARN{web, app} {
		check(t, os.MkdirAll(filepath.Dir(s.Image(arn)), 0o700))
		check(t, os.WriteFile(s.Image(arn), []byte(`{"line":"`+arn.Name+`"}`+"\n"), 0o600))
	}
	for range 2 { // it may be repeated
		check(t, s.Name(web, shared))
		check(t, s.Name(app, shared))
	}
	check(t, s.Append(ingot.LogStream{Scope: scope, Group: "/aws/imagebuilder/pipeline/web", Name: "2026/12/31"}, []string{`{"n":1}`, `{"n":2}`}))
	other := ingot.Scope{Account: "999999999999", Region: "us-east-1"}
	check(t, s.Append(ingot.LogStream{Scope: other, Group: "/hidden", Name: "2026/12/31"}, []string{`{"n":1}`}))

	groups, err := s.Groups(scope, "")
	check(t, err)
	if diff := cmp.Diff([]Group{{"/aws/imagebuilder/pipeline/web", 1}, {"/aws/imagebuilder/shared", 2}}, groups); diff != "" {
		t.Errorf("Groups (-want +got):\n%s", diff)
	}
	if groups, err = s.Groups(scope, "/aws/imagebuilder/p"); err != nil || len(groups) != 1 {
		t.Errorf("Groups of a prefix = %v, %v", groups, err)
	}
	streams, err := s.Streams(scope, shared.Group)
	check(t, err)
	names := map[string]string{}
	for _, stream := range streams {
		path, err := s.Find(ingot.LogStream{Scope: scope, Group: shared.Group, Name: stream.Name})
		check(t, err)
		data, err := os.ReadFile(path)
		check(t, err)
		names[stream.Name] = string(data)
	}
	if diff := cmp.Diff(map[string]string{"1.0.0/1": `{"line":"web"}` + "\n", "1.0.0/1/app": `{"line":"app"}` + "\n"}, names); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}

	check(t, os.RemoveAll(filepath.Dir(s.Image(app))))
	check(t, s.Prune(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)))
	if groups, err = s.Groups(scope, ""); err != nil || len(groups) != 1 || groups[0] != (Group{"/aws/imagebuilder/shared", 1}) {
		t.Errorf("after Prune there are %v, %v; want the log that is left", groups, err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "us-east-1/111122223333/aws/imagebuilder/pipeline")); !os.IsNotExist(err) {
		t.Errorf("an empty folder is left: %v", err)
	}
	_, err = s.Streams(scope, "/aws/imagebuilder/none")
	wantCode(t, "Streams of no group", err, ingot.CodeNotFound)
}

// TestAppendAgain: whatever a kill left of a call, its repetition completes it.
func TestAppendAgain(t *testing.T) {
	lines := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}
	whole := "{}\n" + strings.Join(lines, "\n") + "\n"
	for cut := range len(whole) + 1 {
		s := newStore(t)
		l := ingot.LogStream{Scope: scope, Group: "/g", Name: "2026/12/31"}
		path, err := s.File(l)
		check(t, err)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte(whole[:cut]), 0o600))
		check(t, s.Append(l, lines))
		got, err := os.ReadFile(path)
		check(t, err)
		if want := strings.TrimPrefix(whole, "{}\n"); !strings.HasSuffix(string(got), want) || len(got) > len(whole) {
			t.Errorf("cut at %d: the log is %q, want %q at its end", cut, got, want)
		}
	}
}

// write makes a log of a text.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func read(t testing.TB, path string, f Follow) (lines []string, nexts []int64, end string) {
	t.Helper()
	reached, err := f.Read(t.Context(), path, func(e Entry) error {
		lines, nexts = append(lines, string(e.Line)), append(nexts, e.Next)
		return nil
	})
	check(t, err)
	return lines, nexts, reached.End
}

// TestFollowFromEveryOffset: from wherever a reader goes on, it misses nothing
// and gets nothing twice, over lines that a kill has torn.
func TestFollowFromEveryOffset(t *testing.T) {
	path := write(t, `{"n":1}`+"\n"+`{"line":"torn }`+"\n"+`{"n":2}`+"\n"+`{"line":"\"end\":\"no\""}`+"\n"+`{"end":"FAILED"}`+"\n"+`{"n":3}`+"\n"+`{"end":"AVAILABLE"}`+"\n")
	all, nexts, end := read(t, path, Follow{Wait: true})
	want := []string{`{"n":1}`, `{"n":2}`, `{"line":"\"end\":\"no\""}`, `{"end":"FAILED"}`, `{"n":3}`, `{"end":"AVAILABLE"}`}
	if diff := cmp.Diff(want, all); diff != "" || end != "AVAILABLE" {
		t.Fatalf("the log ended with %q (-want +got):\n%s", end, diff)
	}
	for i, next := range nexts {
		rest, _, end := read(t, path, Follow{From: next, Wait: true})
		if diff := cmp.Diff(want[i+1:], append([]string{}, rest...)); diff != "" || end != "AVAILABLE" {
			t.Errorf("from %d it ended with %q (-want +got):\n%s", next, end, diff)
		}
	}
	size := nexts[len(nexts)-1]
	for _, offset := range []int64{1, nexts[0] - 1, nexts[0] + 1, size + 1, 1 << 62} {
		_, err := Follow{From: offset}.Read(t.Context(), path, func(Entry) error { return nil })
		wantCode(t, fmt.Sprintf("reading from %d", offset), err, ingot.CodeInvalid)
	}
}

func TestFollowSince(t *testing.T) {
	path := write(t, `{"time":"2026-01-01T00:00:00Z","n":1}`+"\n"+`{"time":"2026-01-01T00:00:02Z","n":2}`+"\n"+`{"time":"2026-01-01T00:00:01Z","end":"FAILED"}`+"\n")
	lines, _, end := read(t, path, Follow{Wait: true, Since: time.Date(2026, 1, 1, 0, 0, 2, 0, time.UTC)})
	if len(lines) != 1 || !strings.Contains(lines[0], `"n":2`) || end != "FAILED" {
		t.Errorf("since the second second: %q, ended with %q", lines, end)
	}
}

// TestFollowErrors: an error of the caller ends the reading.
func TestFollowErrors(t *testing.T) {
	stop := errors.New("stop")
	path := write(t, `{"n":1}`+"\n")
	if _, err := (Follow{Wait: true}).Read(t.Context(), path, func(Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of emit: %v", err)
	}
	idle := Follow{Wait: true, Idle: func() error { return stop }}
	if _, err := idle.Read(t.Context(), path, func(Entry) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("an error of Idle: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Follow{Wait: true}).Read(ctx, path+"-later", func(Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a log that never comes: %v", err)
	}
}
