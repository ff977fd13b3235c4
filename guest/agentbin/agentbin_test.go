package agentbin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgram(t *testing.T) {
	t.Setenv(Env, "")
	if _, err := Program("plan9", "amd64"); err == nil || !strings.Contains(err.Error(), "plan9/amd64") {
		t.Errorf("a system without an agent: %v", err)
	}
	if _, err := Size("plan9", "amd64"); err == nil || !strings.Contains(err.Error(), "plan9/amd64") {
		t.Errorf("the size of an agent for a system without one: %v", err)
	}
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Env, path)
	if got, err := Program("linux", "amd64"); string(got) != "program" || err != nil {
		t.Errorf("the agent that %s names: %q, %v", Env, got, err)
	}
	if n, err := Size("linux", "amd64"); n != int64(len("program")) || err != nil {
		t.Errorf("its size is %d, %v", n, err)
	}
}
