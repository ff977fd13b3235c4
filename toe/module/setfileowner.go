package module

import (
	"context"
	"fmt"
	"os"
)

var setFileOwner = Module{
	Name:        "SetFileOwner",
	Description: "Sets the owner and group of files.",
	Platforms:   notWindows,
	List:        true,
	Inputs:      append([]Input{pathInput("The file; a link stands for its target.")}, newOwnerInputs...),
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder; use SetFolderOwner", path)
		}
		return setOwner(path, in)
	}),
}
