package module

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Scripts is the folder of a run's scripts: one at a time, and nothing else
// when there is none. A folder for each of them would take ext4 longer than
// bash takes for a short one. The zero value makes its folder when it is
// needed.
type Scripts struct {
	dir string // empty: there is none
}

// Close removes the folder.
func (s *Scripts) Close() error {
	if s.dir == "" {
		return nil
	}
	err := os.RemoveAll(s.dir)
	s.dir = ""
	return err
}

// add writes a script to a file of a new name.
func (s *Scripts) add(extension, text string) (path string, err error) {
	f, err := s.create(extension)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(0o700)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("writing script: %w", err), s.Close())
	}
	return f.Name(), nil
}

// create makes the file, and the folder unless it is there. A step may have
// removed it.
func (s *Scripts) create(extension string) (*os.File, error) {
	if s.dir != "" {
		f, err := os.CreateTemp(s.dir, "script-*"+extension)
		if err == nil {
			return f, nil
		}
	}
	err := s.Close()
	if err == nil {
		s.dir, err = scratch()
	}
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.dir, "script-*"+extension)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("creating script: %w", err), s.Close())
	}
	return f, nil
}

// remove removes a script. If that leaves the folder other than empty, it goes
// with all that is in it.
func (s *Scripts) remove(path string) error {
	if os.Remove(path) == nil && isEmptyFolder(s.dir) {
		return nil
	}
	return s.Close()
}

func isEmptyFolder(path string) bool {
	d, err := os.Open(path)
	if err != nil {
		return false
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// script writes a script of an action to a file outside of the working
// directory, which belongs to the document.
func (c *Call) script(action, extension, text string) (path string, remove func() error, err error) {
	scripts := c.Scripts
	if scripts == nil {
		scripts = &Scripts{}
	}
	path, err = scripts.add(extension, text)
	if err != nil {
		return "", nil, err
	}
	// The line is the vendor's (§12), also where the folder was there before.
	c.Console.Printf(Info, "%s: Created temporary directory: %s", action, filepath.Dir(path))
	return path, func() error {
		if c.Scripts == nil {
			return scripts.Close()
		}
		return scripts.remove(path)
	}, nil
}

const scratchPrefix = "AWSTOE" // observed name; clean-up scripts look for it

// scratch makes a temporary directory. An earlier step may have removed the
// system's own.
func scratch() (string, error) {
	dir, err := os.MkdirTemp("", scratchPrefix)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(os.TempDir(), 0o777|os.ModeSticky); err != nil {
			return "", fmt.Errorf("creating temporary directory: %w", err)
		}
		dir, err = os.MkdirTemp("", scratchPrefix)
	}
	if err != nil {
		return "", fmt.Errorf("creating temporary directory: %w", err)
	}
	return dir, nil
}
