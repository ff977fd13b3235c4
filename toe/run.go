package toe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/module"
)

// Options are what a run needs besides its request.
type Options struct {
	// Observer, if set, gets every line of console.log in order. The run
	// waits for it.
	Observer func(Event)
	// Restart restarts the machine of a run that is not handed over, and
	// makes it call Run again afterwards. nil: such a run fails when a
	// document asks for a reboot, before its first step if that can be seen.
	Restart func(context.Context, Request) error
	Blocked []string         // modules that documents must not use
	Now     func() time.Time // nil: time.Now
}

// Interrupted reports whether Run would go on with an earlier run instead of
// starting the documents of the request.
func Interrupted(req Request) (bool, error) {
	req, err := complete(req)
	if err != nil {
		return false, err
	}
	found, err := loadState(req.StateDirectory)
	return found != nil, err
}

// StateFile is the file with the state of a request's run while the machine
// restarts.
func StateFile(req Request) (string, error) {
	req, err := complete(req)
	return statePath(req.StateDirectory), err
}

// Run executes the documents of a request, or goes on with the run whose
// state is in its state directory. The outcome of the documents is in the
// Result; an error means that the executor itself could not do its work, or
// that ctx ended. With Result.Reboot the run is not over: the machine must
// restart and Run be called again with the same request.
func Run(ctx context.Context, req Request, o Options) (Result, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s, err := open(req, o)
	if err != nil {
		return Result{}, err
	}
	result, err := s.run(ctx)
	return result, errors.Join(err, s.console.failure(), s.close())
}

// session is one call of Run: what the run and those nested in it share. What
// must survive a reboot is in saved.
type session struct {
	options     Options
	saved       state
	resumed     bool
	console     *console
	log         *slog.Logger // application.log
	mask        *mask        // of secrets, in all that is written
	files       []io.Closer
	environment environment
	env         []string // environment for processes
	cloud       *cloud.Client
	stream      *cloud.LogStream // nil: nobody asked for one
	scripts     module.Scripts
	rebootCode  int // that the run pauses with
	recording   recording
}

