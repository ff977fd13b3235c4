package module

import (
	"context"
	"errors"
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
