package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var executeBash = Module{
	Name:        "ExecuteBash",
	Description: "Runs commands as one bash script. Exit code 194 restarts the machine and runs the step again.",
	Platforms:   notWindows,
	Inputs: []Input{
		{Name: "commands", Type: Strings, Required: true, Description: "Lines of the script; they share variables and the working directory."},
	},
	Outputs: []Output{{Name: "stdout", Type: String, Description: "What the script printed, without final line feeds."}},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		script, remove, err := c.script("ExecuteBash", ".sh", strings.Join(c.Inputs[0].Strings("commands"), "\n")+"\n")
		if err != nil {
			return nil, err
		}
		out, err := c.run(ctx, "bash", script)
		return []Values{{"stdout": out}}, errors.Join(rebootRequest(err), remove())
	},
}

// script writes a script of an action to a file of its own, outside of the
// working directory, which belongs to the document.
func (c *Call) script(action, extension, text string) (path string, remove func() error, err error) {
	dir, err := scratch()
	if err != nil {
		return "", nil, err
	}
	c.Console.Printf(Info, "%s: Created temporary directory: %s", action, dir)
	// The name has the digits of the folder's, which are unique already.
	path = filepath.Join(dir, "script-"+strings.TrimPrefix(filepath.Base(dir), scratchPrefix)+extension)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		return "", nil, errors.Join(fmt.Errorf("writing script: %w", err), os.RemoveAll(dir))
	}
	return path, func() error {
		if os.Remove(path) == nil && os.Remove(dir) == nil { // the usual case, without reading the folder
			return nil
		}
		return os.RemoveAll(dir)
	}, nil
}

const scratchPrefix = "AWSTOE" // observed name; clean-up scripts look for it

// scratch makes a temporary directory. An earlier step may have removed the
// system's own.
func scratch() (string, error) {
	dir, err := os.MkdirTemp("", scratchPrefix)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(os.TempDir(), 0o777|os.ModeSticky); err != nil {
			return "", fmt.Errorf("creating temporary directory: %w", err)
		}
		dir, err = os.MkdirTemp("", scratchPrefix)
	}
	if err != nil {
		return "", fmt.Errorf("creating temporary directory: %w", err)
	}
	return dir, nil
}
