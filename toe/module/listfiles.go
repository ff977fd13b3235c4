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

const maxList = 8 << 20 // bytes of paths, as for other outputs (§14)

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

// filesIn lists one entry, each path beginning with the one in the document.
func (c *Call) filesIn(ctx context.Context, in Values) ([]string, error) {
	dir, err := openFolder(c.Path(in.String("path")))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	prefix := strings.TrimRight(in.String("path"), `/`+string(filepath.Separator)) + string(filepath.Separator)
	pattern := in.String("fileNamePattern")
	if pattern == "" {
		pattern = "*"
	}
	var files []string
	size := 0
	add := func(p place, e fs.DirEntry) error {
		if !matchStar(pattern, p.name) || !isFile(p, e) {
			return nil
		}
		below, err := filepath.Rel(dir.Name(), p.String())
		if err != nil {
			return err
		}
		files = append(files, prefix+below)
		if size += len(prefix) + len(below) + 1; size > maxList {
			return fmt.Errorf("the paths of the files in %s are longer than %d bytes", dir.Name(), maxList)
		}
		return nil
	}
	if in.Bool("recursive", false) {
		err = walk(ctx, dir, add)
	} else {
		err = visitEntries(ctx, dir, 0, add)
	}
	slices.Sort(files)
	return files, err
}

// isFile reports a regular file or a link to one.
func isFile(p place, e fs.DirEntry) bool {
	if e.Type() != fs.ModeSymlink {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(p.String())
	return err == nil && info.Mode().IsRegular()
}
