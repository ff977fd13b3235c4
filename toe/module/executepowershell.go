package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

var executePowerShell = Module{
	Name:        "ExecutePowerShell",
	Description: "Runs commands as one script of Windows PowerShell, or a script file. Exit code 3010 restarts the machine and runs the step again.",
	Platforms:   []string{"windows"},
	Inputs: []Input{
		{Name: "commands", Type: Strings, Description: "Lines of the script; they share variables and the current directory."},
		{Name: "file", Type: String, Check: checkScriptFile, Description: "The script, an existing .ps1 file."},
	},
	OneOf:   []string{"commands", "file"},
	Outputs: []Output{{Name: "stdout", Type: String, Description: "What the script printed, without final line feeds."}},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		in := c.Inputs[0]
		if file := in.String("file"); file != "" {
			path := c.Path(file)
			if _, err := os.Stat(path); err != nil {
				return nil, err // PowerShell says no more than that its argument is wrong
			}
			out, err := c.powerShell(ctx, path)
			return []Values{{"stdout": out}}, rebootRequest(err)
		}
		out, err := c.powerShellScript(ctx, "ExecutePowerShell", strings.Join(in.Strings("commands"), "\n")+"\n")
		return []Values{{"stdout": out}}, rebootRequest(err)
	},
}

func checkScriptFile(path string) error {
	if !strings.HasSuffix(strings.ToLower(path), ".ps1") {
		return fmt.Errorf("'%s' does not end in .ps1, which Windows PowerShell asks of a script", path)
	}
	return nil
}

// powerShell runs a script file. By -File, an error that ends the script makes
// exit code 1, and any other leaves it 0 (§9.6).
func (c *Call) powerShell(ctx context.Context, file string, args ...string) (string, error) {
	options := []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", file}
	return c.run(ctx, "powershell.exe", append(options, args...)...)
}

// powerShellScript runs the text of a script. Windows PowerShell takes a file
// without a byte-order mark for one in the machine's code page.
func (c *Call) powerShellScript(ctx context.Context, action, text string, args ...string) (string, error) {
	file, remove, err := c.script(action, ".ps1", "\ufeff"+text)
	if err != nil {
		return "", err
	}
	out, err := c.powerShell(ctx, file, args...)
	return out, errors.Join(err, remove())
}
