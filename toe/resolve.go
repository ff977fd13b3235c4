package toe

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"ingot.dev/ingot/toe/module"
)

const maxResolved = 8 << 20 // bytes of one resolved text: references to references could double it at every step

// unresolvedError is a reference without a value. Repeating the step does not
// help.
type unresolvedError struct {
	body string
	why  error
}

func (e *unresolvedError) Error() string {
	return fmt.Sprintf("Unable to resolve '{{ %s }}': %v", e.body, e.why)
}

func (e *unresolvedError) Unwrap() error { return e.why }

// resolver gives the references of one attempt of a step their values.
type resolver struct {
	run      *run
	document int
	phase    string
	step     *Step
	memo     map[string]string // inputs of other steps: each is resolved once
}

// inputs resolves and converts the inputs of the resolver's step.
func (r *resolver) inputs() ([]module.Values, error) {
	var out []module.Values
	for _, entry := range r.step.inputs {
		values := module.Values{}
		for _, in := range r.step.module.Inputs {
			declared, ok := entry[in.Name]
			if !ok {
				continue
			}
			raw, err := r.input(declared)
			if err != nil {
				return nil, err
			}
			if values[in.Name], err = r.step.module.Convert(in, raw, runtime.GOOS); err != nil {
				return nil, err
			}
		}
		out = append(out, values)
	}
	return out, nil
}

func (r *resolver) input(in input) (any, error) {
	texts := make([]string, len(in.texts))
	for i, t := range in.texts {
		var err error
		if texts[i], err = r.text(t); err != nil {
			return nil, err
		}
	}
	return in.raw(texts), nil
}

func (r *resolver) text(t template) (string, error) {
	var b strings.Builder
	for _, p := range t {
		text := p.text
		if p.ref != nil && p.ref.kind != loopRef { // without a loop the text stays (§7.4)
			value, err := r.reference(p.ref)
			if unresolved := (*unresolvedError)(nil); errors.As(err, &unresolved) {
				return "", err // the reference at the root of it
			}
			if err != nil {
				return "", &unresolvedError{p.ref.body, err}
			}
			text = value
		}
		if b.Len()+len(text) > maxResolved {
			return "", fmt.Errorf("the text is longer than %d bytes after its references are resolved", maxResolved)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (r *resolver) reference(ref *reference) (string, error) {
	switch ref.kind {
	case variableRef:
		return r.run.variables[r.document][ref.name], nil
	case inputsRef:
		return r.chainedInput(ref)
	case outputsRef:
		return r.chainedOutput(ref)
	case envRef:
		if v, ok := r.run.environment.lookup(ref.name); ok {
			return v, nil
		}
		return "", errors.New("the environment variable is not set")
	case contextRef:
		return r.context(ref.name)
	case ssmRef:
		return "", errors.New("parameter store references are not built into this version of Ingot yet")
	default:
		return "", errors.New("instance metadata references are not built into this version of Ingot yet")
	}
}

// chainedInput resolves the input of an earlier step, whether or not it ran.
// Check has made sure that it exists.
func (r *resolver) chainedInput(ref *reference) (string, error) {
	if v, ok := r.memo[ref.body]; ok {
		return v, nil
	}
	document := r.run.documents[r.document]
	at, _ := document.find(ref.phase, ref.step)
	target := document.Phases[at.Phase].Steps[at.Step]
	text, err := r.text(target.inputs[ref.index][ref.keys[0]].texts[0])
	if err == nil {
		r.memo[ref.body] = text
	}
	return text, err
}

func (r *resolver) chainedOutput(ref *reference) (string, error) {
	entries, ran := r.run.state.Outputs[outputKey(r.document, ref.phase, ref.step)]
	if !ran {
		return "", fmt.Errorf("step '%s.%s' has not run", ref.phase, ref.step)
	}
	if ref.index >= len(entries) {
		return "", nil // skipped, or failed before it came to this
	}
	value, ok := entries[ref.index][ref.keys[0]]
	if !ok {
		return "", nil
	}
	return fmt.Sprint(value), nil
}

// context is a value about the run or the machine (§6.9).
func (r *resolver) context(key string) (string, error) {
	now := r.run.options.Now().UTC()
	switch key {
	case "executionId":
		return r.run.state.Request.ExecutionID, nil
	case "phase":
		return r.phase, nil
	case "step":
		return r.step.Name, nil
	case "date":
		return now.Format(time.DateOnly), nil
	case "dateTime":
		return now.Format(time.RFC3339), nil
	case "uuid":
		return newUUID(), nil
	case "hostname":
		return os.Hostname()
	case "osPlatform":
		return runtime.GOOS, nil
	case "osName":
		return osRelease("NAME")
	case "osVersion":
		return osRelease("VERSION_ID")
	case "region":
		if v, ok := r.run.environment.lookup("AWS_REGION"); ok {
			return v, nil
		}
		return "", errors.New("AWS_REGION is not set")
	default: // accountId
		return "", errors.New("the account of the machine is not known: instance metadata is not built into this version of Ingot yet")
	}
}

// osRelease is a value of /etc/os-release, empty if it has none; elsewhere it
// is empty, or the system's name.
func osRelease(key string) (string, error) {
	if runtime.GOOS != "linux" {
		return map[string]string{"windows NAME": "Windows", "darwin NAME": "macOS"}[runtime.GOOS+" "+key], nil
	}
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), key+"="); ok {
			return strings.Trim(v, `"'`), nil
		}
	}
	return "", lines.Err()
}

// newUUID is a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
