package qemu

import (
	"fmt"
	"io"
	"io/fs"
)

// cpio writes an initial RAM file system in the "newc" form: per file a header
// of thirteen numbers in eight hex digits, the name, the content, each padded
// to four bytes. Source: Documentation/driver-api/early-userspace/buffer-format.rst
// of the Linux kernel. The first error sticks and is returned by close.
type cpio struct {
	w   io.Writer
	n   int64 // bytes written
	ino uint32
	err error
}

// The file types of a cpio mode.
const (
	typeDir  = 0o040000
	typeChar = 0o020000
	typeFile = 0o100000
)

func (c *cpio) dir(name string) { c.entry(name, typeDir|0o755, 0, nil) }

// file adds a regular file.
func (c *cpio) file(name string, perm fs.FileMode, data []byte) {
	c.entry(name, typeFile|uint32(perm.Perm()), 0, data)
}

// device adds a character device.
func (c *cpio) device(name string, major, minor uint8) {
	c.entry(name, typeChar|0o600, uint32(major)<<8|uint32(minor), nil)
}

func (c *cpio) entry(name string, mode, dev uint32, data []byte) {
	c.ino++
	fields := []uint32{
		c.ino, mode, 0, 0, 1, 0, uint32(len(data)), // inode, mode, uid, gid, links, mtime, size
		0, 0, dev >> 8, dev & 0xff, // device of the file, device that it is
		uint32(len(name) + 1), 0, // with the zero byte; no checksum
	}
	c.write([]byte("070701"))
	for _, f := range fields {
		c.write(fmt.Appendf(nil, "%08X", f))
	}
	c.write(append([]byte(name), 0))
	c.pad()
	c.write(data)
	c.pad()
}

func (c *cpio) pad() { c.write(make([]byte, -c.n&3)) }

func (c *cpio) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
}

// close ends the archive.
func (c *cpio) close() error {
	c.entry("TRAILER!!!", 0, 0, nil)
	return c.err
}
