package container

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are system calls that no guest needs and that reach the host's
// kernel as a whole. They answer EPERM, which init systems take in their
// stride. Most need a capability that the guest lacks outside its namespaces
// anyway; the filter is the second wall, and keeps code with a history of
// faults out of reach.
var refused = []uint32{
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, // another kernel
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, // modules
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, // the kernel's inner life
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, // keyrings are not in a namespace
	unix.SYS_OPEN_BY_HANDLE_AT, // goes around folders
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, // the clock is the host's
	unix.SYS_SYSLOG,
}

// absent are refused with ENOSYS: programs look for another way then.
var absent = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// Offsets in struct seccomp_data. Source: seccomp(2).
const (
	dataNumber = 0
	dataArch   = 4
)

// filter is the program in the kernel's classic packet-filter language: wrong
// architecture, then each number, then allow. Calls of another architecture,
// 32-bit programs on a 64-bit kernel, have other numbers and are absent.
func filter() []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	give := func(value uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value}
	}
	// unlessEqual skips the next instruction when the loaded word is not k.
	unlessEqual := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: k}
	}
	eperm := uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	enosys := uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.ENOSYS)
	prog := []unix.SockFilter{
		load(dataArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: nativeArch},
		give(enosys),
		load(dataNumber),
	}
	if firstForeign != 0 {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: firstForeign}, give(enosys))
	}
	for _, nr := range refused {
		prog = append(prog, unlessEqual(nr), give(eperm))
	}
	for _, nr := range absent {
		prog = append(prog, unlessEqual(nr), give(enosys))
	}
	return append(prog, give(unix.SECCOMP_RET_ALLOW))
}

// confine installs the filter for this thread and what it executes.
func confine() error {
	prog := filter()
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("installing the system call filter: %w", errno)
	}
	return nil
}

// dropped are capabilities that have no meaning inside a user namespace, or
// that a guest of an image factory has no use for.
var dropped = []uintptr{
	unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_TIME, unix.CAP_SYSLOG,
	unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE, unix.CAP_WAKE_ALARM, unix.CAP_BLOCK_SUSPEND,
	unix.CAP_AUDIT_CONTROL, unix.CAP_AUDIT_READ, unix.CAP_PERFMON, unix.CAP_BPF,
}

// dropCapabilities takes them out of what any program of the guest can get.
func dropCapabilities() error {
	for _, c := range dropped {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("dropping capability %d: %w", c, err)
		}
	}
	return nil
}
