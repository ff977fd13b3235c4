package startup

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWindowsScheduler makes a real task. Wine has a scheduler, too.
func TestWindowsScheduler(t *testing.T) {
	s, ok := registries()[0].(scheduler)
	if !ok {
		t.Fatal("there is no schtasks")
	}
	c := Command{Args: []string{`C:\Program Files\awstoe.exe`, "run", "-d", "a b.yml"}, Dir: `C:\`, State: `C:\state-of-the-test\state.json`}
	file := filepath.Join(s.dir, entryName(c.State))
	for range 2 { // the second replaces the first
		if err := s.add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("no task: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.remove(t.Context(), c.State); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the task is left: %v", err)
	}
}
