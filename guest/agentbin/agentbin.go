// Package agentbin carries the agent's program, which drivers put into guests.
// `make build` compiles it into this folder; a plain `go build` goes without.
package agentbin

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Env names a variable with the path of an agent to use instead of the
// embedded one. Tests set it to one they have just built.
const Env = "INGOT_AGENT"

//go:embed *
var files embed.FS

// Program returns the agent for a system and an architecture in Go's words,
// such as "linux" and "amd64".
func Program(system, arch string) ([]byte, error) {
	if path := os.Getenv(Env); path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the agent that %s names: %w", Env, err)
		}
		return b, nil
	}
	b, err := files.ReadFile(file(system, arch))
	return b, explain(system, arch, err)
}

// Size is the length in bytes of what Program returns. It costs no memory.
func Size(system, arch string) (int64, error) {
	if path := os.Getenv(Env); path != "" {
		info, err := os.Stat(path)
		if err != nil {
			return 0, fmt.Errorf("looking at the agent that %s names: %w", Env, err)
		}
		return info.Size(), nil
	}
	info, err := fs.Stat(files, file(system, arch))
	if err != nil {
		return 0, explain(system, arch, err)
	}
	return info.Size(), nil
}

func file(system, arch string) string { return "ingot-agent-" + system + "-" + arch }

func explain(system, arch string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("this ingot has no agent for %s/%s; `make build` puts in those for linux/amd64, linux/arm64 and windows/amd64", system, arch)
	}
	return err
}
