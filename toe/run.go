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
	"slices"
	"strings"
	"time"

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

// Run executes the documents of a request, or goes on with the run whose
// state is in its state directory. The outcome of the documents is in the
// Result; an error means that the executor itself could not do its work, or
// that ctx ended. With Result.Reboot the run is not over: the machine must
// restart and Run be called again with the same request.
func Run(ctx context.Context, req Request, o Options) (Result, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r, err := open(req, o)
	if err != nil {
		return Result{}, err
	}
	result, err := r.run(ctx)
	return result, errors.Join(err, r.console.failure(), r.close())
}

// run is a run under way. What must survive a reboot is in state.
type run struct {
	options     Options
	state       state
	resumed     bool
	console     *console
	log         *slog.Logger // application.log
	files       []io.Closer
	environment environment
	env         []string // environment for processes
	documents   []*Document
	variables   []map[string]string // by document
	referenced  map[string]bool     // outputKeys of steps that later ones refer to
}

// open starts a run or takes up the one in the state directory.
func open(req Request, o Options) (*run, error) {
	req, err := complete(req)
	if err != nil {
		return nil, err
	}
	found, err := loadState(req.StateDirectory)
	if err != nil {
		return nil, err
	}
	r := &run{options: o, resumed: found != nil}
	if r.resumed {
		r.state = *found
		r.state.Request.HandOffReboot = req.HandOffReboot
	} else {
		r.state = newState(req, o.Now())
	}
	r.environment = newEnvironment(r.state.Request.Environment)
	r.env = r.environment.list()
	if err := r.openLogs(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
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
	return req, nil
}

func newState(req Request, now time.Time) state {
	folder := fmt.Sprintf("TOE_%s_UTC-0_%s", now.UTC().Format("2006-01-02_15-04-05"), req.ExecutionID)
	return state{
		Version: stateVersion, Request: req, LogFolder: filepath.Join(req.LogDirectory, folder), Step: stepState{Attempt: 1},
		Result:  Result{ExecutionID: req.ExecutionID},
		Record:  &runRecord{ExecutionID: req.ExecutionID, Status: statusRunning, StartTime: stamp(now)},
		Outputs: map[string][]module.Values{},
	}
}

// openLogs makes the log folder with the documents, or adds to it after a
// reboot.
func (r *run) openLogs() error {
	if err := os.MkdirAll(r.state.LogFolder, 0o700); err != nil {
		return fmt.Errorf("creating log folder: %w", err)
	}
	for i, d := range r.state.Request.Documents {
		name := "document.yaml"
		if i > 0 {
			name = fmt.Sprintf("document-%d.yaml", i+1)
		}
		if err := r.writeLog(name, bytesOf(d.Data)); err != nil {
			return err
		}
	}
	application, err := r.openLog("application.log")
	if err != nil {
		return err
	}
	r.log = slog.New(slog.NewTextHandler(application, &slog.HandlerOptions{Level: slog.LevelDebug}))
	file, err := r.openLog("console.log")
	if err != nil {
		return err
	}
	r.console = &console{file: file, observe: r.options.Observer, now: r.options.Now}
	return nil
}

func (r *run) openLog(name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(r.state.LogFolder, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	r.files = append(r.files, f)
	return f, nil
}

// writeLog replaces a file of the log folder.
func (r *run) writeLog(name string, write func(*bufio.Writer) error) error {
	if err := replaceFile(filepath.Join(r.state.LogFolder, name), write); err != nil {
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

func (r *run) close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// run checks everything, executes, and ends the run unless it pauses for a
// reboot. A run that could not write what it must is no success.
func (r *run) run(ctx context.Context) (Result, error) {
	r.log.Info("run starts", "executionId", r.state.Request.ExecutionID, "resumed", r.resumed)
	if why := r.prepare(); why != "" {
		return r.refuse(why)
	}
	next, err := r.execute(ctx)
	if err == nil && next == restart {
		err = r.saveForReboot()
		if err == nil {
			return r.restart(ctx)
		}
	}
	if err != nil {
		r.state.Record.FailureMessage = err.Error()
	}
	result, endErr := r.finish()
	if err != nil {
		result.Status = statusFailed
	}
	return result, errors.Join(err, endErr)
}

// prepare checks the documents and their parameters. It returns why the run
// must not begin.
func (r *run) prepare() string {
	var faults []string
	for _, d := range r.state.Request.Documents {
		doc, findings := Check(d.Data, CheckOptions{Path: d.Path})
		for _, f := range findings {
			r.log.Warn("check", "document", d.Path, "finding", f.String())
		}
		for _, f := range findings.Errors() {
			faults = append(faults, d.Path+":"+f.String())
		}
		if doc == nil {
			continue
		}
		values, bad := doc.bind(d.Parameters, r.state.Request.Parameters)
		faults = append(faults, bad...)
		r.documents, r.variables = append(r.documents, doc), append(r.variables, values)
	}
	faults = append(faults, r.blockedModules()...)
	if len(faults) == 0 {
		faults = r.rebootFaults()
	}
	r.referenced = referencedOutputs(r.documents)
	return strings.Join(faults, "\n")
}

func (r *run) blockedModules() []string {
	var faults []string
	for _, d := range r.documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				if slices.Contains(r.options.Blocked, s.Action) {
					faults = append(faults, fmt.Sprintf("%s: Action module '%s' is blocked", d.Path, s.Action))
				}
			}
		}
	}
	return faults
}

// bind gives the variables of a document their values (§3.1).
func (d *Document) bind(own, global map[string]string) (values map[string]string, faults []string) {
	values = map[string]string{}
	for _, c := range d.Constants {
		values[c.Name] = c.Value
	}
	for _, p := range d.Parameters {
		v, supplied := own[p.Name]
		if !supplied {
			v, supplied = global[p.Name]
		}
		if supplied && !p.allows(v) {
			faults = append(faults, fmt.Sprintf("%s: the value '%s' of parameter '%s' is not one of its allowedValues", d.Path, v, p.Name))
		}
		if !supplied && p.Default != nil {
			v = *p.Default
		}
		values[p.Name] = v // missing: empty, the service has refused it before
	}
	return values, faults
}

// refuse ends a run that must not begin.
func (r *run) refuse(why string) (Result, error) {
	r.console.Printf(module.Error, "%s", why)
	r.state.Result.FailureMessage = why
	r.state.Record.FailureMessage = why
	result, err := r.finish()
	result.Status = statusFailed
	return result, err
}

// finish writes the end of the run and removes its state.
func (r *run) finish() (Result, error) {
	failed := r.state.Record.FailureMessage != ""
	r.state.Record.finish(r.options.Now())
	if failed {
		r.state.Record.Status = statusFailed
	}
	r.console.at("", "", "")
	r.console.Printf(module.Info, "Executor: FINISHED EXECUTION OF ALL DOCUMENTS")
	if r.state.Result.Failure != nil {
		r.console.Printf(module.Info, "%s", r.failureBlock())
	}
	if r.state.Record.Status == statusFailed {
		r.console.Printf(module.Error, "TOE has completed execution with failure - Execution failed!")
	} else {
		r.console.Printf(module.Info, "TOE has completed execution successfully")
	}
	result := r.state.Result
	result.Status, result.FailureMessage = r.state.Record.Status, r.state.Record.FailureMessage
	result.LogURL = r.state.LogFolder
	return result, errors.Join(r.writeRecord(), r.state.remove())
}

func (r *run) writeRecord() error {
	return r.writeLog("detailedoutput.json", r.state.Record.write)
}

// failureBlock describes the first failed step (§12.3).
func (r *run) failureBlock() string {
	f := r.state.Result.Failure
	name := f.Document
	for i, d := range r.documents {
		if r.state.Request.Documents[i].Path == f.Document && d.Name != "" {
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
	if r.state.Stderr != "" {
		lines = append(lines, "  Stderr: "+strings.TrimRight(r.state.Stderr, "\n"))
	}
	return strings.Join(lines, "\n")
}

// selected reports whether the run includes a phase.
func (r *run) selected(phase string) bool {
	return len(r.state.Request.Phases) == 0 || slices.Contains(r.state.Request.Phases, phase)
}