// open starts a run or takes up the one in the state directory.
func open(req Request, o Options) (*session, error) {
	req, err := complete(req)
	if err != nil {
		return nil, err
	}
	found, err := loadState(req.StateDirectory)
	if err != nil {
		return nil, err
	}
	s := &session{options: o, resumed: found != nil, mask: &mask{}}
	if s.resumed {
		s.saved = *found
		s.saved.Run.Request.HandOffReboot = req.HandOffReboot
	} else {
		s.saved = newState(req, o.Now())
	}
	s.environment = newEnvironment(s.saved.Run.Request.Environment)
	s.env = s.environment.list()
	s.cloud = cloud.New(s.environment.lookup)
	if err := s.openLogs(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

var executionID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`) // it is part of a file name

// complete fills in the defaults and makes every path absolute.
func complete(req Request) (Request, error) {
	if req.ExecutionID == "" {
		req.ExecutionID = newUUID()
	}
	if !executionID.MatchString(req.ExecutionID) {
		return req, fmt.Errorf("execution id %q: use at most 128 letters, digits, dots, - and _", req.ExecutionID)
	}
	if req.StateDirectory == "" {
		req.StateDirectory = filepath.Join(req.LogDirectory, ".state")
	}
	for _, p := range []*string{&req.LogDirectory, &req.StateDirectory, &req.WorkingDirectory} {
		abs, err := filepath.Abs(*p) // empty: the current directory
		if err != nil {
			return req, fmt.Errorf("finding %s: %w", *p, err)
		}
		*p = abs
	}
	return req, req.completeStream()
}

func newState(req Request, now time.Time) state {
	folder := fmt.Sprintf("TOE_%s_UTC-0_%s", now.UTC().Format("2006-01-02_15-04-05"), req.ExecutionID)
	return state{
		Version: stateVersion, LogFolder: filepath.Join(req.LogDirectory, folder),
		Record: newRunRecord(req.ExecutionID, now), Run: newProgress(req),
	}
}

// openLogs makes the log folder with the documents, or adds to it after a
// reboot.
func (s *session) openLogs() error {
	if err := os.MkdirAll(s.saved.LogFolder, 0o700); err != nil {
		return fmt.Errorf("creating log folder: %w", err)
	}
	for i, d := range s.saved.Run.Request.Documents {
		name := "document.yaml"
		if i > 0 {
			name = fmt.Sprintf("document-%d.yaml", i+1)
		}
		if err := s.writeLog(name, bytesOf(d.Data)); err != nil {
			return err
		}
	}
	application, err := s.openLog("application.log")
	if err != nil {
		return err
	}
	s.log = slog.New(slog.NewTextHandler(application, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: s.mask.attribute}))
	file, err := s.openLog("console.log")
	if err != nil {
		return err
	}
	s.console = &console{file: file, observe: s.observer(), now: s.options.Now, mask: s.mask}
	return nil
}

func (s *session) openLog(name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.saved.LogFolder, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	s.files = append(s.files, f)
	return f, nil
}

// writeLog replaces a file of the log folder.
func (s *session) writeLog(name string, write func(*bufio.Writer) error) error {
	if err := replaceFile(filepath.Join(s.saved.LogFolder, name), write); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func bytesOf(data []byte) func(*bufio.Writer) error {
	return func(w *bufio.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

func (s *session) close() error {
	errs := []error{s.scripts.Close()}
	if s.stream != nil {
		_ = s.stream.Close() // deliver has reported the error
	}
	s.cloud.Close()
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// run executes the documents and ends the run unless it pauses for a reboot.
// A run that could not write what it must is no success.
func (s *session) run(ctx context.Context) (Result, error) {
	s.log.Info("run starts", "executionId", s.saved.Run.Request.ExecutionID, "resumed", s.resumed)
	r := &run{session: s, state: &s.saved.Run, record: s.saved.Record}
	next, err := r.perform(ctx)
	if err == nil && next == restart {
		var result Result
		if result, err = s.restart(ctx); err == nil {
			return result, nil
		}
	}
	if err != nil {
		r.record.FailureMessage = err.Error()
	}
	result := r.finish()
	endErr := errors.Join(s.end(result), s.deliver(ctx, &result), s.saved.remove())
	if err != nil || endErr != nil {
		result.Status = statusFailed
	}
	return result, errors.Join(err, endErr)
}

// end writes the last lines of the logs.
func (s *session) end(result Result) error {
	s.console.at("", "", "")
	s.console.Printf(module.Info, "Executor: FINISHED EXECUTION OF ALL DOCUMENTS")
	if result.Failure != nil {
		s.console.Printf(module.Info, "%s", s.failureBlock(result.Failure))
	}
	if result.Status == statusFailed {
		s.console.Printf(module.Error, "TOE has completed execution with failure - Execution failed!")
	} else {
		s.console.Printf(module.Info, "TOE has completed execution successfully")
	}
	return s.updateRecord()
}

// failureBlock describes the first failed step (§12.3).
func (s *session) failureBlock(f *Failure) string {
	name := f.Document
	for _, d := range s.saved.Record.Documents {
		if d.FilePath == f.Document && d.Name != "" {
			name = d.Name
			break
		}
	}
	lines := []string{"  Document: " + name}
	if strings.HasPrefix(f.Document, "arn:") {
		lines = append(lines, "  ComponentArn: "+f.Document)
	}
	lines = append(lines, "  Phase: "+f.Phase, "  Step: "+f.Step, "  Action: "+f.Action)
	if f.Message != "" {
		lines = append(lines, "  ErrorMessage: "+f.Message)
	}
	if stderr := s.saved.Run.Stderr; stderr != "" {
		lines = append(lines, "  Stderr: "+strings.TrimRight(stderr, "\n"))
	}
	return strings.Join(lines, "\n")
}
