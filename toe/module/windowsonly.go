//go:build !windows

package module

import (
	"context"
	"errors"
)

// The modules of Windows are known everywhere, so that their documents can be
// checked anywhere. They run there only.
var errWindowsOnly = errors.New("this works on Windows only")

func setRegistryValue(registryRoot, string, string, any) error { return errWindowsOnly }

func verifySignature(string) error { return errWindowsOnly }

func (c *Call) msiexec(context.Context, string) (string, error) { return "", errWindowsOnly }
