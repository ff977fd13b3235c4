package base

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// fileDigest names the content of a disk file: the SHA-256 of its size and of
// its data with their positions. Holes are skipped, so it differs between
// copies of one disk that are sparse in different ways; that costs a snapshot
// of shared blocks and nothing else.
func fileDigest(ctx context.Context, path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("reading %s: not a regular file", path)
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(st.Size())))
	for end := int64(0); end < st.Size(); {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		var start int64
		if start, end, err = nextData(f, end, st.Size()); err != nil {
			return "", fmt.Errorf("reading %s: %w", path, err)
		}
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(start)))
		if _, err := io.Copy(h, io.NewSectionReader(f, start, end-start)); err != nil {
			return "", fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// nextData finds the data at or behind off; there is none when start is size.
func nextData(f *os.File, off, size int64) (start, end int64, err error) {
	start, err = f.Seek(off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}
