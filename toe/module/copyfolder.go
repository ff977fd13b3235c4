package module

import (
	"context"
	"os"
	"path/filepath"
)

var copyFolder = Module{
	Name:        "CopyFolder",
	Description: "Copies folders with all they hold: modes are kept, links stay links. An existing folder keeps what the source does not have.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      folderInputs(),
	Run:         eachTransfer(planFolders, transfer.copyFolder),
}

func (t transfer) copyFolder(ctx context.Context) error {
	if err := t.prepareFolder(); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(t.to); err == nil {
		t.to = real
	}
	src, err := os.OpenRoot(t.from)
	if err != nil {
		return err
	}
	defer src.Close()
	to, err := openPlace(t.to)
	if err != nil {
		return err
	}
	defer to.dir.Close()
	return copier{}.tree(ctx, src, to, 0)
}
