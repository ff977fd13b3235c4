package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ingot.dev/ingot"
)

// exportOptions are what qemu-img needs for each format: qcow2 compressed with
// zstd (five times as fast as zlib and no larger), VMDK stream-optimized and
// VHD dynamic, as the EC2 image export makes them.
var exportOptions = map[Format][]string{
	FormatQCOW2: {"-c", "-o", "compression_type=zstd"},
	FormatVMDK:  {"-o", "subformat=streamOptimized"},
	FormatVHD:   {"-o", "subformat=dynamic,force_size=on"},
}

// Export writes a snapshot as a disk file, which is complete and on stable
// storage before it gets its name; a file of that name is replaced. Formats
// other than raw, qcow2, vmdk and vpc are CodeInvalid.
func (s *Store) Export(ctx context.Context, id SnapshotID, path string, format Format) error {
	if _, ok := exportOptions[format]; !ok && format != FormatRaw {
		return ingot.Errorf(ingot.CodeInvalid, "exporting %s: format %q must be one of raw, qcow2, vmdk and vpc", id, format)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return noSpace(path, fmt.Errorf("exporting %s: %w", id, err))
	}
	defer os.Remove(tmp.Name()) // gone already after the rename
	if err := s.fill(ctx, id, tmp, format); err != nil {
		return noSpace(path, fmt.Errorf("exporting %s to %s: %w", id, path, errors.Join(err, tmp.Close())))
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return noSpace(path, fmt.Errorf("exporting %s to %s: %w", id, path, err))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("exporting %s: %w", id, err)
	}
	return syncDir(filepath.Dir(path))
}

// fill writes a snapshot into an empty file.
func (s *Store) fill(ctx context.Context, id SnapshotID, f *os.File, format Format) error {
	if format == FormatRaw {
		m, let, err := s.hold(id)
		if err != nil {
			return err
		}
		return errors.Join(s.writeRaw(ctx, m, f), let())
	}
	dir, err := os.MkdirTemp(s.tmpDir(), "export-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	raw := filepath.Join(dir, string(id)+cachedSuffix)
	if err := s.linkCached(ctx, id, raw); err != nil {
		return err
	}
	args := append([]string{"convert", "-W", "-m", "16", "-f", "raw", "-O", string(format)}, exportOptions[format]...)
	_, err = qemuImg(ctx, f.Name(), append(args, raw, f.Name())...)
	return err
}
