package module

import (
	"context"
	"os"
)

var moveFile = Module{
	Name:        "MoveFile",
	Description: "Moves files with their mode, owner and times; a link is moved as a link.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      fileInputs(),
	Run:         eachTransfer(planFiles, transfer.moveFile),
}

func (t transfer) moveFile(ctx context.Context) error {
	if err := t.prepareFile(); err != nil {
		return err
	}
	return t.rename(ctx)
}

// rename moves in an instant where it can.
func (t transfer) rename(ctx context.Context) error {
	err := os.Rename(t.from, t.to)
	if crossesDevices(err) {
		return t.moveByCopy(ctx)
	}
	return err
}
