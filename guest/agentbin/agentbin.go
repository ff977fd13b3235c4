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
	b, err := files.ReadFile("ingot-agent-" + system + "-" + arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this ingot has no agent for %s/%s; `make build` puts in those for linux/amd64, linux/arm64 and windows/amd64", system, arch)
	}
	return b, err
}
