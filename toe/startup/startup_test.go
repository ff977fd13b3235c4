//go:build unix

package startup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fakeCrontab keeps the table in a file, as crontab does.
const fakeCrontab = `#!/bin/sh
table=$(dirname "$0")/table
case $1 in
-l) test ! -e "$table.broken" || { echo "cannot read the spool" >&2; exit 1; }
    test -e "$table" || { echo "no crontab for root" >&2; exit 1; }; cat "$table" ;;
-r) rm "$table" ;;
-) cat > "$table" ;;
esac
`

// fakeSystemctl and fakeShutdown note what they are called with.
const fakeSystemctl = "#!/bin/sh\necho systemctl \"$@\" >> $(dirname \"$0\")/calls\n"

const fakeShutdown = "#!/bin/sh\necho shutdown \"$@\" >> $(dirname \"$0\")/calls\ntest ! -e $(dirname \"$0\")/refuse || { echo not permitted >&2; exit 1; }\n"

// programs is a folder of fakes, the only one in PATH before the system's own.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		write(t, filepath.Join(dir, name), text, 0o755)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRestart(t *testing.T) {
	dir := programs(t, map[string]string{"crontab": fakeCrontab, "shutdown": fakeShutdown})
	table := filepath.Join(dir, "table")
	write(t, table, "# mine\n0 4 * * * backup", 0o600) // no line feed at the end
	c := Command{Args: []string{"/usr/bin/awstoe", "run", "-d", "it's 100%.yml"}, Dir: "/srv", State: "/var/a b/state.json"}
	for range 2 { // one entry, however often
		if err := Restart(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	other := c
	other.State = "/var/other/state.json"
	if err := Restart(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	line := `@reboot cd '/srv' && test -e '/var/%s/state.json' && exec '/usr/bin/awstoe' 'run' '-d' 'it'\''s 100\%%.yml' # component documents of /var/%[1]s/state.json` + "\n"
	want := "# mine\n0 4 * * * backup\n" + fmt.Sprintf(line, "a b") + fmt.Sprintf(line, "other")
	if diff := cmp.Diff(want, read(t, table)); diff != "" {
		t.Errorf("crontab (-want +got):\n%s", diff)
	}
	if got, want := read(t, filepath.Join(dir, "calls")), strings.Repeat("shutdown -r now\n", 3); got != want {
		t.Errorf("calls = %q, want %q", got, want)
	}
	for _, state := range []string{c.State, other.State, "/never/was"} {
		if err := Remove(t.Context(), state); err != nil {
			t.Error(err)
		}
	}
	if got, want := read(t, table), "# mine\n0 4 * * * backup\n"; got != want {
		t.Errorf("crontab after Remove = %q, want %q", got, want)
	}
}

// TestRestartEndsItsCaller ends who asks for the restart, and the program that
// asks, before there is an answer: the entry for the next start stays.
func TestRestartEndsItsCaller(t *testing.T) {
	dir := programs(t, map[string]string{"crontab": fakeCrontab})
	ctx, cancel := context.WithCancel(t.Context())
	write(t, filepath.Join(dir, "shutdown"), "#!/bin/sh\ntouch "+filepath.Join(dir, "asked")+"\nsleep 0.2\nkill -TERM $$\n", 0o755)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "asked")); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := Restart(ctx, Command{Args: []string{"/bin/true"}, Dir: "/", State: "/s"}); err != nil {
		t.Errorf("Restart = %v, want none: the system is going down", err)
	}
	if ctx.Err() == nil {
		t.Error("the caller was not ended in the middle of it")
	}
	if table := read(t, filepath.Join(dir, "table")); !strings.Contains(table, "/bin/true") {
		t.Errorf("the entry for the next start is gone: %q", table)
	}
	cancel()
}

func TestRestartThatFails(t *testing.T) {
	dir := programs(t, map[string]string{"crontab": fakeCrontab, "shutdown": fakeShutdown})
	c := Command{Args: []string{"/bin/true"}, Dir: "/", State: "/s"}
	write(t, filepath.Join(dir, "refuse"), "", 0o600)
	if err := Restart(t.Context(), c); err == nil || !strings.Contains(err.Error(), "not permitted") {
		t.Errorf("Restart = %v, want what shutdown said", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "table")); !os.IsNotExist(err) {
		t.Errorf("the table that was not there before is left: %v", err)
	}
	write(t, filepath.Join(dir, "table"), "* * * * * mine\n", 0o600)
	write(t, filepath.Join(dir, "table.broken"), "", 0o600)
	if err := Restart(t.Context(), c); err == nil || !strings.Contains(err.Error(), "cannot read the spool") {
		t.Errorf("Restart = %v, want what crontab said", err)
	}
	if got := read(t, filepath.Join(dir, "table")); got != "* * * * * mine\n" {
		t.Errorf("a table that could not be read became %q", got)
	}
	c.Dir = "/a\nb"
	if err := (crontab{filepath.Join(dir, "crontab")}).add(t.Context(), c); err == nil || !strings.Contains(err.Error(), "made of lines") {
		t.Errorf("add of a name with a line feed = %v", err)
	}
}

// TestCronLineIsOneCommand has a shell run what cron would run.
func TestCronLineIsOneCommand(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	write(t, state, "", 0o600)
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(rapid.StringMatching(`[ -~äß☃]{0,12}`), 1, 5).Draw(t, "args")
		line, err := cronLine(Command{Args: append([]string{"/usr/bin/printf", `%s\n`}, args...), Dir: dir, State: state})
		if err != nil {
			t.Fatal(err)
		}
		command := strings.ReplaceAll(strings.TrimPrefix(line, "@reboot "), `\%`, "%") // as cron does
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		if want := strings.Join(args, "\n") + "\n"; err != nil || string(out) != want {
			t.Fatalf("%s\nprinted %q, %v; want %q", line, out, err, want)
		}
	})
}

func TestNothingRunsWithoutItsState(t *testing.T) {
	line, err := cronLine(Command{Args: []string{"/bin/echo", "hi"}, Dir: "/", State: "/no/such/state"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/bin/sh", "-c", strings.TrimPrefix(line, "@reboot ")).CombinedOutput(); err == nil || len(out) > 0 {
		t.Errorf("printed %q, %v", out, err)
	}
}

func TestUnit(t *testing.T) {
	dir := programs(t, map[string]string{"systemctl": fakeSystemctl})
	units := t.TempDir()
	s := systemd{units, filepath.Join(dir, "systemctl")}
	c := Command{Args: []string{"/opt/my tools/awstoe", "run", `a"b\c $HOME 100%` + "\n"}, Dir: "/srv/50%", State: "/var/state.json"}
	if err := s.add(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	text := read(t, s.path(c.State))
	for _, want := range []string{
		`ExecStart="/opt/my tools/awstoe" "run" "a\"b\\c $$HOME 100%%\n"` + "\n",
		"ConditionPathExists=/var/state.json\n", "WorkingDirectory=/srv/50%%\n", "WantedBy=multi-user.target\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the unit lacks %q:\n%s", want, text)
		}
	}
	for range 2 { // the second time there is nothing to do
		if err := s.remove(t.Context(), c.State); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Base(s.path(c.State))
	if got, want := read(t, filepath.Join(dir, "calls")), "systemctl enable "+name+"\nsystemctl disable "+name+"\n"; got != want {
		t.Errorf("calls = %q, want %q", got, want)
	}
	if left, err := os.ReadDir(units); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	c.State = "/a\nb"
	if err := s.add(t.Context(), c); err == nil {
		t.Error("a unit took a name with a line feed")
	}
}
