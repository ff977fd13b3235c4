package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"ingot.dev/ingot/compute"
)

// logsDirectory is where the folders of component runs are kept, under the
// keys that an object store would have.
const logsDirectory = "logs"

// maxTree bounds what is fetched of a guest's logs, in bytes.
const maxTree = 4 << 30

// fetchLogs keeps the log folder of the component run. The log of the build
// has every line already, so a failure here is only told.
func (w *work) fetchLogs(ctx context.Context, inst compute.Instance) {
	if err := w.fetchTree(ctx, inst); err != nil {
		w.log.note("The component runner's own logs could not be fetched: %s", err)
		return
	}
	w.sendLogs()
}

func (w *work) fetchTree(ctx context.Context, inst compute.Instance) error {
	c, err := w.agent(ctx, inst)
	if err != nil {
		return err
	}
	defer c.Close()
	dir := w.logDir()
	r, out := io.Pipe()
	fetched := make(chan error, 1)
	go func() {
		err := c.GetTree(ctx, toeDirectory, maxTree, out)
		out.CloseWithError(err)
		fetched <- err
	}()
	err = unpack(r, dir)
	r.CloseWithError(err) // ends the fetch when unpacking has failed
	if fetching := <-fetched; fetching != nil {
		return fetching // which unpack only repeats
	}
	return err
}

// logDir is where this step's logs are kept.
func (w *work) logDir() string {
	return filepath.Join(w.dir(w.Plan.Image), logsDirectory, filepath.FromSlash(w.logKey()))
}

// logKey is the prefix of the keys of this step's logs. Source: workflows.md
// §10, api.md §8.4.
func (w *work) logKey() string {
	return strings.TrimPrefix(path.Join("/", w.Plan.LogPrefix, w.Plan.Name, w.image.Version.String(), strconv.Itoa(w.image.Build),
		w.execution(), w.Step.Name), "/")
}

// unpack writes the run folders (TOE_…) of a tar stream below dir. The guest
// chose the names: os.Root keeps them inside.
func unpack(stream io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(stream)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpacking logs: %w", err)
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !strings.HasPrefix(name, "TOE_") {
			continue // the runner's own state, and folders, which come with their files
		}
		if err := unpackFile(root, name, t); err != nil {
			return fmt.Errorf("unpacking %q: %w", h.Name, err)
		}
	}
}

func unpackFile(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
