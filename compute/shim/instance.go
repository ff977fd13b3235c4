package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/guest"
)

const (
	maxState    = 64 << 10
	askAgain    = 5 * time.Millisecond
	killTimeout = 30 * time.Second // for the guest to die and its disk to be flushed
)

// instance is the client of one shim. It keeps no connection of its own.
type instance struct {
	host    *Host
	id      string
	dir     string
	runtime string
}

func (i *instance) ID() string { return i.id }

// State asks the shim, or its folder when it has ended.
func (i *instance) State(ctx context.Context) (compute.State, error) {
	s, err := i.ask(ctx, "GET", "/shim/state")
	if err == nil {
		return s, nil
	}
	return i.settled(ctx, err)
}

// Wait returns the final state.
func (i *instance) Wait(ctx context.Context) (compute.State, error) {
	for {
		s, err := i.ask(ctx, "GET", "/shim/wait")
		if err != nil {
			s, err = i.settled(ctx, err)
		}
		if err != nil || s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed {
			return s, err
		}
		if err := pause(ctx); err != nil {
			return s, err
		}
	}
}

// Agent waits until the guest's agent answers.
func (i *instance) Agent(ctx context.Context) (*guest.Client, error) {
	t := guest.Transport(i.dial)
	c := guest.NewClient(t, func() error { t.CloseIdleConnections(); return nil })
	for {
		_, helloErr := c.Hello(ctx)
		if helloErr == nil {
			return c, nil
		}
		s, err := i.State(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("waiting for the agent of %s: %w", i.id, err)
		case s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed:
			return nil, fmt.Errorf("waiting for the agent of %s: the instance is %s%s", i.id, s.Phase, because(s))
		}
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("waiting for the agent of %s: %w", i.id, errors.Join(err, helloErr))
		}
	}
}

func because(s compute.State) string {
	if s.Reason == "" {
		return ""
	}
	return ": " + s.Reason
}

// Stop asks for a power-off and waits for its end.
func (i *instance) Stop(ctx context.Context, grace time.Duration) (compute.State, error) {
	for {
		_, err := i.ask(ctx, "POST", "/shim/stop?grace="+url.QueryEscape(grace.String()))
		if err == nil {
			break
		}
		s, err := i.settled(ctx, err)
		if err != nil || s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed {
			return s, err
		}
		if err := pause(ctx); err != nil { // it is starting and does not listen yet
			return s, fmt.Errorf("stopping %s: %w", i.id, err)
		}
	}
	s, err := i.Wait(ctx)
	if err != nil {
		return s, fmt.Errorf("stopping %s: %w", i.id, err)
	}
	return s, nil
}

// Destroy kills, and removes the folders and the overlay.
func (i *instance) Destroy(ctx context.Context) error {
	var o order
	err := readWhole(filepath.Join(i.dir, specFile), &o)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destroying %s: %w", i.id, err)
	}
	if err := i.end(ctx); err != nil {
		return fmt.Errorf("destroying %s: %w", i.id, err)
	}
	errs := []error{i.reap(ctx)}
	if o.Spec.Disk != "" {
		errs = append(errs, disk.RemoveOverlay(o.Spec.Disk))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("destroying %s: %w", i.id, err) // the order stays for the next try
	}
	if err := os.RemoveAll(i.dir); err != nil {
		return fmt.Errorf("destroying %s: %w", i.id, err)
	}
	return nil
}

// end kills the guest through the shim, and the shim itself when that does not help.
func (i *instance) end(ctx context.Context) error {
	live, err := alive(i.dir)
	if err != nil || !live {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if _, err = i.ask(bounded, "POST", "/shim/kill"); err == nil {
		err = i.gone(bounded)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	var p process
	if err := readWhole(filepath.Join(i.dir, pidFile), &p); err != nil {
		return fmt.Errorf("finding its shim: %w", err)
	}
	if err := p.kill(); err != nil {
		return err
	}
	last, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	return i.gone(last)
}

// gone waits until no shim holds the lock.
func (i *instance) gone(ctx context.Context) error {
	for {
		live, err := alive(i.dir)
		if err != nil || !live {
			return err
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for the end of its shim: %w", err)
		}
	}
}

// settled explains a shim that did not answer: it has ended, or it is about to
// answer or to end.
func (i *instance) settled(ctx context.Context, askErr error) (compute.State, error) {
	if ctx.Err() != nil {
		return compute.State{}, context.Cause(ctx)
	}
	live, err := alive(i.dir)
	if err != nil {
		return compute.State{}, err
	}
	if !live {
		return i.ended(ctx)
	}
	var s compute.State
	if err := readWhole(filepath.Join(i.dir, stateFile), &s); err != nil {
		return s, errors.Join(askErr, err)
	}
	if s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed {
		return s, i.gone(ctx) // final, and the process is leaving
	}
	return s, nil
}

// ended returns the last state of an instance without a shim. One that was
// killed could not tidy up: that is done here.
func (i *instance) ended(ctx context.Context) (compute.State, error) {
	var s compute.State
	err := readWhole(filepath.Join(i.dir, stateFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("instance %s: %w", i.id, compute.ErrGone)
	}
	if err != nil || s.Phase == compute.PhaseOff || s.Phase == compute.PhaseCrashed {
		return s, err
	}
	s.Phase, s.Reason = compute.PhaseCrashed, "its shim was killed"
	if err := i.reap(ctx); err != nil {
		return s, fmt.Errorf("tidying up after %s: %w", i.id, err)
	}
	if err := writeWhole(filepath.Join(i.dir, stateFile), s); err != nil {
		return s, fmt.Errorf("saving the state of %s: %w", i.id, err)
	}
	return s, nil
}

// reap removes what a shim that was killed left behind.
func (i *instance) reap(ctx context.Context) error {
	var err error
	if i.host.Reap != nil {
		err = i.host.Reap(ctx, i.id)
	}
	return errors.Join(err, os.RemoveAll(i.runtime))
}

// ask sends a control request; a POST has no answer.
func (i *instance) ask(ctx context.Context, method, path string) (compute.State, error) {
	var s compute.State
	req, err := http.NewRequestWithContext(ctx, method, "http://shim"+path, nil)
	if err != nil {
		return s, err
	}
	t := guest.Transport(i.dial)
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	if err != nil {
		return s, fmt.Errorf("asking the shim of %s: %w", i.id, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxState))
	switch {
	case err != nil:
		return s, fmt.Errorf("asking the shim of %s: %w", i.id, err)
	case res.StatusCode != http.StatusOK:
		return s, fmt.Errorf("asking the shim of %s: %s", i.id, text)
	case method == "POST":
		return s, nil
	}
	return s, json.Unmarshal(text, &s)
}

func (i *instance) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(i.runtime, socketFile))
}

// pause lets a moment pass between two questions.
func pause(ctx context.Context) error {
	select {
	case <-time.After(askAgain):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
