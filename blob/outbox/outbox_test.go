package outbox

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/dir"
)

// flaky is a store whose Put does something first.
type flaky struct {
	blob.Store
	before func() error
}

func (f flaky) Put(ctx context.Context, at blob.Location, file *os.File) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Store.Put(ctx, at, file)
}

func quiet(root string, store blob.Store) *Outbox {
	return New(Config{Dir: filepath.Join(root, "outbox"), Store: store, Log: slog.New(slog.DiscardHandler), Retry: time.Millisecond})
}

// parcel is a folder of two files.
func parcel(t *testing.T, root string) Parcel {
	t.Helper()
	folder := filepath.Join(root, "folder")
	for name, content := range map[string]string{"a.log": "a", "deep/b.log": "bb"} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return Parcel{Folder: folder, Bucket: "logs", Prefix: "web/1.0.0/1", Owner: "image", Added: time.Now()}
}

// runUntilEmpty runs an outbox until nothing waits.
func runUntilEmpty(t *testing.T, o *Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		o.Run(ctx)
		close(ended)
	}()
	for {
		files, err := o.files()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%q still wait", files)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	<-ended
}

func wantSent(t *testing.T, s blob.Store) {
	t.Helper()
	for key, want := range map[string]string{"web/1.0.0/1/a.log": "a", "web/1.0.0/1/deep/b.log": "bb"} {
		if got, err := s.Read(t.Context(), blob.Location{Bucket: "logs", Key: key}, 10); err != nil || string(got) != want {
			t.Errorf("object %s = %q, %v; want %q", key, got, err, want)
		}
	}
}

func TestTriedAgain(t *testing.T) {
	root := t.TempDir()
	store := dir.Store(filepath.Join(root, "objects"))
	var calls atomic.Int32
	o := quiet(root, flaky{store, func() error {
		if calls.Add(1) <= 3 {
			return errors.New("the server is away")
		}
		return nil
	}})
	if err := o.Add(parcel(t, root)); err != nil {
		t.Fatal(err)
	}
	o.sendAll(t.Context(), true)
	waiting, last, err := o.Waiting("image")
	if len(waiting) != 1 || last == nil || last.Error() != "the server is away" || err != nil {
		t.Errorf("Waiting = %v, %v, %v; want the parcel and why it waits", waiting, last, err)
	}
	if others, _, err := o.Waiting("other"); len(others) != 0 || err != nil {
		t.Errorf("Waiting of another = %v, %v", others, err)
	}
	runUntilEmpty(t, o)
	wantSent(t, store)
}

func TestGivenUp(t *testing.T) {
	root := t.TempDir()
	o := quiet(root, flaky{nil, func() error { return errors.New("no such bucket") }})
	p := parcel(t, root)
	p.Added = time.Now().Add(-o.Keep - time.Hour)
	if err := o.Add(p); err != nil {
		t.Fatal(err)
	}
	runUntilEmpty(t, o)
}

func TestFolderIsGone(t *testing.T) {
	root := t.TempDir()
	o := quiet(root, dir.Store(filepath.Join(root, "objects")))
	if err := o.Add(Parcel{Folder: filepath.Join(root, "gone"), Bucket: "logs", Added: time.Now()}); err != nil {
		t.Fatal(err)
	}
	runUntilEmpty(t, o)
}

// killRoot makes the test program a process that is killed in its second upload.
const killRoot = "INGOT_TEST_OUTBOX"

func TestMain(m *testing.M) {
	if root := os.Getenv(killRoot); root != "" {
		var calls atomic.Int32
		o := quiet(root, flaky{dir.Store(filepath.Join(root, "objects")), func() error {
			if calls.Add(1) == 2 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		}})
		o.Run(context.Background())
	}
	os.Exit(m.Run())
}

// TestKilled: a process that is killed in the middle leaves the rest to the next.
func TestKilled(t *testing.T) {
	root := t.TempDir()
	store := dir.Store(filepath.Join(root, "objects"))
	o := quiet(root, store)
	if err := o.Add(parcel(t, root)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), killRoot+"="+root)
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || ctx.Err() != nil || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended with %v, want it killed", err)
	}
	if waiting, _, err := o.Waiting("image"); len(waiting) != 1 || err != nil {
		t.Fatalf("after the kill there wait %v, %v", waiting, err)
	}
	runUntilEmpty(t, o)
	wantSent(t, store)
}
