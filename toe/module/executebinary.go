package module

import (
	"context"
	"errors"
)

var executeBinary = Module{
	Name:        "ExecuteBinary",
	Description: "Runs a program. Exit code 194 (Windows: 3010) restarts the machine and runs the step again.",
	Platforms:   anywhere,
	Inputs: []Input{
		{Name: "path", Type: String, Required: true, Check: notEmpty, Description: "The program: a path, or a name to look up in PATH."},
		{Name: "arguments", Type: Strings, Description: "Passed one by one, without a shell."},
	},
	Outputs: []Output{{Name: "stdout", Type: String, Description: "What the program printed, without final line feeds."}},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		in := c.Inputs[0]
		out, err := c.run(ctx, in.String("path"), in.Strings("arguments")...)
		return []Values{{"stdout": out}}, rebootRequest(err)
	},
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("it must not be empty")
	}
	return nil
}
