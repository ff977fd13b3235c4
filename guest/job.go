package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"ingot.dev/ingot/toe"
)

const (
	maxRun     = 64 << 20 // a run's documents and parameters
	maxCommand = 1 << 20
	// Children that a command leaves behind may hold its output open; they are
	// not waited for longer.
	leftoverOutput = 2 * time.Second
)

var jobID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)

// job is a run or a command: something that goes on without its caller.
type job struct{ spool *spool }

// jobFor finds or opens the job, and tells whether the caller must start it.
// ended says from the latest event of an earlier process whether it is over.
func (s *Server) jobFor(kind, id string, ended func(last Event) bool) (*job, bool, error) {
	if !jobID.MatchString(id) {
		return nil, false, fmt.Errorf("id %q: must be 1 to 128 letters, digits, '.', '_' or '-'", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := kind + "-" + id
	if j, ok := s.jobs[key]; ok {
		return j, false, nil
	}
	dir := s.statePath(kind, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	sp, err := openSpool(filepath.Join(dir, "events"))
	if err != nil {
		return nil, false, err
	}
	j := &job{spool: sp}
	j.spool.ended = ended(sp.last)
	if s.jobs == nil {
		s.jobs = map[string]*job{}
	}
	s.jobs[key] = j
	return j, !j.spool.ended, nil
}

// run starts a run of documents, or attaches to it.
func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	var req Run
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRun)).Decode(&req); err != nil {
		refuse(w, fmt.Errorf("reading the run: %w", err))
		return
	}
	id := r.PathValue("id")
	bootFile := filepath.Join(s.statePath("run", id), "boot")
	j, start, err := s.jobFor("run", id, func(last Event) bool {
		switch {
		case last.Result == nil:
			return false
		case !last.Result.Reboot:
			return true
		}
		boot, err := os.ReadFile(bootFile)
		return err == nil && string(boot) == s.BootID // the reboot is still to come
	})
	if err != nil {
		refuse(w, err)
		return
	}
	if start {
		if err := writeSynced(bootFile, s.BootID); err != nil {
			s.forget("run", id)
			refuse(w, fmt.Errorf("noting the boot of run %s: %w", id, err))
			return
		}
		go s.execute(j.spool, req.Request)
	}
	s.stream(w, r, j.spool)
}

