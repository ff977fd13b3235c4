package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"ingot.dev/ingot/toe"
)

// readDocuments fills in the data of the documents.
func readDocuments(sources []toe.Source) error {
	for i := range sources {
		data, err := readDocument(sources[i].Path)
		if err != nil {
			return err
		}
		sources[i].Data = data
	}
	return nil
}

// readDocument reads a little more than a document may have; Check says so.
func readDocument(path string) ([]byte, error) {
	for _, prefix := range []string{"s3://", "arn:"} {
		if strings.HasPrefix(path, prefix) {
			return nil, fmt.Errorf("%s: only local documents can be run in this version; copy it to a file", path)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, 2<<20))
}
