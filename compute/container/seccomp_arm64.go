package container

import "golang.org/x/sys/unix"

const (
	nativeArch   = unix.AUDIT_ARCH_AARCH64
	firstForeign = 0 // arm64 has one interface only
)
