package module

import (
	"context"
	"io/fs"
)

var setFolderOwner = Module{
	Name:        "SetFolderOwner",
	Description: "Sets the owner and group of folders and what they hold; links in them change, not what they point to.",
	Platforms:   notWindows,
	List:        true,
	Inputs:      append([]Input{pathInput("The folder."), recursiveInput}, newOwnerInputs...),
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		uid, gid, err := lookupOwner(in)
		if err != nil {
			return err
		}
		dir, err := openFolder(c.Path(in.String("path")))
		if err != nil {
			return err
		}
		defer dir.Close()
		if in.Bool("recursive", true) {
			err = walk(ctx, dir, func(p place, _ fs.DirEntry) error { return p.dir.Lchown(p.name, uid, gid) })
		}
		if err != nil {
			return err
		}
		return place{dir, "."}.named(dir.Lchown(".", uid, gid))
	}),
}
