package module

import (
	"context"
	"fmt"
	"os"
)

var setFilePermissions = Module{
	Name:        "SetFilePermissions",
	Description: "Sets the permissions of files.",
	Platforms:   notWindows,
	List:        true,
	Inputs: []Input{
		pathInput("The file; a link stands for its target."),
		required(permissionsInput),
	},
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder; use SetFolderPermissions", path)
		}
		return setAttributes(path, in)
	}),
}

func required(in Input) Input {
	in.Required = true
	return in
}
