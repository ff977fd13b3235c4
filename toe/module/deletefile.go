package module

import (
	"context"
	"fmt"
	"os"
)

var deleteFile = Module{
	Name:        "DeleteFile",
	Description: "Deletes files and links, not what links point to.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      []Input{pathInput("The file, with * allowed in its last part.")},
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		if !hasWildcard(path) {
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			if info.IsDir() {
				return fmt.Errorf("%s is a folder; use DeleteFolder", path)
			}
			return os.Remove(path)
		}
		found, err := matches(path)
		if err != nil {
			return err
		}
		for _, f := range found {
			if info, err := os.Lstat(f); err == nil && info.IsDir() {
				continue
			}
			if err := os.Remove(f); err != nil {
				return err
			}
		}
		return nil
	}),
}
