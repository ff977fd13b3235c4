package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var moveFolder = Module{
	Name:        "MoveFolder",
	Description: "Moves folders with modes, owners and times; an existing folder is replaced.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      folderInputs(),
	Run:         eachTransfer(planFolders, transfer.moveFolder),
}

// moveFolder puts an old target aside until the new one is complete.
func (t transfer) moveFolder(ctx context.Context) error {
	if err := t.prepareFolder(); err != nil {
		return err
	}
	aside := filepath.Join(filepath.Dir(t.to), stagingName())
	replaces, err := t.putAside(aside)
	if err != nil {
		return err
	}
	err = t.rename(ctx)
	switch {
	case !replaces:
		return err
	case err != nil:
		return errors.Join(err, os.Rename(aside, t.to))
	}
	return removeTree(context.WithoutCancel(ctx), aside) // the move is done: its time does not matter
}

// putAside renames the target, if there is one.
func (t transfer) putAside(aside string) (existed bool, err error) {
	inside, err := contains(t.to, t.from)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && inside {
		err = fmt.Errorf("the source %s lies within %s, which it would replace", t.from, t.to)
	}
	if err == nil {
		err = os.Rename(t.to, aside)
	}
	return err == nil, err
}
