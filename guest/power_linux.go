package guest

import (
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Signals by which systemd as process 1 powers off and reboots: SIGRTMIN+4 and
// +5, where the C library's SIGRTMIN is 34. Source: systemd(1), "Signals". They
// work without a bus and without any program in the guest.
const (
	sigPowerOff = unix.Signal(34 + 4)
	sigReboot   = unix.Signal(34 + 5)
)

// leave begins a power-off or reboot. Without systemd it asks the init system's
// own command, and the kernel when there is none.
func leave(p Power) error {
	unix.Sync()
	sig, command, how := sigPowerOff, "poweroff", unix.LINUX_REBOOT_CMD_POWER_OFF
	if p == PowerReboot {
		sig, command, how = sigReboot, "reboot", unix.LINUX_REBOOT_CMD_RESTART
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return unix.Kill(1, sig)
	}
	if err := exec.Command(command).Run(); err == nil {
		return nil
	}
	// In a container the call ends process 1 instead, with the signal that says which.
	return unix.Reboot(how)
}

func setTime(now time.Time) error {
	ts := unix.NsecToTimespec(now.UnixNano())
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}

// stirRandom credits seed to the kernel's random pool and reseeds its
// generator: two guests resumed from one state must not draw the same numbers.
func stirRandom(seed []byte) error {
	if len(seed) == 0 {
		return nil
	}
	f, err := os.OpenFile("/dev/random", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// struct rand_pool_info { int entropy_count; int buf_size; __u32 buf[]; }
	info := make([]int32, 2+(len(seed)+3)/4)
	info[0], info[1] = int32(len(seed)*8), int32(len(seed))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info[2])), len(seed)), seed)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info[0]))); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDRESEEDCRNG, 0); errno != 0 {
		return errno
	}
	return nil
}
