package module

import (
	"context"
	"os"
	"path/filepath"
)

var createFile = Module{
	Name:        "CreateFile",
	Description: "Writes files with a given content.",
	Platforms:   anywhere,
	List:        true,
	Inputs: append([]Input{
		pathInput("The file; missing folders above it are created."),
		{Name: "content", Type: String, Description: "Written as it stands, without a final line feed."},
		encodingInput, permissionsInput, overwriteInput,
	}, ownerInputs...),
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		if !in.Bool("overwrite", true) {
			if err := refuseExisting(path); err != nil {
				return err
			}
		}
		enc, err := parseEncoding(in.String("encoding"))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, enc.encode(in.String("content")), 0o666); err != nil {
			return err
		}
		return setAttributes(path, in)
	}),
}
