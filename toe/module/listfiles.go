package module

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var listFiles = Module{
	Name:        "ListFiles",
	Description: "Lists the files of folders, and links to files. Linked folders are not entered.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		pathInput("The folder."),
		{Name: "fileNamePattern", Type: String, Default: "*", Description: "Names to list; * stands for any text."},
		{Name: "recursive", Type: Boolean, Default: "false", Description: "Whether the folders in the folder are listed, too."},
	},
	Outputs: []Output{{Name: "files", Type: String, Description: "The paths in byte order with commas between; one output for each entry."}},
	Run: func(ctx context.Context, c *Call) (out []Values, err error) {
		run := each(func(ctx context.Context, c *Call, in Values) error {
			files, err := c.filesIn(ctx, in)
			if err != nil {
				return err
			}
			out = append(out, Values{"files": strings.Join(files, ",")})
			return nil
		})
		_, err = run(ctx, c)
		return out, err
	},
}

// filesIn lists the files of one entry.
func (c *Call) filesIn(ctx context.Context, in Values) ([]string, error) {
	dir, err := openFolder(c.Path(in.String("path")))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	list := newFileList(dir, in)
	if in.Bool("recursive", false) {
		err = walk(ctx, dir, list.add)
	} else {
		err = visitEntries(ctx, dir, 0, list.add)
	}
	slices.Sort(list.files)
	return list.files, err
}

// fileList collects paths that begin as the document has them.
type fileList struct {
	dir     *os.Root
	prefix  string
	pattern string
	files   []string
	size    int // bytes
}

func newFileList(dir *os.Root, in Values) *fileList {
	isSeparator := func(r rune) bool { return r == '/' || r == filepath.Separator }
	l := &fileList{dir: dir, pattern: in.String("fileNamePattern")}
	l.prefix = strings.TrimRightFunc(in.String("path"), isSeparator) + string(filepath.Separator)
	if l.pattern == "" {
		l.pattern = "*"
	}
	return l
}

func (l *fileList) add(p place, e fs.DirEntry) error {
	if !matchName(l.pattern, p.name) || !isFile(p, e) {
		return nil
	}
	below, err := filepath.Rel(l.dir.Name(), p.String())
	if err != nil {
		return err
	}
	l.files = append(l.files, l.prefix+below)
	if l.size += len(l.prefix) + len(below) + 1; l.size > MaxCapture {
		return fmt.Errorf("the paths of the files in %s are longer than %d bytes", l.dir.Name(), MaxCapture)
	}
	return nil
}

// isFile reports a regular file or a link to one.
func isFile(p place, e fs.DirEntry) bool {
	if e.Type() != fs.ModeSymlink {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(p.String())
	return err == nil && info.Mode().IsRegular()
}
