package disk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// qemuImg runs qemu-img and returns what it prints. path is the file that it
// writes or reads, for the error.
func qemuImg(ctx context.Context, path string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := runQEMUImg(ctx, path, args, func(r io.Reader) error {
		_, err := out.ReadFrom(r)
		return err
	})
	return out.Bytes(), err
}

// runQEMUImg runs qemu-img and hands its output to read while it comes.
func runQEMUImg(ctx context.Context, path string, args []string, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "qemu-img", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting qemu-img (package qemu-utils): %w", err)
	}
	readErr := read(stdout)
	// What is left must be read, or the program would block on a full pipe.
	_, drainErr := io.Copy(io.Discard, stdout)
	if err = cmd.Wait(); err == nil {
		return errors.Join(readErr, drainErr)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := strings.TrimSpace(strings.TrimPrefix(stderr.String(), "qemu-img: "))
	// For a compressed VMDK, QEMU 7.2 says "Invalid argument" when the disk is full.
	if strings.Contains(text, "No space left on device") || freeBytes(path) < 1<<20 {
		return noSpace(path, fmt.Errorf("qemu-img %s: %w", args[0], unix.ENOSPC))
	}
	return fmt.Errorf("qemu-img %s: %w", args[0], errors.New(firstLine(text, err)))
}

// firstLine is the first line of text, or the error if there is none.
func firstLine(text string, err error) string {
	line, _, _ := strings.Cut(text, "\n")
	if line == "" {
		return err.Error()
	}
	return line
}

// extent is a range of bytes in which an overlay hides what lies under it.
type extent struct {
	Start  int64  `json:"start"`
	Length int64  `json:"length"`
	Data   bool   `json:"data"`    // false: it reads as zeros
	Mapped bool   `json:"present"` // false: the overlay has nothing here
	Offset *int64 `json:"offset"`  // of the bytes in the overlay's file; nil when compressed
}

// mapOverlay lists what a qcow2 overlay itself holds, and its virtual size. The
// backing file is not opened: it may be gone.
func mapOverlay(ctx context.Context, path string) (extents []extent, size int64, err error) {
	node, err := json.Marshal(map[string]any{
		"driver": "qcow2", "backing": nil, "file": map[string]string{"driver": "file", "filename": path},
	})
	if err != nil {
		return nil, 0, err
	}
	err = runQEMUImg(ctx, path, []string{"map", "--output=json", "json:" + string(node)}, func(r io.Reader) error {
		extents, size, err = decodeMap(r)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("mapping %s: %w", path, err)
	}
	return extents, size, nil
}

// decodeMap reads the output of qemu-img map. It goes entry by entry: a
// fragmented disk of 1 TiB has millions.
func decodeMap(r io.Reader) (extents []extent, size int64, err error) {
	dec := json.NewDecoder(r)
	if _, err := dec.Token(); err != nil {
		return nil, 0, fmt.Errorf("reading the map: %w", err)
	}
	for dec.More() {
		var e extent
		if err := dec.Decode(&e); err != nil {
			return nil, 0, fmt.Errorf("reading the map: %w", err)
		}
		if e.Start != size || e.Length <= 0 || e.Start > MaxSize || e.Length > MaxSize {
			return nil, 0, fmt.Errorf("reading the map: extent at %d of %d bytes does not follow %d", e.Start, e.Length, size)
		}
		size = e.Start + e.Length
		if !e.Mapped {
			continue
		}
		if e.Data && (e.Offset == nil || *e.Offset < 0) {
			return nil, 0, fmt.Errorf("reading the map: extent at %d is compressed; overlays of instances are not", e.Start)
		}
		extents = append(extents, e)
	}
	_, err = dec.Token()
	return extents, size, err
}
