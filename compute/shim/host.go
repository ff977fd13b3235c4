package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"ingot.dev/ingot/compute"
)

// Host starts, finds and removes the shims of one kind: the server's half of a
// driver.
type Host struct {
	Kind    string
	Tag     string   // of the installation, short; part of every name made on the host
	Dir     string   // one folder per instance, on disk
	Runtime string   // one folder per instance, for sockets; short path, on tmpfs
	Command []string // the program that calls Main, and its arguments before DIR
	// Reap removes what a killed shim of an id may leave on the host; folders
	// aside. It must do nothing for what is not there.
	Reap func(ctx context.Context, id string) error
}

var instanceID = regexp.MustCompile(`^i-[0-9a-f]{17}$`)

// startTimeout bounds how long Machine.Open may take.
const startTimeout = 2 * time.Minute

// Launch starts a shim for spec, or adopts the one that lives. An instance of
// that id which has ended is started again on its disk. options become the
// machine's Place.Options.
func (h *Host) Launch(ctx context.Context, spec compute.Spec, options any) (compute.Instance, error) {
	if !instanceID.MatchString(spec.ID) {
		return nil, fmt.Errorf("launching instance %q: the id must be i- and 17 hex digits", spec.ID)
	}
	i := h.instance(spec.ID)
	live, err := alive(i.dir)
	if err != nil {
		return nil, fmt.Errorf("launching instance %s: %w", spec.ID, err)
	}
	if live {
		return i, nil
	}
	if err := h.prepare(ctx, i, spec, options); err != nil {
		return nil, fmt.Errorf("launching instance %s: %w", spec.ID, err)
	}
	if err := h.start(ctx, i); err != nil {
		return nil, fmt.Errorf("launching instance %s: %w", spec.ID, err)
	}
	return i, nil
}

// prepare writes the order into a folder without anything of an earlier life.
func (h *Host) prepare(ctx context.Context, i *instance, spec compute.Spec, options any) error {
	if err := i.reap(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(i.dir, stateFile)); err != nil {
		return err
	}
	opts, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("encoding the options: %w", err)
	}
	return writeWhole(filepath.Join(i.dir, specFile), order{
		Kind: h.Kind, Tag: h.Tag, Runtime: i.runtime, Spec: spec, Options: opts,
	})
}

// start runs the shim in a session of its own and waits until it holds the
// instance. When ctx ends first, the shim is killed.
func (h *Host) start(ctx context.Context, i *instance) error {
	log, err := os.OpenFile(filepath.Join(i.dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(h.Command[0], append(slices.Clone(h.Command[1:]), i.dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), readyVariable+"=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("starting %s: %w", h.Command[0], err)
	}
	go cmd.Wait() // takes the exit status, when this process lives to see it
	stop := context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Now()) })
	defer stop()
	r.SetReadDeadline(time.Now().Add(startTimeout))
	if word, err := io.ReadAll(io.LimitReader(r, 2)); string(word) != "ok" {
		return h.startFailed(ctx, i, cmd, err)
	}
	return nil
}

// startFailed says why a shim did not come up. Another server may have been
// quicker: then its shim is as good.
func (h *Host) startFailed(ctx context.Context, i *instance, cmd *exec.Cmd, readErr error) error {
	if readErr != nil { // too slow, or nobody wants it any more
		cmd.Process.Kill()
		return errors.Join(context.Cause(ctx), fmt.Errorf("waiting for its shim: %w", readErr))
	}
	if live, err := alive(i.dir); err == nil && live {
		return nil
	}
	s, err := i.ended(ctx)
	if err != nil {
		return fmt.Errorf("its shim ended at once; %s says why", filepath.Join(i.dir, logFile))
	}
	return errors.New(s.Reason)
}

// Adopt returns the instance of an id, live or ended, as long as it was not
// destroyed; else an error that Is compute.ErrGone.
func (h *Host) Adopt(_ context.Context, id string) (compute.Instance, error) {
	i := h.instance(id)
	_, err := os.Stat(filepath.Join(i.dir, specFile))
	if errors.Is(err, fs.ErrNotExist) || !instanceID.MatchString(id) {
		return nil, fmt.Errorf("adopting instance %s: %w", id, compute.ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("adopting instance %s: %w", id, err)
	}
	if !h.owns(id) { // another kind's driver shares the folder, and removes it properly
		return nil, fmt.Errorf("adopting instance %s: not of the kind %s: %w", id, h.Kind, compute.ErrGone)
	}
	return i, nil
}

// Sweep destroys every instance that is not in keep, and returns the ids that
// still have a folder: what else of this tag a driver finds on the host and is
// not in there may go, too.
func (h *Host) Sweep(ctx context.Context, keep []string) (have []string, err error) {
	entries, err := os.ReadDir(h.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sweeping instances: %w", err)
	}
	var errs []error
	for _, e := range entries {
		switch id := e.Name(); {
		case !instanceID.MatchString(id):
		case !h.owns(id):
			have = append(have, id)
		case slices.Contains(keep, id):
			have = append(have, id)
		default:
			if err := h.instance(id).Destroy(ctx); err != nil {
				errs = append(errs, err)
				have = append(have, id)
			}
		}
	}
	return have, errors.Join(errs...)
}

// owns tells whether an instance is of this kind: drivers may share a folder.
// A folder without an order was left by a kill in its first moments.
func (h *Host) owns(id string) bool {
	var o order
	err := readWhole(filepath.Join(h.Dir, id, specFile), &o)
	return err != nil || o.Kind == h.Kind
}

func (h *Host) instance(id string) *instance {
	return &instance{host: h, id: id, dir: filepath.Join(h.Dir, id), runtime: filepath.Join(h.Runtime, id)}
}
