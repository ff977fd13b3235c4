package container

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxConsole bounds the console's file over all boots; a guest may print for ever.
const maxConsole = 16 << 20

// openConsole makes a terminal the guest's console and this process's standard
// streams, and returns its other end. The terminal must be of the guest's own
// devpts: systemd stays mute on anything else.
func openConsole() (*os.File, error) {
	master, err := os.OpenFile("/dev/pts/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = bindConsole("/dev/pts/" + strconv.Itoa(n))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the console: %w", err)
	}
	return master, nil
}

func bindConsole(terminal string) error {
	if err := os.WriteFile("/dev/console", nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount(terminal, "/dev/console", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for std := range 3 {
		if err := unix.Dup3(fd, std, 0); err != nil {
			return err
		}
	}
	return unix.Close(fd)
}

// openPeer opens the guest's side of its console for as long as the guest runs:
// while nobody has it open the terminal reads as ended, and it is not the end
// when only a login prompt was killed.
func openPeer(console *os.File) (*os.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, console.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, fmt.Errorf("opening the other side of the console: %w", errno)
	}
	return os.NewFile(fd, "console"), nil
}

// copyConsole appends what the guest prints to its file until the last process
// has closed the terminal, which reads as an I/O error. Beyond maxConsole it
// reads on and drops.
func copyConsole(path string, terminal io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, terminal, max(0, maxConsole-size))
	if err == nil {
		_, err = io.Copy(io.Discard, terminal)
	}
	if err == nil || errors.Is(err, unix.EIO) || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("copying the console: %w", err)
}

// socketPair makes a connected pair that keeps messages whole. The far one is
// for a child.
func socketPair() (near *net.UnixConn, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if near, err = unixConn(fds[0], "init"); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[1]))
	}
	return near, os.NewFile(uintptr(fds[1]), "init"), nil
}

func unixConn(fd int, name string) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close() // FileConn has its own copy
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("descriptor %d is no Unix socket", fd), c.Close())
	}
	return u, nil
}

const maxMessage = 64 << 10

// receive reads one message and its descriptors.
func receive(c *net.UnixConn) ([]byte, []int, error) {
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*8))
	n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 && oobn == 0 {
		return nil, nil, io.EOF
	}
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	for _, m := range msgs {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, nil, err
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return buf[:n], fds, nil
}

// sendConsole says that all went well so far.
func sendConsole(c *net.UnixConn, console *os.File) error {
	defer console.Close()
	_, _, err := c.WriteMsgUnix([]byte("{}"), unix.UnixRights(int(console.Fd())), nil)
	return err
}
