package container

import "golang.org/x/sys/unix"

const (
	nativeArch = unix.AUDIT_ARCH_X86_64
	// firstForeign begins the numbers of the x32 interface, which would go around the list.
	firstForeign = 0x40000000
)
