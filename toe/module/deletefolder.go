package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var deleteFolder = Module{
	Name:        "DeleteFolder",
	Description: "Deletes folders; links in them go, not what they point to.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		pathInput("The folder. The root of a file system is refused."),
		{Name: "force", Type: Boolean, Default: "false", Description: "Whether a folder goes with all it holds; then a missing path is fine, too, and a file is removed."},
	},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		if path == filepath.Dir(path) {
			return fmt.Errorf("%s is the root of a file system and is not deleted", path)
		}
		if !in.Bool("force", false) {
			return deleteEmptyFolder(path)
		}
		err := removeTree(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}),
}

func deleteEmptyFolder(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder; use DeleteFile", path)
	}
	return os.Remove(path)
}
