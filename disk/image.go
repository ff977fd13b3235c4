package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Format is a disk file's format, by the name qemu-img has for it.
type Format string

// The formats that Import takes; Export makes all but VHDX.
const (
	FormatRaw   Format = "raw"
	FormatQCOW2 Format = "qcow2"
	FormatVMDK  Format = "vmdk"
	FormatVHD   Format = "vpc"
	FormatVHDX  Format = "vhdx"
)

// DetectFormat tells a disk file's format by its content; whatever is none of
// the others is raw. It refuses files that would make a reader open other
// files: qcow2 with a backing or data file, a VMDK that is only a descriptor, a
// differencing VHD. Those come from outside, so qemu-img is not asked to find out.
func DetectFormat(r io.ReaderAt, size int64) (Format, error) {
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the header: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("COWD")), bytes.HasPrefix(bytes.TrimLeft(head, "\r\n\t "), []byte("# Disk DescriptorFile")):
		return "", errors.New("this VMDK describes a disk whose data is in other files; export it as one file (monolithic or stream-optimized)")
	case n < len(head):
		return "", fmt.Errorf("%d bytes are too few for a disk", size)
	case bytes.HasPrefix(head, []byte("QFI\xfb")):
		return FormatQCOW2, checkQCOW2(head)
	case bytes.HasPrefix(head, []byte("KDMV")):
		return FormatVMDK, checkVMDK(head)
	case bytes.HasPrefix(head, []byte("vhdxfile")):
		return FormatVHDX, nil // qemu refuses the differencing kind by itself
	case bytes.HasPrefix(head, []byte("conectix")):
		return FormatVHD, checkVHD(head)
	}
	// A VHD of fixed size has its header at the end only.
	if _, err := r.ReadAt(head, size-int64(len(head))); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the footer: %w", err)
	}
	if bytes.HasPrefix(head, []byte("conectix")) {
		return FormatVHD, checkVHD(head)
	}
	return FormatRaw, nil
}

// checkQCOW2 reads the header of QEMU's docs/interop/qcow2.txt.
func checkQCOW2(head []byte) error {
	version := binary.BigEndian.Uint32(head[4:])
	switch {
	case version != 2 && version != 3:
		return fmt.Errorf("qcow2 version %d is not 2 or 3", version)
	case binary.BigEndian.Uint64(head[8:]) != 0:
		return errors.New("this qcow2 needs a backing file; flatten it with qemu-img convert first")
	case binary.BigEndian.Uint32(head[32:]) != 0:
		return errors.New("this qcow2 is encrypted")
	case version == 3 && binary.BigEndian.Uint64(head[72:])&(1<<2) != 0:
		return errors.New("this qcow2 keeps its data in another file; flatten it with qemu-img convert first")
	}
	return checkSize(binary.BigEndian.Uint64(head[24:]))
}

// checkVMDK reads the sparse extent header of the VMDK 1.1 specification. With
// a capacity of 0 QEMU would follow the embedded descriptor to other files.
func checkVMDK(head []byte) error {
	sectors := binary.LittleEndian.Uint64(head[12:])
	if sectors == 0 {
		return errors.New("this VMDK has no data of its own")
	}
	return checkSize(min(sectors, MaxSize) * 512)
}

// checkVHD reads the footer of the VHD 1.0 specification.
func checkVHD(footer []byte) error {
	const differencing = 4
	if binary.BigEndian.Uint32(footer[60:]) == differencing {
		return errors.New("this VHD needs a parent disk; merge it first")
	}
	return checkSize(binary.BigEndian.Uint64(footer[48:]))
}

func checkSize(size uint64) error {
	if size == 0 || size > MaxSize {
		return fmt.Errorf("the disk's size of %d bytes must be from 1 to %d", size, int64(MaxSize))
	}
	return nil
}
