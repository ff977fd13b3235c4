package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const maxCopy = 1.2 // times cp -a

// The tree to copy: many small files, as in /usr, and some large ones.
const (
	smallFiles, smallSize = 10_000, 3_000 // in folders of a hundred
	largeFiles, largeSize = 8, 32 << 20
)

// copies measures CopyFolder beside cp -a.
func copies(ctx context.Context, o options, dir string, t *table) error {
	if !o.wants("copy") {
		return nil
	}
	source, target := filepath.Join(dir, "copy", "source"), filepath.Join(dir, "copy", "target")
	if err := fillTree(source); err != nil {
		return err
	}
	document := filepath.Join(dir, "copy.yml")
	text := fmt.Sprintf("schemaVersion: 1.0\nphases: [{name: build, steps: [{name: copy, action: CopyFolder, inputs: [{source: %s, destination: %s}]}]}]\n", source, target)
	if err := os.WriteFile(document, []byte(text), 0o600); err != nil {
		return err
	}
	timed := func(name string, argv ...string) (time.Duration, error) {
		return median(ctx, name, o.runs, func() (time.Duration, error) { return timeCopy(ctx, target, argv) })
	}
	ours, err := timed("CopyFolder", o.executor, "run", "--documents", document, "--log-directory", dir)
	if err != nil {
		return err
	}
	cp, err := timed("cp -a", "cp", "-a", source, target)
	if err != nil {
		return err
	}
	t.ratio("CopyFolder, 10,000 files", ours, "cp -a", cp, maxCopy)
	return nil
}

// timeCopy runs a program that makes target.
func timeCopy(ctx context.Context, target string, argv []string) (time.Duration, error) {
	took, err := timeProgram(ctx, argv)
	return took, errors.Join(err, os.RemoveAll(target))
}

func fillTree(dir string) error {
	random := rand.NewChaCha8([32]byte{})
	fill := func(n, size int, name func(int) string) error {
		content := make([]byte, size)
		for i := range n {
			path := filepath.Join(dir, name(i))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			random.Read(content) // never fails
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fill(smallFiles, smallSize, func(i int) string { return fmt.Sprintf("small/%d/%d", i/100, i) }); err != nil {
		return err
	}
	return fill(largeFiles, largeSize, func(i int) string { return fmt.Sprintf("large/%d", i) })
}
