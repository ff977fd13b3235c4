package build

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

func texts(t *testing.T, dir string, follow bool) []string {
	t.Helper()
	var list []string
	if err := Follow(t.Context(), dir, follow, func(l Line) { list = append(list, l.Text) }); err != nil {
		t.Fatal(err)
	}
	return list
}

func openTestLog(t testing.TB, dir string) *logWriter {
	t.Helper()
	l, err := openLog(dir, "step", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLogAfterKill: a line that a kill cut off does not spoil the next one.
func TestLogAfterKill(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(`{"line":"whole"}`+"\n"+`{"line":"cut`), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"whole"}, texts(t, dir, false)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	l := openTestLog(t, dir)
	l.note("next")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"whole", "next"}, texts(t, dir, false)); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

func TestLastSeq(t *testing.T) {
	dir := t.TempDir()
	l := openTestLog(t, dir)
	for i := range int64(3000) { // more than one buffer
		for run, seq := range map[string]int64{"a": i + 1, "b": 2 * (i + 1)} {
			if err := l.write(Line{Run: run, Seq: seq, Text: strings.Repeat("x", 50)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTestLog(t, dir)
	defer l.Close()
	for run, want := range map[string]int64{"a": 3000, "b": 6000, "c": 0} {
		if got, err := l.lastSeq(run); err != nil || got != want {
			t.Errorf("lastSeq(%q) = %d, %v; want %d", run, got, err, want)
		}
	}
}

// TestFollow reads while two steps write, and ends with the build.
func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	got := make(chan []string, 1)
	go func() {
		var list []string
		if err := Follow(t.Context(), dir, true, func(l Line) { list = append(list, l.Text) }); err != nil {
			t.Error(err)
		}
		got <- list
	}()
	const lines = 2000
	var wg sync.WaitGroup
	for range 2 {
		l := openTestLog(t, dir)
		wg.Go(func() {
			for i := range lines {
				l.note("line %d", i)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	l := openTestLog(t, dir)
	if err := l.write(Line{Text: "over", End: "AVAILABLE"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if list := <-got; len(list) != 2*lines+1 || list[2*lines] != "over" {
		t.Errorf("Follow emitted %d lines, want %d", len(list), 2*lines+1)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Follow(ctx, t.TempDir(), true, func(Line) {}); err == nil {
		t.Error("Follow of a log that never comes has no error")
	}
}

// TestLogIsNamed: the log of a build, and of one that never left the queue, is
// in its log group, and people read it as it was written.
func TestLogIsNamed(t *testing.T) {
	l, d := fakeLab(t)
	d.execute = func(_ context.Context, _ toe.Request, emit func(toe.Event)) (toe.Result, error) {
		emit(toe.Event{Time: time.Now(), Level: "Info", Message: "a -> b & <c>"})
		return toe.Result{Status: "success"}, nil
	}
	built := l.image("my-web", func(i *model.Image) { i.Name = "My Web" }, l.component("echo", echoDocument))
	l.wantStatus(l.build(built), model.ImageStatusAvailable)
	cancelled := l.image("own", func(i *model.Image) {
		i.LoggingConfiguration = &model.ImageLoggingConfiguration{LogGroupName: "/own/group"}
	}, l.component("other", echoDocument))
	l.hook = func(action string, do flow.Action) flow.Action {
		if action != actionPlace {
			return do
		}
		return func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("no place") }
	}
	l.check(l.builder.StartImage(t.Context(), cancelled))
	l.wantStatus(l.await(cancelled), model.ImageStatusFailed)
	for group, want := range map[string]string{"/aws/imagebuilder/My-Web": "a -> b & <c>", "/own/group": "no place"} {
		file, err := l.logs().Find(ingot.LogStream{Scope: built.Scope(), Group: group, Name: "1.0.0/1"})
		l.check(err)
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("the log in %s is %s, %v; want it to have %q", group, text, err, want)
		}
	}
}

// TestUnpackStaysInside: the guest chose the names.
func TestUnpackStaysInside(t *testing.T) {
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	for _, h := range []tar.Header{
		{Name: "TOE_x/console.log", Typeflag: tar.TypeReg},
		{Name: "TOE_x/../../evil", Typeflag: tar.TypeReg},
		{Name: "/TOE_abs", Typeflag: tar.TypeReg},
		{Name: ".state/secret", Typeflag: tar.TypeReg},
		{Name: "TOE_link", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
	} {
		h.Mode, h.Size = 0o777, 0
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := unpack(&stream, filepath.Join(root, "in")); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/in/TOE_x/console.log"}, got); diff != "" {
		t.Errorf("unpacked (-want +got):\n%s", diff)
	}
}

func BenchmarkLog(b *testing.B) {
	l := openTestLog(b, b.TempDir())
	line := Line{Time: time.Now(), Component: "c", Phase: "build", DocumentStep: "s", Stream: "stdout", Text: strings.Repeat("x", 80)}
	b.SetBytes(80)
	for b.Loop() {
		if err := l.write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(fmt.Errorf("closing: %w", err))
	}
}

// TestFollowIsBounded: nothing of a large log is left out, and it is never in
// memory as a whole.
func TestFollowIsBounded(t *testing.T) {
	dir := t.TempDir()
	l := openTestLog(t, dir)
	const lines, length = 64 << 10, 1 << 10
	text := strings.Repeat("x", length)
	for range lines {
		if err := l.write(Line{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	used := func() int64 {
		runtime.GC() // garbage is no matter of the log's size
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var got int
	var most int64
	before := used()
	err := Follow(t.Context(), dir, false, func(line Line) {
		if got += len(line.Text); got%(8<<20) == 0 {
			most = max(most, used()-before)
		}
	})
	if err != nil || got != lines*length {
		t.Errorf("Follow gave %d bytes, %v; want %d", got, err, lines*length)
	}
	if most > 16<<20 {
		t.Errorf("the heap had %d bytes more while a log of %d was read", most, lines*length)
	}
}
