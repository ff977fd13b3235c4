package logs

import (
	"path/filepath"
	"regexp"
	"strings"

	"ingot.dev/ingot"
)

// scopePart is what accounts and regions look like; ARNs do not promise it.
var scopePart = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (s *Store) scope(scope ingot.Scope) (string, error) {
	for _, part := range []string{scope.Region, scope.Account} {
		if !scopePart.MatchString(part) {
			return "", ingot.Errorf(ingot.CodeInvalid, "'%.70s' is not an account or a region.", part)
		}
	}
	return filepath.Join(s.Dir, scope.Region, scope.Account), nil
}

// group is the folder of a group. The name was checked.
func (s *Store) group(scope ingot.Scope, name string) (string, error) {
	root, err := s.scope(scope)
	return filepath.Join(append([]string{root}, foldersOf(name)...)...), err
}

const (
	// mark is in no name of a group. Folders that do not stand for a part of a
	// name as it is begin or end with it.
	mark = "%"
	// maxFolder bounds the name of a folder, in bytes; longer parts are divided.
	maxFolder = 200
	// slash stands for a slash in the name of a stream's file.
	slash  = "@"
	suffix = ".log"
)

// foldersOf are the folders that a group is in: the parts between its slashes.
// A name without a slash before it, parts that are empty and those that mean
// another folder are marked.
func foldersOf(group string) []string {
	var folders []string
	rest, ok := strings.CutPrefix(group, "/")
	if !ok {
		folders = append(folders, mark)
	}
	for part := range strings.SplitSeq(rest, "/") {
		if strings.Trim(part, ".") == "" {
			part = mark + mark + part
		}
		for len(part) > maxFolder {
			folders = append(folders, part[:maxFolder]+mark)
			part = part[maxFolder:]
		}
		folders = append(folders, part)
	}
	return folders
}

// groupOf is the group of a folder below root.
func groupOf(root, dir string) string {
	var name strings.Builder
	joined := false
	for i, folder := range strings.Split(strings.TrimPrefix(dir, root+"/"), "/") {
		if folder == mark && i == 0 {
			joined = true
			continue
		}
		if !joined {
			name.WriteString("/")
		}
		if joined = len(folder) > maxFolder && strings.HasSuffix(folder, mark); joined {
			folder = strings.TrimSuffix(folder, mark)
		}
		name.WriteString(strings.TrimPrefix(folder, mark+mark))
	}
	return name.String()
}

func streamFile(stream string) string { return strings.ReplaceAll(stream, "/", slash) + suffix }

// streamOf is the stream that a file holds, if it is one.
func streamOf(file string) (string, bool) {
	name, ok := strings.CutSuffix(file, suffix)
	return strings.ReplaceAll(name, slash, "/"), ok
}
