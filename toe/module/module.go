// Package module holds the action modules of component documents, a file
// each. A Module is data (inputs, outputs, platforms) and one function, so
// that checking, running and documentation derive from the same place.
//
// To add a module write its file and name it in registry.go.
//
// Source: component-documents.md §9.
package module

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"ingot.dev/ingot/toe/cloud"
)

// Module is an action that a step may call.
type Module struct {
	Name        string
	Description string
	Platforms   []string // linux, darwin, windows
	List        bool     // inputs are a list of mappings, worked off in order; else one mapping
	Optional    bool     // inputs may be left out
	NoTimeout   bool     // timeoutSeconds has no effect
	Once        bool     // exactly one attempt without a timeout; other settings are faults
	Condition   bool     // the inputs are one condition (§8), see Call.Holds
	Inputs      []Input
	OneOf       []string // exactly one of these inputs must be given
	Outputs     []Output

	// Run does the work. Of the outputs an attempt made, those before an
	// error count as well. An *exec.ExitError carries the exit code of a
	// process; a *Reboot asks for a restart of the machine.
	Run func(context.Context, *Call) ([]Values, error)
}

// Type is the type of an input or output.
type Type string

const (
	String    Type = "string"
	Strings   Type = "list of strings"
	Integer   Type = "integer"
	Boolean   Type = "boolean"
	StringMap Type = "mapping of strings"
	Pairs     Type = "list of name and value"
	Scalars   Type = "string, number or list" // one text, or a list of texts
)

// Input is a key of a module's inputs.
type Input struct {
	Name        string
	Type        Type
	Required    bool
	Default     string             // what an absent key means, for documentation
	Platforms   []string           // empty: all of the module's
	Check       func(string) error // rule for the text beyond the type, or for each key of a mapping; nil: none
	Description string
}

// Output is a key of a module's outputs.
type Output struct {
	Name        string
	Type        Type
	Description string
}

// Values are inputs or outputs by name. Inputs have the Go types string,
// []string, int64, bool, map[string]string and []Pair, as the Input's Type
// says; Scalars are a string, or a []string where the document has a list.
type Values map[string]any

// Pair is an item of Pairs.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// String is a text, empty when it is absent.
func (v Values) String(key string) string {
	s, _ := v[key].(string)
	return s
}

// Strings is a list of texts.
func (v Values) Strings(key string) []string {
	s, _ := v[key].([]string)
	return s
}

// Bool is a boolean, or fallback when it is absent.
func (v Values) Bool(key string, fallback bool) bool {
	if b, ok := v[key].(bool); ok {
		return b
	}
	return fallback
}

// Int is an integer, 0 when it is absent.
func (v Values) Int(key string) int64 {
	i, _ := v[key].(int64)
	return i
}

// Map is a mapping of texts.
func (v Values) Map(key string) map[string]string {
	m, _ := v[key].(map[string]string)
	return m
}

// Pairs is a list of names and values.
func (v Values) Pairs(key string) []Pair {
	p, _ := v[key].([]Pair)
	return p
}

// Call is one use of a module.
type Call struct {
	Inputs  []Values // typed; one for a module that is not List, possibly empty
	Dir     string   // absolute; relative paths start here, and so do processes
	Env     []string // of processes, KEY=value
	Console Console
	Cloud   *cloud.Client
	Scripts *Scripts // of the run; nil: a folder for this call alone

	// Holds evaluates the condition that the inputs of a module with
	// Condition are.
	Holds func(context.Context) (bool, error)
	// Execute runs a document within this step. The Values are its outputs,
	// also beside an error.
	Execute func(context.Context, Nested) ([]Values, error)
}

// Nested is a document that a step executes (§9.7).
type Nested struct {
	Document    string // path, s3:// address or component ARN
	BucketOwner string // account that must own the bucket; empty: any
	Phases      string // comma-separated; empty: all
	Parameters  []Pair
}

