package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

// TestWindowsAgent does what a build of a Windows image would ask of the agent.
func TestWindowsAgent(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	c := agentOf(t, &Server{StateDirectory: state, Leave: func(Power) error { return nil }, Toe: func(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
		return toe.Run(ctx, req, toe.Options{Observer: emit})
	}})
	path := t.TempDir() + "\\new folder\\f.txt"

	t.Run("document", func(t *testing.T) {
		document := `{name: d, schemaVersion: 1.0, phases: [{name: build, steps: [
			{name: write, action: CreateFile, inputs: [{path: '` + path + `', content: from a document}]},
			{name: say, action: ExecuteBinary, inputs: {path: cmd, arguments: [/c, echo hello]}}]}]}`
		var said strings.Builder
		run := Run{ID: "r", Request: toe.Request{Documents: []toe.Source{{Path: "d.yml", Data: []byte(document)}}}}
		result, err := c.Run(t.Context(), run, 0, func(e Event) error {
			if e.Toe != nil {
				fmt.Fprintln(&said, e.Toe.Message)
			}
			return nil
		})
		if err != nil || result.Status != "success" || !strings.Contains(said.String(), "Stdout: hello\n") {
			t.Errorf("%+v, error %v, said\n%s", result, err, &said)
		}
	})
	t.Run("files", func(t *testing.T) {
		var content bytes.Buffer
		if _, err := c.GetFile(t.Context(), path, 1<<10, &content); err != nil || content.String() != "from a document" {
			t.Errorf("GetFile: %q, error %v", &content, err)
		}
		if err := c.PutFile(t.Context(), path, 0o644, strings.NewReader("another")); err != nil {
			t.Errorf("PutFile: %v", err)
		}
	})
	t.Run("command", func(t *testing.T) {
		var lines []string
		exit, err := c.Exec(t.Context(), Command{ID: "c", Args: []string{"cmd", "/c", "type f.txt & exit 5"}, Dir: path[:len(path)-len("f.txt")]}, nil, func(e Event) error {
			lines = append(lines, e.Line)
			return nil
		})
		if err != nil || exit != 5 || strings.Join(lines, "") != "another" {
			t.Errorf("exit %d, error %v, lines %q", exit, err, lines)
		}
	})
	t.Run("not built", func(t *testing.T) {
		err := c.Sanitize(t.Context(), "", func(string) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "not built") {
			t.Errorf("Sanitize: %v", err)
		}
		_, err = c.Shell(t.Context(), Shell{}, strings.NewReader(""), nil, &bytes.Buffer{})
		if remote := (*RemoteError)(nil); !errors.As(err, &remote) || remote.Status != http.StatusNotImplemented {
			t.Errorf("Shell: %v", err)
		}
	})
	t.Run("nothing is left", func(t *testing.T) {
		if err := c.Power(t.Context(), PowerOff); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the agent's state: %v", err)
		}
	})
}
