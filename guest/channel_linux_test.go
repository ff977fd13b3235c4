package guest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindPort(t *testing.T) {
	class := t.TempDir()
	for port, name := range map[string]string{"vport1p1": "other", "vport2p1": VirtioPort} {
		if err := os.MkdirAll(filepath.Join(class, port), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, port, "name"), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := findPort(class, VirtioPort); err != nil || got != "vport2p1" {
		t.Errorf("findPort = %q, %v, want vport2p1", got, err)
	}
	if _, err := findPort(class, "none"); err == nil {
		t.Error("findPort of an unknown name: no error")
	}
}
