package toe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ingot.dev/ingot/toe/module"
)

const (
	stateVersion = 2
	maxReboots   = 15 // per run (§10.3)
)

// state is what a run needs to go on after a reboot (§10.2).
type state struct {
	Version   int        `json:"version"`
	LogFolder string     `json:"logFolder"`
	Boot      string     `json:"boot"` // identifies the boot in which this was written; may be empty
	Reboots   int        `json:"reboots"`
	Executed  int        `json:"executed"` // documents, by steps
	Record    *runRecord `json:"record"`
	Run       progress   `json:"run"`
}

// progress is what a run has to do and how far it is.
type progress struct {
	Request  Request                    `json:"request"`          // with its defaults filled in
	Position position                   `json:"position"`         // of the next step
	Step     stepState                  `json:"step"`             // how far that step is
	Result   Result                     `json:"result"`           // counters and the first failure so far
	Stderr   string                     `json:"stderr"`           // of the first failed step
	Outputs  map[string][]module.Values `json:"outputs"`          // of finished steps that later ones refer to
	Nested   *progress                  `json:"nested,omitempty"` // of the document that the step at Position executes
}

func newProgress(req Request) progress {
	return progress{
		Request: req, Step: stepState{Attempt: 1}, Result: Result{ExecutionID: req.ExecutionID},
		Outputs: map[string][]module.Values{},
	}
}

// stepState is what a step that ends with a reboot leaves behind.
type stepState struct {
	Attempt   int             `json:"attempt"`             // from 1
	Decided   bool            `json:"decided,omitempty"`   // its if said Execute and is not asked again
	Iteration int             `json:"iteration,omitempty"` // of its loop, from 0
	Outputs   []module.Values `json:"outputs,omitempty"`   // of the iterations before, merged
}

// outputKey names a step within a run.
func outputKey(document int, phase, step string) string {
	return fmt.Sprintf("%d:%s.%s", document, phase, step)
}

func statePath(dir string) string { return filepath.Join(dir, "state.json") }

// loadState reads the state in a directory, nil if there is none. State that
// cannot be read stays where it is: a human has to decide.
func loadState(dir string) (*state, error) {
	data, err := os.ReadFile(statePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of an interrupted run: %w", err)
	}
	s := &state{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // outputs keep their decimal text
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("reading the state of an interrupted run: %s: %w; remove the file to start anew", statePath(dir), err)
	}
	if s.Version != stateVersion || s.Record == nil {
		return nil, fmt.Errorf("the state of an interrupted run in %s has version %d, this program reads version %d; remove the file to start anew", statePath(dir), s.Version, stateVersion)
	}
	return s, nil
}

// save writes the state so that it is there, whole, after the power goes.
func (s *state) save() error {
	dir := s.Run.Request.StateDirectory
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding state: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("saving state: %w", err)
	}
	if err := writeSynced(statePath(dir), data); err != nil {
		return fmt.Errorf("saving state: %w", err)
	}
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a rename last. Windows has no such call and needs none.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if err != nil && os.PathSeparator == '\\' {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// remove ends the state's life; a run that never rebooted has none.
func (s *state) remove() error {
	err := os.Remove(statePath(s.Run.Request.StateDirectory))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing state: %w", err)
	}
	_ = os.Remove(s.Run.Request.StateDirectory) // stays if it holds anything else
	return nil
}

// bootID changes with every boot of the machine or of the container; it is empty
// where the system has none. A container has its host's kernel, so the start of
// the first process is part of it.
func bootID() string {
	kernel, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	init, err := os.ReadFile("/proc/1/stat")
	if err != nil {
		return ""
	}
	// The 22nd field is the start, the second a name in brackets. Source: proc(5).
	fields := strings.Fields(string(init[bytes.LastIndexByte(init, ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return strings.TrimSpace(string(kernel)) + "-" + fields[19]
}
