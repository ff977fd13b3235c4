package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func event(id string) Event {
	return Event{Version: "1.11", Name: "GetImage", RequestID: id, Time: time.Unix(0, 0).UTC(), UserIdentity: Identity{Type: "IAMUser"}}
}

// ids are the request ids of a file's lines.
func ids(t *testing.T, path string) (ids []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			ids = append(ids, "broken")
			continue
		}
		ids = append(ids, e.RequestID)
	}
	return ids
}

func record(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := l.Record(event(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestALineIsThereWhenRecordReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	record(t, l, 0, 2)
	if got := strings.Join(ids(t, path), " "); got != "0 1" {
		t.Errorf("the file has the requests %q, want 0 1", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, want 0600", info.Mode())
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	line, err := json.Marshal(event("0"))
	if err != nil {
		t.Fatal(err)
	}
	limit := int64(2*len(line) + 2) // two lines a file
	l, err := open(path, limit)
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, 0, 5)
	closeLog(t, l)
	if l, err = open(path, limit); err != nil { // goes on where it was
		t.Fatal(err)
	}
	record(t, l, 5, 10)
	for n, want := range []string{"8 9", "6 7", "4 5", "2 3", "0 1"} {
		if got := strings.Join(ids(t, l.name(n)), " "); got != want {
			t.Errorf("%s has %q, want %q", filepath.Base(l.name(n)), got, want)
		}
	}
	// A file that a crash has kept from being renamed is no obstacle.
	if err := os.Remove(l.name(2)); err != nil {
		t.Fatal(err)
	}
	for range 2*keptFiles + 2 {
		record(t, l, 0, 1)
	}
	closeLog(t, l)
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != keptFiles+1 {
		t.Errorf("%d files, %v, want %d", len(files), err, keptFiles+1)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() > limit {
			t.Errorf("%s has %d bytes, %v, want at most %d", f, info.Size(), err, limit)
		}
	}
}

// A line larger than a file has one to itself.
func TestLargeLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := open(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, 0, 2)
	closeLog(t, l)
	if got, older := ids(t, path), ids(t, l.name(1)); len(got) != 1 || len(older) != 1 {
		t.Errorf("the files have %v and %v", got, older)
	}
}

func TestACutOffLineIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(`{"requestID":"7"}`+"\n"+`{"requ`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, 8, 9)
	closeLog(t, l)
	if got := strings.Join(ids(t, path), " "); got != "7 broken 8" {
		t.Errorf("the file has %q, want the cut off line by itself", got)
	}
}

func TestManyAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := open(path, 4000)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 10 {
				if err := l.Record(event(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	lines := 0
	for n := range keptFiles + 1 {
		if _, err := os.Stat(l.name(n)); err != nil {
			break
		}
		for _, id := range ids(t, l.name(n)) {
			if id == "broken" {
				t.Error("lines are mixed")
			}
			lines++
		}
	}
	if lines != 80 {
		t.Errorf("%d lines, want 80", lines)
	}
}

func TestOpenSaysWhy(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none", "audit.log")); err == nil || !strings.Contains(err.Error(), "opening the audit log") {
		t.Errorf("Open = %v", err)
	}
}

func BenchmarkRecord(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "audit.log"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := l.Record(event("6e2f0a3e-0000-4000-8000-000000000000")); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
