package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Path makes a path of a document absolute and clean. On Windows one that
// begins with a separator or a drive alone starts at the root of its drive.
func (c *Call) Path(p string) string {
	if p == "" {
		return p
	}
	separator, volume := string(filepath.Separator), filepath.VolumeName(p)
	switch {
	case filepath.IsAbs(p):
	case volume != "":
		p = volume + separator + p[len(volume):]
	case os.IsPathSeparator(p[0]):
		p = filepath.VolumeName(c.Dir) + p
	default:
		p = c.Dir + separator + p
	}
	return cleanPath(p)
}

// cleanPath resolves "..", which after a link leads out of what the link points
// to, as it does for every program, and not back to where the link is.
func cleanPath(p string) string {
	const up = "/.."
	i := strings.LastIndex(p+"/", up+"/")
	if i < 0 || runtime.GOOS == "windows" { // which takes ".." by its letters
		return filepath.Clean(p)
	}
	i += len(up)
	if real, err := filepath.EvalSymlinks(p[:i]); err == nil {
		p = real + p[i:]
	}
	return filepath.Clean(p)
}

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
		if matchName(pattern, e.Name()) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// matchName matches the name of a file as file systems compare names: on
// Windows without regard to case.
func matchName(pattern, name string) bool {
	if runtime.GOOS == "windows" {
		pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	}
	return matchStar(pattern, name)
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

// openFolder opens a folder, following links. Opening anything else, such as a
// named pipe, could make a step wait for ever.
func openFolder(path string) (*os.Root, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", path)
	}
	return os.OpenRoot(path)
}

// OpenRegular opens a file that is to be read or written, and nothing that
// could make a step wait for ever.
func OpenRegular(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|nonBlocking, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
