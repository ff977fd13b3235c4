package notify

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// readSecret reads a file without the white space around its text. It is read
// at each use, so that a secret can be replaced under a running server.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	case len(data) > maxSecret:
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxSecret)
	}
	return data, nil
}
