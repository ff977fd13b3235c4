// Package toe is the component executor: it parses and checks component
// documents and runs their phases and steps on the machine it runs on.
//
// Check finds every fault of a document at its line and column and touches
// nothing. Run executes documents one after another; what it needs to go on
// after a reboot is on disk before the reboot is asked for. Package toe/module
// holds the action modules, a file each.
//
// Source of the language: component-documents.md.
package toe

import "time"

// Request is one run of one or more documents.
type Request struct {
	ExecutionID      string            `json:"executionId"` // a UUID by default
	Documents        []Source          `json:"documents"`
	Parameters       map[string]string `json:"parameters,omitempty"` // for all documents
	Phases           []string          `json:"phases,omitempty"`     // empty: all
	LogDirectory     string            `json:"logDirectory,omitempty"`
	StateDirectory   string            `json:"stateDirectory,omitempty"`   // default: .state in LogDirectory
	WorkingDirectory string            `json:"workingDirectory,omitempty"` // of steps; default: the process's
	Environment      map[string]string `json:"environment,omitempty"`      // added for steps and env: references
	HandOffReboot    bool              `json:"handOffReboot,omitempty"`    // return with Result.Reboot instead of restarting the machine
	// Components are what steps may execute by ARN, by the ARN as the document
	// has it; Source.Path is the ARN of the build. nil: they are asked for by
	// GetComponent.
	Components map[string]Source `json:"components,omitzero"`
	LogBucket  *LogBucket        `json:"logBucket,omitempty"`
	LogStream  *LogStream        `json:"logStream,omitempty"`
}

// LogBucket is where the log folder goes at the end of a run, and before a
// reboot that is handed over.
type LogBucket struct {
	Name      string `json:"name"`
	Owner     string `json:"owner,omitempty"` // account that must own it; empty: any
	KeyPrefix string `json:"keyPrefix,omitempty"`
}

// LogStream is where console.log goes while it is written. Group and stream
// are made if they are missing.
type LogStream struct {
	Group          string `json:"group"`
	Stream         string `json:"stream,omitempty"` // default: the execution id
	Region         string `json:"region,omitempty"` // default: the machine's
	IgnoreFailures bool   `json:"ignoreFailures,omitempty"`
}

// Source is one document and its own parameters, which win over the run's.
type Source struct {
	Path       string            `json:"path"` // file, or ARN of the component build
	Data       []byte            `json:"data"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Event is one line of console.log as it happens, with its place.
type Event struct {
	Time     time.Time `json:"time"`
	Level    string    `json:"level"` // Info, Warn or Error
	Document string    `json:"document,omitempty"`
	Phase    string    `json:"phase,omitempty"`
	Step     string    `json:"step,omitempty"`
	Stream   string    `json:"stream,omitempty"` // "stdout" or "stderr" when a step's process printed it
	Message  string    `json:"message"`
}

// Line is the event as console.log has it, without a line feed.
func (e Event) Line() string {
	return e.Time.UTC().Format("2006-01-02 15:04:05.000") + " " + e.Level + " " + e.Message
}

// Result is the outcome of a run; its JSON form is what `run` prints.
type Result struct {
	ExecutionID            string   `json:"executionId"`
	Status                 string   `json:"status"` // success, failed or successWithIgnoredFailure
	FailedStepCount        int      `json:"failedStepCount"`
	ExecutedStepCount      int      `json:"executedStepCount"`
	IgnoredFailedStepCount int      `json:"ignoredFailedStepCount"`
	FailureMessage         string   `json:"failureMessage"`
	LogURL                 string   `json:"logUrl"`
	Failure                *Failure `json:"failure,omitempty"` // the first failed step
	Reboot                 bool     `json:"reboot,omitempty"`  // the machine must restart, then the same Run goes on
}

// Failure describes the first failed step of a run.
type Failure struct {
	Document string   `json:"document"` // Source.Path
	Phase    string   `json:"phase"`
	Step     string   `json:"step"`
	Action   string   `json:"action"`
	ExitCode *int     `json:"exitCode,omitempty"`
	Message  string   `json:"message"`
	Tail     []string `json:"tail,omitempty"` // the last lines that the step printed, oldest first
}
