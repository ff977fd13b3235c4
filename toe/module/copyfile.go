package module

import (
	"context"
	"errors"
	"fmt"
	"os"
)

var copyFile = Module{
	Name:        "CopyFile",
	Description: "Copies files with their mode; a link given as source stands for its target.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      fileInputs(),
	Run:         eachTransfer(planFiles, transfer.copyFile),
}

// copyFile writes beside the target and renames, so that the target is never
// half a file.
func (t transfer) copyFile(ctx context.Context) error {
	if err := t.prepareFile(); err != nil {
		return err
	}
	src, err := OpenRegular(t.from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	to, err := openPlace(t.to)
	if err != nil {
		return err
	}
	defer to.dir.Close()
	staged := to.beside()
	if err := (copier{}).content(ctx, src, staged); err != nil {
		return err
	}
	if err := staged.rename(to); err != nil {
		return errors.Join(fmt.Errorf("copying %s to %s: %w", t.from, t.to, err), to.dir.Remove(staged.name))
	}
	return nil
}
