package guest

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	endOfInput = 4 // control-D
	lastOutput = 100 * time.Millisecond
)

// shell is the far end of Client.Shell.
func shell(w http.ResponseWriter, r *http.Request) {
	body := bufio.NewReader(r.Body)
	head, err := readBounded(body, maxCommand)
	var sh Shell
	if err == nil {
		err = json.Unmarshal(head, &sh)
	}
	if err != nil {
		refuse(w, fmt.Errorf("reading the shell: %w", err))
		return
	}
	term, c, err := startShell(r.Context(), sh)
	if err != nil {
		refuse(w, fmt.Errorf("starting the shell: %w", err))
		return
	}
	w.Header().Set("Trailer", exitTrailer)
	w.WriteHeader(http.StatusOK)
	go receiveFrames(body, term)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Wait()
		// Whatever else holds the terminal open is not waited for.
		term.SetReadDeadline(time.Now().Add(lastOutput))
	}()
	copyTerminal(w, term)
	err = <-ended
	term.Close()
	if c.ProcessState == nil {
		panic(fmt.Errorf("waiting for the shell: %w", err))
	}
	w.Header().Set(exitTrailer, strconv.Itoa(c.ProcessState.ExitCode()))
}

// startShell starts sh as the leader of a session on a new terminal.
func startShell(ctx context.Context, sh Shell) (*os.File, *exec.Cmd, error) {
	if len(sh.Args) == 0 {
		sh.Args = loginShell()
	}
	master, slave, err := openTerminal(sh.Window)
	if err != nil {
		return nil, nil, err
	}
	defer slave.Close()
	c := exec.CommandContext(ctx, sh.Args[0], sh.Args[1:]...)
	c.Env = append([]string{safePath, "HOME=/root", "USER=root", "LANG=C.UTF-8"}, sh.Env...)
	c.Dir = "/"
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGHUP) }
	if err := c.Start(); err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, c, nil
}

func loginShell() []string {
	for _, sh := range []string{"/bin/bash", "/usr/bin/bash"} {
		if _, err := os.Stat(sh); err == nil {
			return []string{sh, "-l"}
		}
	}
	return []string{"/bin/sh", "-l"}
}

func openTerminal(win Window) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	var n int
	err = control(master, func(fd int) (err error) {
		if n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	if err == nil {
		err = setWindow(master, win)
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	return master, slave, nil
}

func setWindow(master *os.File, win Window) error {
	return control(master, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: win.Rows, Col: win.Cols})
	})
}

// control calls f with the descriptor of a file and leaves it non-blocking.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// receiveFrames obeys frames until the body ends. The end of the input is told
// to the program as the terminal does it; a caller that is gone ends it through
// the request's context.
func receiveFrames(r io.Reader, term *os.File) {
	var head [3]byte
	buf := make([]byte, maxFrame)
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				term.Write([]byte{endOfInput}) // fails when the program is gone already
			}
			return
		}
		n := int(binary.BigEndian.Uint16(head[1:]))
		if n > len(buf) {
			return
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return
		}
		if err := obeyFrame(term, head[0], buf[:n]); err != nil {
			return
		}
	}
}

func obeyFrame(term *os.File, kind byte, data []byte) error {
	if kind == frameWindow && len(data) == 4 {
		return setWindow(term, Window{Rows: binary.BigEndian.Uint16(data), Cols: binary.BigEndian.Uint16(data[2:])})
	}
	_, err := term.Write(data)
	return err
}

// copyTerminal copies until the last program on the terminal is gone, which
// reads as an I/O error, or the caller is.
func copyTerminal(w http.ResponseWriter, term *os.File) {
	flush := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := term.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil || flush.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
