//go:build !windows

package module

import (
	"errors"
	"testing"
)

func TestWindowsOnly(t *testing.T) {
	tests := []struct {
		module *Module
		in     Values
	}{
		{&installMSI, Values{"path": "msi_test.go"}},
		{&setRegistry, Values{"path": `HKCU:\\x`, "name": "n", "type": "SZ", "value": "v"}},
	}
	for _, test := range tests {
		c := &Call{Dir: ".", Console: nowhere{}, Inputs: []Values{test.in}}
		if _, err := test.module.Run(t.Context(), c); !errors.Is(err, errWindowsOnly) {
			t.Errorf("%s: %v, want %v", test.module.Name, err, errWindowsOnly)
		}
	}
}
