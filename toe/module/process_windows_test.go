package module_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

func TestWindowsExecuteBinary(t *testing.T) {
	env := standIn(t, "say.exe", "print")
	folder := filepath.SplitList(env[len(env)-1])[0][len("Path="):]
	tests := []struct{ name, dir, path string }{
		{"a name without its extension", t.TempDir(), "say"},
		{"a name", t.TempDir(), "say.exe"},
		{"relative, with a slash", filepath.Dir(folder), filepath.Base(folder) + "/say"},
		{"from the root of the drive", t.TempDir(), filepath.ToSlash(folder)[len("C:"):] + "/say.exe"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &module.Call{Dir: test.dir, Env: env, Inputs: []module.Values{
				{"path": test.path, "arguments": []string{"a b", `c"d\`, "%PATH%", "*"}},
			}}
			out, _, err := runModule(t, "ExecuteBinary", c)
			want := []module.Values{{"stdout": `a b|c"d\|%PATH%|*`}}
			if diff := cmp.Diff(want, out); diff != "" || err != nil {
				t.Errorf("error %v, outputs (-want +got)\n%s", err, diff)
			}
		})
	}
}

// A child that a program leaves behind lives on, and does not hold up the step
// for longer than its output is waited for.
func TestWindowsBackgroundChild(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "sign")
	c := &module.Call{Env: standIn(t, "parent.exe", "parent"), Inputs: []module.Values{
		{"path": "parent", "arguments": []string{sign}},
	}}
	begin := time.Now()
	out, _, err := runModule(t, "ExecuteBinary", c)
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("the step took %s", took)
	}
	if diff := cmp.Diff([]module.Values{{"stdout": "started"}}, out); diff != "" || err != nil {
		t.Errorf("error %v, outputs (-want +got)\n%s", err, diff)
	}
	if !held(sign) {
		t.Error("the child ended with its parent")
	}
	write(t, sign+".end", "")
	waitUntil(t, "the child ends", func() bool { return !held(sign) })
}

// At the end of its time a program goes with all it has started.
func TestWindowsTimeoutEndsTheTree(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "sign")
	ctx, cancel := context.WithCancelCause(t.Context())
	tooLong := errors.New("too long")
	c := &module.Call{
		Dir: t.TempDir(), Console: &console{}, Env: standIn(t, "parent.exe", "waiting parent"),
		Inputs: []module.Values{{"path": "parent", "arguments": []string{sign}}},
	}
	ended := make(chan error)
	go func() {
		_, err := module.Find("ExecuteBinary").Run(ctx, c)
		ended <- err
	}()
	waitUntil(t, "the child runs", func() bool { return held(sign) })
	cancel(tooLong)
	if err := <-ended; !errors.Is(err, tooLong) {
		t.Errorf("error %v, want %v", err, tooLong)
	}
	waitUntil(t, "the child is gone", func() bool { return !held(sign) })
}

// What a killed executor had under way goes with it.
func TestWindowsDeathOfTheExecutorEndsTheTree(t *testing.T) {
	sign := filepath.Join(t.TempDir(), "sign")
	executor := exec.Command(os.Args[0], sign)
	executor.Env = append(standIn(t, "parent.exe", "waiting parent"), roleVariable+"=executor")
	if err := executor.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the child runs", func() bool { return held(sign) })
	if err := executor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	executor.Wait() // tells that it was killed
	waitUntil(t, "the child is gone", func() bool { return !held(sign) })
}

// held reports whether a file is there and open somewhere.
func held(path string) bool {
	err := os.Remove(path)
	return err != nil && !errors.Is(err, os.ErrNotExist)
}

// waitUntil polls: no other process tells when a file of its is closed.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
