package module_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/toe/module"
)

// roleVariable makes the test program another one.
const roleVariable = "INGOT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "powershell":
		os.Exit(fakePowerShell(os.Args[1:]))
	case "print":
		fmt.Print(strings.Join(os.Args[1:], "|"))
	case "parent":
		start("child", os.Args[1:]...)
		waitForFile(os.Args[1])
		fmt.Println("started")
	case "waiting parent":
		start("child", os.Args[1:]...)
		<-time.After(time.Minute)
	case "executor":
		c := &module.Call{Dir: ".", Console: &console{}, Env: append(os.Environ(), roleVariable+"=waiting parent")}
		c.Inputs = []module.Values{{"path": "parent", "arguments": os.Args[1:]}}
		module.Find("ExecuteBinary").Run(context.Background(), c)
	case "child":
		child(os.Args[1])
	}
}

// start starts this program in another role, with the same output.
func start(role string, args ...string) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

func waitForFile(path string) {
	for _, err := os.Stat(path); err != nil; _, err = os.Stat(path) {
		<-time.After(20 * time.Millisecond)
	}
}

// child says that it runs by holding a file open, which Windows lets nobody
// remove meanwhile. It ends when there is a second file, or after a minute.
func child(path string) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if _, err := os.Stat(path + ".end"); err == nil {
			return
		}
	}
}

// fakePowerShell stands in for Windows PowerShell, which Wine does not have. It
// runs nothing: it prints how it was called and what the script holds, or what
// FAKE_OUTPUT_<n> says at its n-th call, and ends with FAKE_EXIT_<n>.
func fakePowerShell(args []string) int {
	n := countCall(os.Getenv("FAKE_CALLS"))
	if output, ok := os.LookupEnv("FAKE_OUTPUT_" + n); ok {
		fmt.Println(output)
	} else {
		fmt.Println("fake PowerShell: " + strings.Join(args[:5], " "))
		script, err := os.ReadFile(args[5])
		if err != nil {
			fmt.Println(err)
			return 99
		}
		fmt.Printf("%q %q\n", script, args[6:])
	}
	code, _ := strconv.Atoi(os.Getenv("FAKE_EXIT_" + n))
	return code
}

// countCall counts in a file; without one every call is the first.
func countCall(path string) string {
	if path == "" {
		return "1"
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprint(f, ".")
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		panic(err)
	}
	calls, err := io.ReadAll(f)
	if err != nil {
		panic(err)
	}
	return strconv.Itoa(len(calls))
}

// standIn puts this program under a name into a folder of its own and returns
// the environment in which a module finds it.
func standIn(t *testing.T, name, role string, variables ...string) []string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), roleVariable+"="+role, "Path="+dir) // the last one wins, in any case
	return append(env, variables...)
}

// runModule runs a module with values as they come from a document.
func runModule(t *testing.T, name string, c *module.Call) ([]module.Values, string, error) {
	t.Helper()
	said := &console{}
	c.Console = said
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	out, err := module.Find(name).Run(t.Context(), c)
	return out, strings.Join(said.lines, "\n"), err
}
