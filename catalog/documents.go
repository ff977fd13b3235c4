package catalog

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

// loadDocuments reads the documents of a folder in the order of their names: NAME.yaml
// goes to read as its name and text.
func loadDocuments[T any](files embed.FS, folder string, read func(name, data string) (T, error)) ([]T, error) {
	entries, err := files.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	var list []T
	for _, e := range entries {
		file := path.Join(folder, e.Name())
		data, err := files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		v, err := read(strings.TrimSuffix(e.Name(), ".yaml"), string(data))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		list = append(list, v)
	}
	return list, nil
}
