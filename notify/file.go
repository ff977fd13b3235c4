package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ingot.dev/ingot"
)

// File gets messages as lines of JSON at its end. It may be moved away at any
// time: it is opened for each message.
type File struct {
	Path string `yaml:"path" json:"path"`
}

func (f *File) check() error {
	if !filepath.IsAbs(f.Path) {
		return fmt.Errorf("path: %q is not an absolute path", f.Path)
	}
	return nil
}

func (f *File) checkFiles() error {
	file, err := f.open()
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	return file.Close()
}

func (f *File) open() (*os.File, error) {
	return os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
}

func (f *File) sender() sender { return fileSender{f} }

type fileSender struct{ *File }

func (fileSender) atOnce() int { return 1 } // lines must not mix

func (fileSender) close() {}

// functionCall is the line of a message to a function.
type functionCall struct {
	Type     string          `json:"Type"`
	ID       string          `json:"MessageId"`
	Function string          `json:"FunctionName"`
	Payload  json.RawMessage `json:"Payload"`
}

func (f fileSender) send(_ context.Context, d ingot.Delivery, _ time.Time) (err error) {
	line, err := payload(d.Message)
	if err == nil && d.Channel == ingot.ChannelFunction {
		line, err = json.Marshal(functionCall{"FunctionCall", d.Message.ID, d.Name, d.Body})
	}
	if err != nil {
		return err
	}
	file, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return appendLine(file, line)
}

// appendLine writes a line and waits until it is on disk. An unfinished line,
// of a process that was killed, is ended first.
func appendLine(file *os.File, line []byte) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	regular := info.Mode().IsRegular()
	if regular && info.Size() > 0 {
		last := []byte{0}
		if _, err := file.ReadAt(last, info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		return err
	}
	if !regular {
		return nil // a terminal or a pipe
	}
	return file.Sync()
}
