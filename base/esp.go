package base

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// writeESP makes the EFI system partition with GRUB at the path that firmware
// starts from a disk it does not know.
func (b *builder) writeESP(ctx context.Context, raw string, at extent) error {
	loader, err := b.grubImage(ctx, "x86_64-efi")
	if err != nil {
		return err
	}
	if err := os.Chtimes(loader, b.Date, b.Date); err != nil {
		return fmt.Errorf("making the EFI system partition: %w", err)
	}
	image := b.path("esp")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return fmt.Errorf("making the EFI system partition: %w", err)
	}
	if err := os.Truncate(image, at.length); err != nil {
		return fmt.Errorf("making the EFI system partition: %w", err)
	}
	for _, args := range [][]string{
		{"mkfs.vfat", "-F", "32", "-i", b.ids.espSerial, "--invariant", "-n", "ESP", image},
		{"mmd", "-i", image, "::/EFI", "::/EFI/BOOT"},
		{"mcopy", "-m", "-i", image, loader, "::/EFI/BOOT/BOOTX64.EFI"},
	} {
		if _, err := b.tool(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return copyInto(raw, image, at)
}

// copyInto copies a partition's image into the disk; zeros stay holes.
func copyInto(raw, image string, at extent) error {
	src, err := os.Open(image)
	if err != nil {
		return fmt.Errorf("copying a partition: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(raw, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("copying a partition: %w", err)
	}
	buf := make([]byte, 64<<10)
	for off := int64(0); off < at.length && err == nil; off += int64(len(buf)) {
		if _, err = io.ReadFull(src, buf); err == nil && !isZero(buf) {
			_, err = dst.WriteAt(buf, at.offset+off)
		}
	}
	if err := errors.Join(err, dst.Close()); err != nil {
		return fmt.Errorf("copying a partition: %w", err)
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
