package startup

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"unicode/utf16"
)

// scheduler is the Task Scheduler of Windows, used through schtasks.
type scheduler struct {
	program string
	dir     string // where the system keeps the tasks, a file each
}

func (s scheduler) add(ctx context.Context, c Command) error {
	text, err := task(c)
	if err != nil {
		return err
	}
	// A definition has no limit of length; the command line of schtasks has one.
	f, err := os.CreateTemp("", "task-*.xml")
	if err != nil {
		return err
	}
	_, err = f.Write(utf16Text(text))
	if err = errors.Join(err, f.Close()); err == nil {
		_, err = output(exec.CommandContext(ctx, s.program, "/Create", "/TN", entryName(c.State), "/XML", f.Name(), "/F"))
	}
	return errors.Join(err, os.Remove(f.Name()))
}

func (s scheduler) remove(ctx context.Context, state string) error {
	name := entryName(state)
	if _, err := os.Lstat(filepath.Join(s.dir, name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := output(exec.CommandContext(ctx, s.program, "/Delete", "/TN", name, "/F"))
	return err
}

// utf16Text is a text in the encoding that schtasks reads.
func utf16Text(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
