package base

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"
	"regexp"
	"strings"

	"ingot.dev/ingot"
)

// checksum is the sum of one file in a list of sums.
type checksum struct {
	file string
	sum  []byte // 32 bytes: SHA-256; 64: SHA-512
}

// hash returns the function that made the sum.
func (c checksum) hash() hash.Hash {
	if len(c.sum) == sha512.Size {
		return sha512.New()
	}
	return sha256.New()
}

var (
	// 5e3a…  name, or with a star for "binary", as sha256sum prints.
	gnuLine = regexp.MustCompile(`^([0-9a-fA-F]+) [ *]?(\S+)$`)
	// SHA256 (name) = 5e3a…, as sha256sum --tag and BSD print.
	bsdLine = regexp.MustCompile(`^SHA(?:256|512) \(([^()]+)\) = ([0-9a-fA-F]+)$`)
)

// maxChecksums bounds a list of sums, in bytes.
const maxChecksums = 1 << 20

// parseChecksums reads a list of sums. Lines of other kinds, such as comments,
// signatures and weaker sums, are passed over: a file that only they name has
// no sum.
func parseChecksums(r io.Reader) ([]checksum, error) {
	var sums []checksum
	scan := bufio.NewScanner(io.LimitReader(r, maxChecksums))
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		var file, digits string
		if m := gnuLine.FindStringSubmatch(line); m != nil {
			digits, file = m[1], m[2]
		} else if m := bsdLine.FindStringSubmatch(line); m != nil {
			file, digits = m[1], m[2]
		}
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size && len(sum) != sha512.Size || !isFileName(file) {
			continue
		}
		sums = append(sums, checksum{file, sum})
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("reading checksums: %w", err)
	}
	return sums, nil
}

// isFileName refuses what would lead out of the folder of the list.
func isFileName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\\?#%")
}

// choose returns the last sum, in order of names, of a file that matches the
// pattern: names with dates or versions sort by them.
func choose(sums []checksum, pattern string) (checksum, error) {
	var best checksum
	for _, c := range sums {
		ok, err := path.Match(pattern, c.file)
		if err != nil {
			return checksum{}, fmt.Errorf("file pattern %q: %w", pattern, err)
		}
		if ok && c.file >= best.file {
			best = c
		}
	}
	if best.file == "" {
		return checksum{}, ingot.Errorf(ingot.CodeNotFound, "the publisher lists no file %s with a SHA-256 or SHA-512 sum; import a disk instead", pattern)
	}
	return best, nil
}
