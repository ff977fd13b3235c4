package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pathInput is the input that most file modules share.
func pathInput(description string) Input {
	return Input{Name: "path", Type: String, Required: true, Check: notEmpty, Description: description}
}

var overwriteInput = Input{
	Name: "overwrite", Type: Boolean, Default: "true",
	Description: "Whether an existing target is replaced; false makes it a failure.",
}

// refuseExisting is the failure of overwrite: false.
func refuseExisting(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return fmt.Errorf("%s already exists and overwrite is set to false", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// hasWildcard reports a * in the last part of a path, the only place where
// it is one (§9.2).
func hasWildcard(path string) bool { return strings.Contains(filepath.Base(path), "*") }

// matches lists the paths a wildcard path names, in byte order. It includes
// links, and names with a leading dot.
func matches(path string) ([]string, error) {
	dir, pattern := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if matchStar(pattern, e.Name()) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// matchStar matches a pattern in which * alone is special.
func matchStar(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, first) || !strings.HasSuffix(name[len(first):], last) {
		return false
	}
	middle := name[len(first) : len(name)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(middle, p)
		if !found {
			return false
		}
		middle = after
	}
	return true
}

// endsInSeparator reports a path that names a folder by its form.
func endsInSeparator(path string) bool {
	return path != "" && os.IsPathSeparator(path[len(path)-1])
}

// isFolder follows links; what cannot be read is none.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
