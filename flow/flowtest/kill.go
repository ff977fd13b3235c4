package flowtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childVariable makes the test program the process that is killed: it names
// the folder of the store and the action to hold.
const childVariable = "INGOT_FLOWTEST_CHILD"

// Main runs the tests, or the process that a test kills.
func Main(m *testing.M, s Suite) int {
	if text := os.Getenv(childVariable); text != "" {
		hold, dir, _ := strings.Cut(text, " ")
		fmt.Println("error:", child(s, dir, hold))
		return 1
	}
	return m.Run()
}

// child starts the example and says "held" when it stands in the step. It
// returns only what keeps it from getting there.
func child(s Suite, dir, hold string) error {
	w := newWorld(dir, hold)
	e, _, err := s.Open(dir, w.program())
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := e.Start(ctx, "run", "example", nil); err != nil {
		return err
	}
	if err := e.Signal(ctx, "run", "answer", "yes"); err != nil {
		return err
	}
	<-w.held
	fmt.Println("held")
	select {}
}

// testKill kills a process with kill -9 in each step of its run.
func testKill(t *testing.T, s Suite) {
	eachAction(t, func(t *testing.T, action string) {
		b := newBench(t, s)
		killIn(t, b.dir, action)
		w := newWorld(b.dir, "")
		b.open(w.program())
		wantExample(b, w, action)
	})
}

// killIn runs a child until it stands in an action, and kills it.
func killIn(t *testing.T, dir, action string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+action+" "+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Errorf("the child said %q (%v)", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}