// Console takes what a module has to say. It may be used from several
// goroutines at once.
type Console interface {
	Printf(level Level, format string, args ...any)
	Output(stream Stream, lines []byte) // whole lines of a process; the last may lack its end; not kept
}

// Level is the weight of a line.
type Level string

const (
	Info  Level = "Info"
	Warn  Level = "Warn"
	Error Level = "Error"
)

// Stream is where a process printed.
type Stream string

const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// getenv is the value of a variable of c.Env, as os.Getenv would see it.
func (c *Call) getenv(name string) string {
	for _, kv := range slices.Backward(c.Env) {
		if k, v, ok := strings.Cut(kv, "="); ok && SameVariable(k, name) {
			return v
		}
	}
	return ""
}

// SameVariable compares names of variables as the operating system does: PATH
// is Path on Windows.
func SameVariable(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// Reboot is returned by a module that needs the machine restarted.
type Reboot struct {
	Again bool // run the same step again afterwards, instead of the next one
	Code  int  // the exit code that asked for it; 0: none did
}

func (r *Reboot) Error() string { return "the machine must restart" }

// Supports reports whether the module exists on a platform.
func (m *Module) Supports(platform string) bool { return slices.Contains(m.Platforms, platform) }

// Input finds the input of a name.
func (m *Module) Input(name string) (Input, bool) {
	i := slices.IndexFunc(m.Inputs, func(in Input) bool { return in.Name == name })
	if i < 0 {
		return Input{}, false
	}
	return m.Inputs[i], true
}

// HasOutput reports whether the module has an output of a name.
func (m *Module) HasOutput(name string) bool {
	return slices.ContainsFunc(m.Outputs, func(o Output) bool { return o.Name == name })
}

// Convert gives texts (a string, []string, map[string]string or []Pair) the Go
// type of the input and checks the input's rule.
func (m *Module) Convert(in Input, raw any, platform string) (any, error) {
	if len(in.Platforms) > 0 && !slices.Contains(in.Platforms, platform) {
		return nil, fmt.Errorf("Input '%s' of action %s is not supported on %s", in.Name, m.Name, platform)
	}
	v, ok := in.Type.convert(raw)
	if !ok {
		return nil, fmt.Errorf("Input '%s' of action %s is not a valid %s", in.Name, m.Name, in.Type)
	}
	if in.Check == nil {
		return v, nil
	}
	for _, text := range checked(raw) {
		if err := in.Check(text); err != nil {
			return nil, fmt.Errorf("Input '%s' of action %s is not valid: %w", in.Name, m.Name, err)
		}
	}
	return v, nil
}

// checked are the texts of a raw value that Input.Check is for.
func checked(raw any) []string {
	switch v := raw.(type) {
	case string:
		return []string{v}
	case map[string]string:
		return slices.Sorted(maps.Keys(v))
	}
	return nil
}

func (t Type) convert(raw any) (any, bool) {
	text, isText := raw.(string)
	switch t {
	case Strings:
		if isText { // one text counts as a list of one
			return []string{text}, true
		}
		list, ok := raw.([]string)
		return list, ok
	case Integer:
		i, err := strconv.ParseInt(text, 10, 64)
		return i, isText && err == nil
	case Boolean:
		switch strings.ToLower(text) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
		return nil, false
	case StringMap:
		m, ok := raw.(map[string]string)
		return m, ok
	case Pairs:
		p, ok := raw.([]Pair)
		return p, ok
	case Scalars:
		_, isList := raw.([]string)
		return raw, isText || isList
	default:
		return text, isText
	}
}

// each runs f for every entry of the inputs and stops at the first error.
func each(f func(context.Context, *Call, Values) error) func(context.Context, *Call) ([]Values, error) {
	return func(ctx context.Context, c *Call) ([]Values, error) {
		for _, in := range c.Inputs {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err := f(ctx, c, in); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// Platform lists that modules share.
var (
	anywhere   = []string{"linux", "darwin", "windows"}
	notWindows = []string{"linux", "darwin"}
)
