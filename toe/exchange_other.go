//go:build !linux

package toe

import "errors"

// exchange lets two files of a folder change places, in one move.
func exchange(_, _ string) error { return errors.ErrUnsupported }
