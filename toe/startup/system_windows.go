package startup

import (
	"os"
	"path/filepath"
)

func registries() []registry {
	if program := find("schtasks"); program != "" {
		return []registry{scheduler{program, filepath.Join(os.Getenv("SystemRoot"), "System32", "Tasks")}}
	}
	return nil
}

func restartProgram() []string { return firstOf([]string{"shutdown", "/r", "/t", "0"}) }

func inContainer() bool { return false }
