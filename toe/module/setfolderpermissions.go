package module

import (
	"context"
	"io/fs"
)

var setFolderPermissions = Module{
	Name:        "SetFolderPermissions",
	Description: "Gives folders and all they hold the same permissions; links in them are left out.",
	Platforms:   notWindows,
	List:        true,
	Inputs:      []Input{pathInput("The folder."), required(permissionsInput), recursiveInput},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		mode, err := parsePermissions(in.String("permissions"))
		if err != nil {
			return err
		}
		dir, err := openFolder(c.Path(in.String("path")))
		if err != nil {
			return err
		}
		defer dir.Close()
		if in.Bool("recursive", true) {
			err = walk(ctx, dir, func(p place, e fs.DirEntry) error {
				if e.Type() == fs.ModeSymlink {
					return nil
				}
				return p.dir.Chmod(p.name, mode)
			})
		}
		if err != nil {
			return err
		}
		return place{dir, "."}.named(dir.Chmod(".", mode))
	}),
}
