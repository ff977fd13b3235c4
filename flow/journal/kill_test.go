package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"modernc.org/sqlite"

	"ingot.dev/ingot/flow"
)

// These make the test program a process that runs everyCall in a folder, and
// kills itself at its nth commit, before that is written.
const (
	killDir = "INGOT_TEST_JOURNAL"
	killAt  = "INGOT_TEST_JOURNAL_KILL"
)

// everyCall makes each kind of write that a run makes.
func everyCall(ctx flow.Context, _ json.RawMessage) error {
	var answer string
	err := errors.Join(
		ctx.Step("a:first", "", nil, nil),
		ctx.State("begun"),
		ctx.Wait("answer", time.Hour, &answer))
	if late := ctx.Wait("late", time.Millisecond, nil); !errors.Is(late, flow.ErrTimeout) {
		err = errors.Join(err, late)
	}
	raced := ctx.Group(
		func(ctx flow.Context) error { return ctx.Step("fail", "", nil, nil) },
		func(ctx flow.Context) error { return ctx.Wait("never", time.Hour, nil) })
	var failed *flow.Error
	if !errors.As(raced, &failed) {
		err = errors.Join(err, raced)
	}
	return errors.Join(err, ctx.Detached(func(ctx flow.Context) error { return ctx.Step("a:"+answer, "", nil, nil) }))
}

// runEveryCall runs everyCall in a folder to its end.
func runEveryCall(dir string) error {
	db, err := openDB(dir, "OFF")
	if err != nil {
		return err
	}
	e := New(db)
	e.Log = slog.New(slog.DiscardHandler)
	e.Function("f", everyCall)
	e.Action("a", func(context.Context, json.RawMessage) (any, error) { return nil, nil })
	e.Action("fail", func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("no") })
	ctx := context.Background()
	if err := errors.Join(e.Open(ctx), e.Start(ctx, "run", "f", nil)); err != nil {
		return err
	}
	signalled := e.Signal(ctx, "run", "answer", "last")
	e.running.Wait()
	ended, err := e.Result(ctx, "run")
	if !ended {
		err = errors.Join(errors.New("the run has not ended"), err, signalled)
	}
	return errors.Join(err, e.Close(ctx), db.Close())
}

// countCommits calls killed before the nth commit of this process.
func countCommits(n int64, killed func()) *atomic.Int64 {
	var commits atomic.Int64
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			if commits.Add(1) == n {
				killed()
			}
			return 0
		})
		return nil
	})
	return &commits
}

// dieAtCommit is the process that is killed. It prints its number of commits
// if it comes to the end.
func dieAtCommit() error {
	n, err := strconv.ParseInt(os.Getenv(killAt), 10, 64)
	if err != nil {
		return err
	}
	commits := countCommits(n, func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	})
	if err := runEveryCall(os.Getenv(killDir)); err != nil {
		return err
	}
	fmt.Println(commits.Load())
	return nil
}

// commitUntil runs a process that dies before its nth commit; with 0 it comes
// to the end and says how many there were.
func commitUntil(t *testing.T, dir string, n int) (total int, killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir, killAt+"="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return 0, true
	}
	if err != nil {
		t.Fatal(err)
	}
	if total, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		t.Fatal(err)
	}
	return total, false
}

// TestKilledBeforeEveryWrite: between any two writes of the journal the
// process may end, those that make its tables included.
func TestKilledBeforeEveryWrite(t *testing.T) {
	total, _ := commitUntil(t, t.TempDir(), 0)
	if total < 15 {
		t.Fatalf("the run made %d commits; it has more calls", total)
	}
	for n := 1; n <= total; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if _, killed := commitUntil(t, dir, n); !killed && n < total { // the order of the group's may add one
				t.Errorf("the process was not killed at commit %d", n)
			}
			if err := runEveryCall(dir); err != nil {
				t.Error(err)
			}
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(left) > 4 { // the database, its two companions, the lock
				t.Errorf("there are %v, %v", left, err)
			}
		})
	}
}
