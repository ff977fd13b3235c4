//go:build !linux

package module

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

func newPipe() (r, w *os.File, err error) { return os.Pipe() }

// follow hands on what a started program prints and waits for its end. At the
// end of ctx it ends the program and its descendants and returns the reason.
func (p *pipes) follow(ctx context.Context, cmd *exec.Cmd, tree *processTree) error {
	done := make(chan struct{}, len(p.ours))
	for i, r := range p.ours {
		go func() {
			p.sinks[i].readFrom(r)
			done <- struct{}{}
		}()
	}
	err := waitTree(ctx, cmd, tree)
	// A background child may hold a pipe open for ever.
	timer := time.AfterFunc(pipeDelay, p.closeOurs) // ends a read under way, and pipes of Windows take no deadline
	defer timer.Stop()
	for range p.ours {
		<-done
	}
	return err
}

// readFrom ends with the pipe: at its end, when it is cut off or at any read
// error there is nothing more to log.
func (s *lineSink) readFrom(r *os.File) {
	buffer := chunks.Get().(*[maxLine]byte)
	defer chunks.Put(buffer)
	for s.read(r, buffer[:]) {
	}
}

// waitTree waits for the program. At the end of ctx it ends the program and
// its descendants and returns the reason.
func waitTree(ctx context.Context, cmd *exec.Cmd, tree *processTree) error {
	if err := tree.started(cmd); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	defer tree.release()
	var err error
	exited := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(exited)
	}()
	select {
	case <-exited:
		return err
	case <-ctx.Done():
	}
	tree.end(exited, killDelay)
	<-exited
	return errors.Join(context.Cause(ctx), ignoreExit(err))
}
