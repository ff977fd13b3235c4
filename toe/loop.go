package toe

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ingot.dev/ingot/toe/module"
)

const maxIterations = 100_000 // of one loop (§14)

// loop repeats a step (§7): over a range of numbers, the items of a list, or
// the parts of a text.
type loop struct {
	name      string
	kind      string // for or forEach, as documents say
	start     int64  // of for
	updateBy  int64
	count     int    // iterations of for
	items     *value // of forEach: a list, or the text that is to be split
	delimiter string
}

// values are those of the iterations.
func (l *loop) values(ctx context.Context, r *resolver) ([]string, error) {
	if l.items == nil {
		values := make([]string, l.count)
		for i := range values {
			values[i] = strconv.FormatInt(l.start+int64(i)*l.updateBy, 10)
		}
		return values, nil
	}
	text := func(t template) (string, error) { return r.text(ctx, t) }
	if l.delimiter == "" {
		return l.items.list(text)
	}
	whole, err := text(l.items.text)
	if err != nil || whole == "" {
		return nil, err
	}
	if n := strings.Count(whole, l.delimiter) + 1; n > maxIterations {
		return nil, fmt.Errorf("the loop has %d iterations, more than %d", n, maxIterations)
	}
	return strings.Split(whole, l.delimiter), nil
}

// owns reports whether a reference belongs to this loop.
func (l *loop) owns(r *reference) bool {
	return l != nil && r.kind == loopRef && (r.name == "loop" || r.name == l.name)
}

// iteration is where a loop is.
type iteration struct {
	loop  *loop
	index int
	value string
}

// text is the value of a reference to the loop; without a loop, or with
// another one's name, the reference stays text (§7.4).
func (i *iteration) text(p part) string {
	switch {
	case i == nil || !i.loop.owns(p.ref):
		return p.text
	case p.ref.keys[0] == "index":
		return strconv.Itoa(i.index)
	default:
		return i.value
	}
}

// iterate runs the module for the values of the loop, after a reboot for those
// that are left.
func (s *stepRun) iterate(ctx context.Context, r *resolver) error {
	values, err := s.step.loop.values(ctx, r)
	if err = timedOut(ctx, err); err != nil {
		s.console.Printf(module.Error, "%v", err)
		return err
	}
	s.record.Loop.Iterations, s.record.Loop.FailedIterations = len(values), []int{}
	progress, outputs := &s.run.state.Step, merged{}
	outputs.add(progress.Outputs)
	defer func() {
		s.outputs = outputs.values()
		progress.Outputs = s.outputs
		if outputs.dropped {
			s.console.Printf(module.Warn, "Only the last %d bytes of an output of the loop are kept for later steps", module.MaxCapture)
		}
	}()
	for progress.Iteration < len(values) {
		i := progress.Iteration
		r.iteration = &iteration{s.step.loop, i, values[i]}
		more, err := s.execute(ctx, r)
		reboot := rebootOf(err)
		switch {
		case reboot != nil && reboot.Again:
			return err
		case reboot == nil && err != nil:
			return s.failIteration(i, err)
		}
		outputs.add(more)
		progress.Iteration++
		if reboot != nil { // the step goes on with the next iteration, if there is one
			return &module.Reboot{Again: progress.Iteration < len(values), Code: reboot.Code}
		}
	}
	return nil
}

// failIteration ends a loop. A timeout is the loop's own; otherwise its message
// has no details, which are in the log (§7.5).
func (s *stepRun) failIteration(i int, err error) error {
	s.record.Loop.FailedIterations = []int{i}
	s.console.Printf(module.Error, "Iteration %d of the loop failed: %v", i, err)
	if timeout := (*timeoutError)(nil); errors.As(err, &timeout) {
		return err
	}
	return &iterationError{i, err}
}

type iterationError struct {
	index int
	err   error
}

func (e *iterationError) Error() string {
	return fmt.Sprintf("Iteration(s) [%d] of the loop failed", e.index)
}

func (e *iterationError) Unwrap() error { return e.err }

// merged are the outputs of iterations, joined key by key with line feeds. Each
// is bounded by what is kept of a step's.
type merged struct {
	entries []map[string][]byte
	dropped bool // the beginning of an output
}

func (m *merged) add(outputs []module.Values) {
	for i, entry := range outputs {
		if i == len(m.entries) {
			m.entries = append(m.entries, map[string][]byte{})
		}
		for key, v := range entry {
			text, joined := m.entries[i][key]
			if joined {
				text = append(text, '\n')
			}
			text = fmt.Append(text, v)
			m.dropped = m.dropped || len(text) > module.MaxCapture
			m.entries[i][key] = lastBytes(text, module.MaxCapture)
		}
	}
}

func (m *merged) values() []module.Values {
	var out []module.Values
	for _, entry := range m.entries {
		values := module.Values{}
		for key, text := range entry {
			last := text[max(0, len(text)-module.MaxCapture):]
			values[key] = strings.ToValidUTF8(string(last), "\ufffd")
		}
		out = append(out, values)
	}
	return out
}
