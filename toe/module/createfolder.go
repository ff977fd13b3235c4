package module

import (
	"context"
	"os"
)

var createFolder = Module{
	Name:        "CreateFolder",
	Description: "Creates folders and the folders above them. An existing folder keeps its content.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      append([]Input{pathInput("The folder."), permissionsInput, overwriteInput}, ownerInputs...),
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		if !in.Bool("overwrite", true) {
			if err := refuseExisting(path); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(path, 0o777); err != nil {
			return err
		}
		return setAttributes(path, in)
	}),
}
