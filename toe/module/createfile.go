package module

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

var createFile = Module{
	Name:        "CreateFile",
	Description: "Writes files with a given content.",
	Platforms:   anywhere,
	List:        true,
	Inputs: append([]Input{
		pathInput("The file; missing folders above it are created."),
		{Name: "content", Type: String, Description: "Written as it stands, without a final line feed."},
		encodingInput, permissionsInput, overwriteInput,
	}, ownerInputs...),
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path := c.Path(in.String("path"))
		if !in.Bool("overwrite", true) {
			if err := refuseExisting(path); err != nil {
				return err
			}
		}
		enc, err := parseEncoding(in.String("encoding"))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		return fillFile(path, enc.encode(in.String("content")), in)
	}),
}

// fillFile sets the attributes first: nobody else shall read the content
// meanwhile. An existing file stays as it was when they cannot be set.
func fillFile(path string, content []byte, in Values) error {
	perm := fs.FileMode(0o666)
	if in.String("permissions") != "" {
		perm = 0o600 // until they are set
	}
	f, err := OpenRegular(path, os.O_WRONLY|os.O_CREATE, perm)
	if err != nil {
		return err
	}
	if err := setAttributes(path, in); err != nil {
		return errors.Join(err, f.Close())
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.Write(content)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return setPermissions(path, in) // again: writing clears the set-id bits
}
