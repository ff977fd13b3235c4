package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
)

// Import stores a disk file as a snapshot without a parent. format says what
// the file must be; empty means by its content. A file that is refused, or is
// no disk (it has neither a partition table nor a file system), is CodeInvalid.
// A snapshot of that id is returned as it is.
func (s *Store) Import(ctx context.Context, id SnapshotID, path string, format Format) (Snapshot, error) {
	return s.create(ctx, id, "", func() (source, error) {
		f, err := s.openImport(ctx, path, format)
		if err != nil {
			return source{}, fmt.Errorf("importing %s: %w", path, err)
		}
		src, err := rawSource(f)
		if err != nil {
			return source{}, errors.Join(fmt.Errorf("importing %s: %w", path, err), f.Close())
		}
		return src, nil
	})
}

// openImport checks a disk file and opens it as a raw disk, by way of a copy
// without a name if it is none.
func (s *Store) openImport(ctx context.Context, path string, want Format) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	format, err := checkFormat(f, want)
	if err == nil && format != FormatRaw {
		if err := f.Close(); err != nil {
			return nil, err
		}
		if f, err = s.flatten(ctx, path, format); err != nil {
			return nil, err
		}
	}
	if err == nil {
		err = checkDisk(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openRegular opens a file that is neither a folder, a device nor a pipe;
// opening one of those may block or do worse.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, ingot.Errorf(ingot.CodeInvalid, "%s is not a regular file", path)
	}
	return os.Open(path)
}

func checkFormat(f *os.File, want Format) (Format, error) {
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	format, err := DetectFormat(f, st.Size())
	if err != nil {
		return "", ingot.Errorf(ingot.CodeInvalid, "%w", err)
	}
	if want != "" && want != format {
		return "", ingot.Errorf(ingot.CodeInvalid, "the file is %s by its content, not %s", format, want)
	}
	return format, nil
}

// checkDisk refuses a raw file that holds nothing a machine could use.
func checkDisk(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	layout, err := ReadLayout(f, st.Size())
	if err != nil {
		return ingot.Errorf(ingot.CodeInvalid, "the file is no usable disk: %w", err)
	}
	if layout.Table == TableNone && layout.Partitions[0].FileSystem == "" {
		return ingot.Errorf(ingot.CodeInvalid, "the file is no disk: it has neither a partition table nor a file system of a known kind")
	}
	return nil
}

// flatten makes a raw copy of a disk file and opens it; its name is gone by then.
func (s *Store) flatten(ctx context.Context, path string, format Format) (*os.File, error) {
	node, err := importNode(path, format)
	if err != nil {
		return nil, err
	}
	if err := checkInfo(ctx, path, node); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(s.tmpDir(), "import-*.raw")
	if err != nil {
		return nil, noSpace(s.tmpDir(), err)
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Close(); err != nil {
		return nil, err
	}
	if _, err := qemuImg(ctx, tmp.Name(), "convert", "-W", "-m", "8", "-O", "raw", node, tmp.Name()); err != nil {
		return nil, err
	}
	return os.Open(tmp.Name())
}

// importNode names a disk file to qemu-img such that it opens this file with
// this driver and nothing else.
func importNode(path string, format Format) (string, error) {
	node := map[string]any{"driver": format, "file": map[string]string{"driver": "file", "filename": path}}
	if format == FormatQCOW2 || format == FormatVMDK {
		node["backing"] = nil
	}
	text, err := json.Marshal(node)
	return "json:" + string(text), err
}

// checkInfo checks what only the format's own driver knows.
func checkInfo(ctx context.Context, path, node string) error {
	out, err := qemuImg(ctx, path, "info", "--output=json", node)
	if err != nil {
		return ingot.Errorf(ingot.CodeInvalid, "the file is damaged: %w", err)
	}
	var info struct {
		Size      uint64 `json:"virtual-size"`
		Backing   string `json:"backing-filename"`
		Encrypted bool   `json:"encrypted"`
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return fmt.Errorf("reading the output of qemu-img info: %w", err)
	}
	switch {
	case info.Backing != "":
		return ingot.Errorf(ingot.CodeInvalid, "the disk needs another one under it; flatten it with qemu-img convert first")
	case info.Encrypted:
		return ingot.Errorf(ingot.CodeInvalid, "the disk is encrypted")
	}
	if err := checkSize(info.Size); err != nil {
		return ingot.Errorf(ingot.CodeInvalid, "%w", err)
	}
	return nil
}

// rawSource reads what a raw file holds, without its holes, and closes it.
func rawSource(f *os.File) (source, error) {
	st, err := f.Stat()
	if err != nil {
		return source{}, err
	}
	extents, err := dataExtents(f, st.Size())
	if err != nil {
		return source{}, fmt.Errorf("looking for holes: %w", err)
	}
	// Disks consist of sectors of 512 bytes; the rest of the last one is zeros.
	size := (st.Size() + 511) &^ 511
	return source{size: size, blocks: touched(extents), read: overlay{file: f, extents: extents}.read, close: f.Close}, nil
}

// dataExtents lists the parts of a file that are not holes.
func dataExtents(f *os.File, size int64) ([]extent, error) {
	var extents []extent
	for end := int64(0); end < size; {
		start, err := unix.Seek(int(f.Fd()), end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // only a hole follows
		}
		if err != nil {
			return nil, err
		}
		if end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		extents = append(extents, extent{Start: start, Length: end - start, Data: true, Mapped: true, Offset: &start})
	}
	return extents, nil
}
