package guest

import (
	"fmt"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// leave begins a power-off or reboot, without the warning and the wait that
// are meant for people.
func leave(p Power) error {
	how := "/s"
	if p == PowerReboot {
		how = "/r"
	}
	if out, err := exec.Command("shutdown.exe", how, "/f", "/t", "0").CombinedOutput(); err != nil {
		return fmt.Errorf("running shutdown.exe: %w: %s", err, out)
	}
	return nil
}

var setSystemTime = windows.NewLazySystemDLL("kernel32.dll").NewProc("SetSystemTime")

func setTime(now time.Time) error {
	now = now.UTC()
	t := windows.Systemtime{
		Year: uint16(now.Year()), Month: uint16(now.Month()), Day: uint16(now.Day()), DayOfWeek: uint16(now.Weekday()),
		Hour: uint16(now.Hour()), Minute: uint16(now.Minute()), Second: uint16(now.Second()),
		Milliseconds: uint16(now.Nanosecond() / int(time.Millisecond)),
	}
	if done, _, err := setSystemTime.Call(uintptr(unsafe.Pointer(&t))); done == 0 {
		return err
	}
	return nil
}

// stirRandom has nothing to do: Windows reseeds itself when the generation id
// of its virtual machine changes, and has no way in for others.
func stirRandom([]byte) error { return nil }
