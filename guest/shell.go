package guest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// Shell asks for an interactive program on a terminal of the guest.
type Shell struct {
	Args   []string `json:"args,omitempty"` // empty: a login shell of root
	Env    []string `json:"env,omitempty"`  // TERM at least
	Window Window   `json:"window"`
}

// Window is the size of a terminal in characters.
type Window struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// exitTrailer carries the exit status behind the output.
const exitTrailer = "Ingot-Exit"

// The request's body is the Shell as a JSON line, then frames: a kind, a
// big-endian length of two bytes, and as many bytes.
const (
	frameInput  = 'i'
	frameWindow = 'w' // rows and columns, two bytes each
	maxFrame    = 4 << 10
)

// Shell runs sh until it or in ends, copying in to its terminal and its
// terminal to out, and returns its exit status. resize may be nil. A read of in
// that is under way when the shell ends is left to the caller to cut short.
func (c *Client) Shell(ctx context.Context, sh Shell, in io.Reader, resize <-chan Window, out io.Writer) (int, error) {
	head, err := json.Marshal(sh)
	if err != nil {
		return 0, fmt.Errorf("encoding the shell: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, frames := io.Pipe()
	context.AfterFunc(ctx, func() { body.CloseWithError(context.Cause(ctx)) })
	go sendFrames(ctx, frames, append(head, '\n'), in, resize)
	res, err := c.do(ctx, "POST", "/v1/shell", body)
	if err != nil {
		return 0, fmt.Errorf("starting a shell: %w", err)
	}
	defer res.Body.Close()
	defer cancel() // first: closing waits for the request's body otherwise
	if _, err := io.Copy(out, res.Body); err != nil {
		return 0, fmt.Errorf("reading the terminal: %w", interrupted(ctx, err))
	}
	exit, err := strconv.Atoi(res.Trailer.Get(exitTrailer))
	if err != nil {
		return 0, fmt.Errorf("reading the shell's exit status: %w", ErrUnreachable)
	}
	return exit, nil
}

// sendFrames writes head and then a frame for every input and window size, in
// the order in which they come, until ctx or in ends.
func sendFrames(ctx context.Context, w *io.PipeWriter, head []byte, in io.Reader, resize <-chan Window) {
	if _, err := w.Write(head); err != nil {
		return
	}
	inputs := make(chan []byte)
	go readInputs(ctx, in, inputs)
	for {
		var err error
		select {
		case data, ok := <-inputs:
			if !ok {
				w.Close()
				return
			}
			err = writeFrame(w, frameInput, data)
		case win, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			err = writeFrame(w, frameWindow, windowBytes(win))
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// readInputs hands on what is read, and closes the channel when there is no more.
func readInputs(ctx context.Context, in io.Reader, inputs chan<- []byte) {
	defer close(inputs)
	for {
		buf := make([]byte, maxFrame)
		n, err := in.Read(buf)
		if n > 0 {
			select {
			case inputs <- buf[:n]:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func writeFrame(w io.Writer, kind byte, data []byte) error {
	_, err := w.Write(append([]byte{kind, byte(len(data) >> 8), byte(len(data))}, data...))
	return err
}

func windowBytes(w Window) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, w.Rows), w.Cols)
}