// execute hands the documents to the executor. Its context is the process's: a
// run outlives every caller.
func (s *Server) execute(sp *spool, req toe.Request) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	req.HandOffReboot = true // who asked decides when to restart
	if req.LogDirectory == "" {
		req.LogDirectory = filepath.Join(filepath.Dir(sp.path), "logs")
	}
	res, err := s.Toe(ctx, req, func(e toe.Event) {
		if err := sp.append(Event{Toe: &e}); err != nil {
			cancel(err) // a run that nobody can follow is no use
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		res = toe.Result{ExecutionID: req.ExecutionID, Status: "failed", FailureMessage: err.Error()}
	}
	if err := sp.end(Event{Result: &res}); err != nil {
		s.Logf("keeping the result of %s: %v", sp.path, err)
	}
}

// command starts a command, or attaches to it.
func (s *Server) command(w http.ResponseWriter, r *http.Request) {
	body := bufio.NewReader(r.Body)
	head, err := readBounded(body, maxCommand)
	var cmd Command
	if err == nil {
		err = json.Unmarshal(head, &cmd)
	}
	if err == nil && len(cmd.Args) == 0 {
		err = errors.New("args: must name a program")
	}
	if err != nil {
		refuse(w, fmt.Errorf("reading the command: %w", err))
		return
	}
	bound := r.FormValue("bound") != ""
	id := r.PathValue("id")
	j, start, err := s.jobFor("command", id, func(last Event) bool { return last.Exit != nil })
	if err != nil {
		refuse(w, err)
		return
	}
	ctx := context.Background()
	var ended sync.WaitGroup
	if bound {
		ctx = r.Context()
		defer func() { ended.Wait(); s.discard("command", id) }()
	}
	if start {
		ended.Go(func() {
			if err := execCommand(ctx, cmd, body, j.spool); err != nil {
				s.Logf("keeping the events of command %s: %v", id, err)
			}
		})
	}
	s.stream(w, r, j.spool)
}

// execCommand runs cmd and writes its output and exit status to sp. The error
// is of the writing.
func execCommand(ctx context.Context, cmd Command, stdin io.Reader, sp *spool) error {
	c := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	c.Env = append(commandEnvironment(), cmd.Env...)
	c.Dir = cmd.Dir
	if c.Dir == "" {
		c.Dir = "/"
	}
	endWithChildren(c)
	c.WaitDelay = leftoverOutput
	exit, err := runPiped(c, stdin, func(stream, line string) error {
		return sp.append(Event{Stream: stream, Line: line})
	})
	if err != nil {
		err = sp.append(Event{Stream: "stderr", Line: err.Error()})
	}
	return errors.Join(err, sp.end(Event{Exit: &exit}))
}

// runPiped runs c, emits its output by lines and returns its exit status, as a
// shell would: 127 not found, 126 not to be started, 128+n ended by signal n.
func runPiped(c *exec.Cmd, stdin io.Reader, emit func(stream, line string) error) (int, error) {
	in, err := c.StdinPipe()
	if err != nil {
		return 126, err
	}
	var readers sync.WaitGroup
	var ends []*os.File
	for _, p := range []struct {
		name string
		to   *io.Writer
	}{{"stdout", &c.Stdout}, {"stderr", &c.Stderr}} {
		r, w, err := os.Pipe()
		if err != nil {
			return 126, err
		}
		defer r.Close()
		defer w.Close()
		*p.to = w
		ends = append(ends, r, w)
		readers.Go(func() {
			failed := false
			readLines(r, func(line string) { // the end of a pipe is no error
				failed = failed || emit(p.name, line) != nil
			})
		})
	}
	if err := c.Start(); err != nil {
		for _, f := range ends {
			f.Close()
		}
		readers.Wait()
		return startStatus(err), fmt.Errorf("starting %s: %w", c.Path, err)
	}
	go func() { // ends with the caller's body or the command, whichever is first
		io.Copy(in, stdin)
		in.Close()
	}()
	waitErr := c.Wait()
	for i := 1; i < len(ends); i += 2 {
		ends[i].Close()
	}
	cut := time.AfterFunc(leftoverOutput, func() {
		for i := 0; i < len(ends); i += 2 {
			ends[i].Close() // ends a read under way, and pipes of Windows take no deadline
		}
	})
	defer cut.Stop()
	readers.Wait()
	if c.ProcessState == nil {
		return 126, waitErr
	}
	return exitStatus(c.ProcessState), nil
}

func startStatus(err error) int {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return 127
	}
	return 126
}

// stream answers with the events above the caller's position.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, sp *spool) {
	from, err := strconv.ParseInt(r.FormValue("from"), 10, 64)
	if err != nil || from < 0 {
		refuse(w, fmt.Errorf("from %q: must be a number from 0", r.FormValue("from")))
		return
	}
	if err := sp.follow(r.Context(), from, w); err != nil {
		panic(http.ErrAbortHandler) // the near side must not take this for the end
	}
}

// forget drops a job that could not be started.
func (s *Server) forget(kind, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[kind+"-"+id]; j != nil {
		j.spool.f.Close()
		delete(s.jobs, kind+"-"+id)
	}
}

// discard forgets a job that ended with its caller, and its events.
func (s *Server) discard(kind, id string) {
	s.forget(kind, id)
	if err := os.RemoveAll(s.statePath(kind, id)); err != nil {
		s.Logf("removing the events of %s %s: %v", kind, id, err)
	}
}

// readBounded reads a line of at most limit bytes.
func readBounded(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > limit:
			return nil, fmt.Errorf("longer than %d bytes", limit)
		case err == nil, errors.Is(err, io.EOF):
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// writeSynced writes a small file so that it is there after a crash.
func writeSynced(path, text string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
