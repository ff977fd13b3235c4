package guest

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// putFile writes a file beside its place and renames it, so that nobody sees half of it.
func putFile(w http.ResponseWriter, r *http.Request) {
	mode, err := strconv.ParseUint(r.FormValue("mode"), 8, 32)
	if err != nil {
		refuse(w, fmt.Errorf("mode: %w", err))
		return
	}
	path, err := cleanPath(r)
	if err == nil {
		err = replaceFile(path, fs.FileMode(mode).Perm(), r.Body)
	}
	if err != nil {
		refuse(w, err)
	}
}

func replaceFile(path string, mode fs.FileMode, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ingot-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when the rename was done
	defer f.Close()
	if _, err := io.Copy(f, from); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func getFile(w http.ResponseWriter, r *http.Request) {
	path, err := cleanPath(r)
	if err != nil {
		refuse(w, err)
		return
	}
	// Without O_NONBLOCK a FIFO would hold the open until somebody writes.
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		refuse(w, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Ingot-Mode", strconv.FormatUint(uint64(info.Mode().Perm()), 8))
	if _, err := io.Copy(w, f); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func getTree(w http.ResponseWriter, r *http.Request) {
	path, err := cleanPath(r)
	if err != nil {
		refuse(w, err)
		return
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		refuse(w, err)
		return
	}
	defer root.Close()
	if err := writeTree(w, root); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// writeTree writes the regular files and folders below root as a tar stream.
func writeTree(w io.Writer, root *os.Root) error {
	out := tar.NewWriter(w)
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.IsDir() {
			return out.WriteHeader(header(name+"/", info, 0))
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		return writeTreeFile(out, root, name)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// writeTreeFile writes a file at the size it has now; what is appended
// meanwhile is left out.
func writeTreeFile(out *tar.Writer, root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(header(name, info, info.Size())); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, info.Size())
	return err
}

func header(name string, info fs.FileInfo, size int64) *tar.Header {
	h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), Size: size, ModTime: info.ModTime(), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if info.IsDir() {
		h.Typeflag = tar.TypeDir
	}
	return h
}

func cleanPath(r *http.Request) (string, error) {
	path := r.FormValue("path")
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("path %q: must be absolute", path)
	}
	return filepath.Clean(path), nil
}
