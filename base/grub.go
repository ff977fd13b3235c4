package base

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"ingot.dev/ingot"
)

// bootImage is GRUB's first 512 bytes for BIOS.
const bootImage = "/usr/lib/grub/i386-pc/boot.img"

// grubConfig boots the links that Debian's kernel package keeps on the newest
// kernel: a kernel that is installed where no update-grub can run, as in a
// container, is booted without one. At loglevel 4 the kernel says what went
// wrong only; all of its messages would cost seconds on a serial line.
func grubConfig(ids identity) string {
	return fmt.Sprintf(`serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
search --no-floppy --fs-uuid --set=root %[1]s
linux /vmlinuz root=UUID=%[1]s ro console=tty0 console=ttyS0,115200 net.ifnames=0 loglevel=4
initrd /initrd.img
boot
`, ids.rootFS)
}

// earlyConfig is built into GRUB: it finds the root file system and goes on there.
func earlyConfig(ids identity) string {
	return fmt.Sprintf(`search --no-floppy --fs-uuid --set=root %s
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
`, ids.rootFS)
}

var grubModules = []string{
	"part_gpt", "ext2", "fat", "search", "search_fs_uuid", "normal", "linux", "configfile", "serial", "terminal", "echo", "test",
}

// grubImage makes GRUB's core for a platform: "i386-pc" or "x86_64-efi".
func (b *builder) grubImage(ctx context.Context, platform string, modules ...string) (path string, err error) {
	early, path := b.path("early.cfg"), b.path("grub-"+platform)
	if err := os.WriteFile(early, []byte(earlyConfig(b.ids)), 0o600); err != nil {
		return "", fmt.Errorf("configuring GRUB: %w", err)
	}
	args := append([]string{"-O", platform, "-o", path, "-p", "/boot/grub", "-c", early}, grubModules...)
	if _, err := b.tool(ctx, "grub-mkimage", append(args, modules...)...); err != nil {
		return "", err
	}
	return path, nil
}

// writeBIOSLoader puts GRUB's core into its partition and its boot sector into
// the first sector of the disk, beside the partition entries there.
func (b *builder) writeBIOSLoader(ctx context.Context, raw string, at extent) error {
	path, err := b.grubImage(ctx, "i386-pc", "biosdisk")
	if err != nil {
		return err
	}
	core, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("installing GRUB for BIOS: %w", err)
	}
	boot, err := os.ReadFile(bootImage)
	if err != nil {
		return fmt.Errorf("installing GRUB for BIOS: %w", err)
	}
	lba := uint64(at.offset / sector)
	if core, err = patchCore(core, lba); err != nil {
		return err
	}
	if int64(len(core)) > at.length {
		return fmt.Errorf("installing GRUB for BIOS: its core has %d bytes, the partition %d", len(core), at.length)
	}
	if boot, err = patchBoot(boot, lba); err != nil {
		return err
	}
	f, err := os.OpenFile(raw, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("installing GRUB for BIOS: %w", err)
	}
	_, errCore := f.WriteAt(core, at.offset)
	_, errBoot := f.WriteAt(boot, 0)
	if err := errors.Join(errCore, errBoot, f.Close()); err != nil {
		return fmt.Errorf("installing GRUB for BIOS: %w", err)
	}
	return nil
}

// bootCode is the length of the code in a boot sector; disk signature and
// partition entries follow and stay.
const bootCode = 0x1b8

// patchBoot returns the code of boot.img made to load the core at lba from the
// disk it was itself started from. Source of the offsets: GRUB's boot.h.
func patchBoot(boot []byte, lba uint64) ([]byte, error) {
	const (
		kernelSector = 0x5c
		bootDrive    = 0x64
		driveCheck   = 0x66
	)
	if len(boot) != sector || boot[510] != 0x55 || boot[511] != 0xaa {
		return nil, ingot.Errorf(ingot.CodeInvalid, "%s: not a boot sector", bootImage)
	}
	b := append([]byte(nil), boot[:bootCode]...)
	binary.LittleEndian.PutUint64(b[kernelSector:], lba)
	b[bootDrive] = 0xff                         // the drive that the BIOS says it started
	b[driveCheck], b[driveCheck+1] = 0x90, 0x90 // believe it: no jump over
	return b, nil
}

// patchCore pads the core to whole sectors and tells its first one, at lba,
// where the others are: right behind it.
func patchCore(core []byte, lba uint64) ([]byte, error) {
	const loadSegment = 0x820 // where the rest goes in memory
	if len(core) < 2*sector {
		return nil, ingot.Errorf(ingot.CodeInvalid, "GRUB's core has %d bytes; it must have more than a sector", len(core))
	}
	c := append([]byte(nil), core...)
	c = append(c, make([]byte, (sector-len(c)%sector)%sector)...)
	list := c[sector-12:]
	binary.LittleEndian.PutUint64(list, lba+1)
	binary.LittleEndian.PutUint16(list[8:], uint16(len(c)/sector-1))
	binary.LittleEndian.PutUint16(list[10:], loadSegment)
	return c, nil
}
