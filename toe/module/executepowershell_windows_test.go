package module_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

const powerShellOptions = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File"

func TestWindowsPowerShellCommands(t *testing.T) {
	c := &module.Call{
		Env:    standIn(t, "powershell.exe", "powershell"),
		Inputs: []module.Values{{"commands": []string{"$a = 'ü'", "$a"}}},
	}
	out, said, err := runModule(t, "ExecutePowerShell", c)
	want := []module.Values{{"stdout": "fake PowerShell: " + powerShellOptions + "\n" + `"\ufeff$a = 'ü'\n$a\n" []`}}
	if diff := cmp.Diff(want, out); diff != "" || err != nil {
		t.Errorf("error %v, outputs (-want +got)\n%s", err, diff)
	}
	_, dir, _ := strings.Cut(said, "ExecutePowerShell: Created temporary directory: ")
	dir, _, _ = strings.Cut(dir, "\n")
	if _, err := os.Stat(dir); dir == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %q of the script: %v, want it gone", dir, err)
	}
}

func TestWindowsPowerShellFile(t *testing.T) {
	c := &module.Call{
		Dir: t.TempDir(), Env: standIn(t, "powershell.exe", "powershell", "FAKE_EXIT_1=7"),
		Inputs: []module.Values{{"file": "sub/a b.ps1"}},
	}
	write(t, filepath.Join(c.Dir, "sub", "a b.ps1"), "text")
	out, said, err := runModule(t, "ExecutePowerShell", c)
	want := []module.Values{{"stdout": "fake PowerShell: " + powerShellOptions + "\n" + `"text" []`}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("outputs (-want +got)\n%s", diff)
	}
	if err == nil || err.Error() != "exit status 7" || !strings.Contains(said, "CmdExecution: ExitCode 7") {
		t.Errorf("error %v, said %s", err, said)
	}
	c.Inputs[0]["file"] = "none.ps1"
	if _, _, err := runModule(t, "ExecutePowerShell", c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestWindowsPowerShellReboot(t *testing.T) {
	c := &module.Call{
		Env:    standIn(t, "powershell.exe", "powershell", "FAKE_EXIT_1=3010"),
		Inputs: []module.Values{{"commands": []string{"exit 3010"}}},
	}
	_, _, err := runModule(t, "ExecutePowerShell", c)
	wantReboot(t, err, module.Reboot{Again: true, Code: 3010})
}

func wantReboot(t *testing.T, err error, want module.Reboot) {
	t.Helper()
	var reboot *module.Reboot
	if !errors.As(err, &reboot) || *reboot != want {
		t.Errorf("error %#v, want %+v", err, want)
	}
}

func TestWindowsUpdate(t *testing.T) {
	const id1, id2 = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	found := `[{"id":"` + id1 + `","title":"One","kb":["1"]},{"id":"` + id2 + `","title":"Two","kb":["2"]}]`
	c := &module.Call{
		Dir:    t.TempDir(),
		Inputs: []module.Values{{"include": []string{"KB1", "T*"}, "exclude": []string{"KB3"}}},
	}
	calls := "FAKE_CALLS=" + filepath.Join(c.Dir, "calls")

	t.Run("until nothing is left", func(t *testing.T) {
		c.Env = standIn(t, "powershell.exe", "powershell", calls+"1", "FAKE_OUTPUT_1="+found, "FAKE_OUTPUT_3=[]")
		_, said, err := runModule(t, "UpdateOS", c)
		installed := `["` + id1 + `" "` + id2 + `"]`
		if err != nil || !strings.Contains(said, installed) || !strings.Contains(said, "UpdateOS: installing One") {
			t.Errorf("error %v, said %s, want %s in it", err, said, installed)
		}
	})
	t.Run("the same again and again", func(t *testing.T) {
		c.Env = standIn(t, "powershell.exe", "powershell", calls+"2", "FAKE_OUTPUT_1="+found, "FAKE_OUTPUT_3="+found)
		_, said, err := runModule(t, "UpdateOS", c)
		if err != nil || !strings.Contains(said, "Two is offered again") {
			t.Errorf("error %v, said %s", err, said)
		}
	})
	t.Run("restart", func(t *testing.T) {
		c.Env = standIn(t, "powershell.exe", "powershell", calls+"3", "FAKE_OUTPUT_1="+found, "FAKE_EXIT_2=3010")
		_, _, err := runModule(t, "UpdateOS", c)
		wantReboot(t, err, module.Reboot{Again: true, Code: 3010})
	})
	t.Run("no list", func(t *testing.T) {
		c.Env = standIn(t, "powershell.exe", "powershell", calls+"4", "FAKE_OUTPUT_1=oops")
		if _, _, err := runModule(t, "UpdateOS", c); err == nil || !strings.HasPrefix(err.Error(), "reading the list of updates") {
			t.Errorf("error %v", err)
		}
	})
}
