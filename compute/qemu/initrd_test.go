package qemu

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCPIO has cpio(1) read what we write.
func TestCPIO(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("needs cpio to read the archive")
	}
	var archive bytes.Buffer
	c := &cpio{w: &archive}
	c.dir("dev")
	c.device("dev/console", 5, 1)
	c.file("odd", 0o640, []byte("12345"))
	c.file("empty", 0o700, nil)
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cpio", "--list", "--verbose", "--numeric-uid-gid", "--quiet")
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	cmd.Stdin = &archive
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line) // mode links uid gid size month day year name
		got = append(got, strings.Join(append(f[:len(f)-4:len(f)-4], f[len(f)-1]), " "))
	}
	want := []string{
		"drwxr-xr-x 1 0 0 0 dev",
		"crw------- 1 0 0 5, 1 dev/console",
		"-rw-r----- 1 0 0 5 odd",
		"-rwx------ 1 0 0 0 empty",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cpio --list: -want +got\n%s", diff)
	}
}

type fullDisk struct{}

var errFull = errors.New("full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestCPIOReportsTheFirstError(t *testing.T) {
	c := &cpio{w: fullDisk{}}
	c.file("a", 0o600, []byte("b"))
	if err := c.close(); !errors.Is(err, errFull) {
		t.Errorf("close = %v, want %v", err, errFull)
	}
}
