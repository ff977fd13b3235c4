package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/hook"
)

// StateMachine runs what stands in for a state machine and returns its output,
// which is JSON. It is idempotent by the execution's name.
type StateMachine func(ctx context.Context, call StateMachineCall) (json.RawMessage, error)

// StateMachineCall is one execution.
type StateMachineCall struct {
	StateMachine string          `json:"stateMachineArn"`
	Name         string          `json:"name"` // of the execution: the same when it is asked for again
	Input        json.RawMessage `json:"input"`
}

// executeStateMachine hands its input to what the operator has put in the place
// of state machines. Source: workflows.md §7.15, §12.
func (w *work) executeStateMachine(ctx context.Context) (map[string]any, error) {
	if w.StateMachine == nil {
		return nil, ingot.Errorf(ingot.CodeUnavailable, "this server has no state machines: set `stateMachine` in its configuration to the URL of what stands in for them, or `stateMachineCommand` to a program")
	}
	input := w.text("input")
	if input == "" {
		input = "{}"
	}
	call := StateMachineCall{StateMachine: w.text("stateMachineArn"), Name: w.commandID(), Input: json.RawMessage(input)}
	output, err := w.StateMachine(ctx, call)
	if err != nil {
		return nil, fmt.Errorf("executing %s: %w", call.StateMachine, err)
	}
	return map[string]any{"executionArn": call.StateMachine + ":" + call.Name, "output": string(output)}, nil
}

// maxStateMachineOutput bounds an answer, in bytes.
const maxStateMachineOutput = 256 << 10

// PostStateMachine is a StateMachine behind an HTTP endpoint: it is sent the
// call as JSON and answers 200 with the output when the execution has ended.
func PostStateMachine(url string) StateMachine {
	return func(ctx context.Context, call StateMachineCall) (json.RawMessage, error) {
		body, err := json.Marshal(call)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		output, err := io.ReadAll(io.LimitReader(res.Body, maxStateMachineOutput+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
		case res.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("%s answered %s: %s", req.URL.Host, res.Status, shorten(string(output), maxMessage))
		case len(output) > maxStateMachineOutput || !json.Valid(output):
			return nil, fmt.Errorf("%s answered %d bytes; it must be JSON of at most %d", req.URL.Host, len(output), maxStateMachineOutput)
		}
		return output, nil
	}
}

// RunStateMachine is a StateMachine that is a program of the operator's: it
// reads the input, writes the output, which is {} when it writes nothing, and
// ends with 0. A restart of the server ends it, and then it runs again under
// the same name.
func RunStateMachine(args []string) StateMachine {
	return func(ctx context.Context, call StateMachineCall) (json.RawMessage, error) {
		output, problem := &bounded{limit: maxStateMachineOutput}, &hook.Tail{Limit: maxMessage}
		err := hook.Call{
			Args: args, Stdin: call.Input, Stdout: output, Stderr: problem,
			Env: []string{"INGOT_STATE_MACHINE=" + call.StateMachine, "INGOT_EXECUTION=" + call.Name},
		}.Run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", args[0], err, strings.ToValidUTF8(string(problem.Bytes()), ""))
		}
		text := bytes.TrimSpace(output.data)
		switch {
		case output.over || len(text) > 0 && !json.Valid(text):
			return nil, fmt.Errorf("%s wrote %d bytes or more to its standard output; it must be JSON of at most %d", args[0], len(output.data), maxStateMachineOutput)
		case len(text) == 0:
			return json.RawMessage("{}"), nil
		}
		return text, nil
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	limit int // bytes
	data  []byte
	over  bool // there was more
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - len(b.data)
	b.over = b.over || len(p) > room
	b.data = append(b.data, p[:min(len(p), room)]...)
	return len(p), nil
}
