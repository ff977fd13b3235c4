package guest

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A spool that was cut off in the middle of a write goes on after its last
// whole event.
func TestSpoolTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	s := mustSpool(t, path)
	for _, l := range []string{"one", "two"} {
		if err := s.append(Event{Line: l}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range text {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustSpool(t, path)
		whole := int64(strings.Count(string(text[:cut]), "\n"))
		if s.seq != whole {
			t.Fatalf("cut at %d: %d events, want %d", cut, s.seq, whole)
		}
		if err := s.append(Event{Line: "next"}); err != nil {
			t.Fatal(err)
		}
		if s.last.Seq != whole+1 {
			t.Fatalf("cut at %d: next event is %d", cut, s.last.Seq)
		}
	}
}

func mustSpool(t testing.TB, path string) *spool {
	t.Helper()
	s, err := openSpool(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.f.Close() })
	return s
}

// A full disk does not leave the caller without an end.
func TestSpoolEndOnFullDisk(t *testing.T) {
	s := mustSpool(t, filepath.Join(t.TempDir(), "events"))
	if err := s.append(Event{Line: "one"}); err != nil {
		t.Fatal(err)
	}
	good := s.f
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	s.f = full
	exit := 1
	if err := s.end(Event{Exit: &exit}); err == nil {
		t.Error("writing to a full disk: no error")
	}
	s.f = good
	w := httptest.NewRecorder()
	if err := s.follow(t.Context(), 1, w); err != nil {
		t.Fatal(err)
	}
	if got := w.Body.String(); !strings.Contains(got, `"seq":2`) || !strings.Contains(got, `"exit":1`) {
		t.Errorf("the end is %q", got)
	}
}

func TestSplitLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"a", "é", "語", "😀", "\n"})
		text := strings.Repeat(unit.Draw(t, "unit"), rapid.IntRange(0, 3*maxLine).Draw(t, "n"))
		parts := splitLine(text)
		if strings.Join(parts, "") != text {
			t.Fatal("the parts are not the whole")
		}
		for _, p := range parts {
			if len(p) > maxLine || strings.ToValidUTF8(p, "") != p {
				t.Fatalf("a part of %d bytes, or half a rune", len(p))
			}
		}
	})
}
