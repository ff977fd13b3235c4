package module

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRegistryPath(t *testing.T) {
	tests := []struct {
		path string
		root registryRoot
		key  string
	}{
		{`HKLM:\SOFTWARE\Example`, localMachine, `SOFTWARE\Example`},
		{`HKEY_LOCAL_MACHINE\SOFTWARE\Example\`, localMachine, `SOFTWARE\Example`},
		{`hkcu:\Software\a/b`, currentUser, `Software\a/b`},
		{`HKEY_classes_ROOT\.txt`, classesRoot, ".txt"},
		{`HKU:\.DEFAULT`, users, ".DEFAULT"},
		{`HKCC:\System`, currentConfig, "System"},
		{`HKCU:`, currentUser, ""},
	}
	for _, test := range tests {
		root, key, err := parseRegistryPath(test.path)
		if err != nil || root != test.root || key != test.key {
			t.Errorf("parseRegistryPath(%q) = %#x, %q, %v, want %#x, %q", test.path, root, key, err, test.root, test.key)
		}
	}
	for _, path := range []string{"", `SOFTWARE\Example`, `HKLM\SOFTWARE`, `HKEY_LOCAL_MACHINE:\SOFTWARE`, `HKLM:/SOFTWARE`, `HKPD:\x`} {
		if _, _, err := parseRegistryPath(path); err == nil {
			t.Errorf("parseRegistryPath(%q): no error", path)
		}
	}
}

func TestRegistryData(t *testing.T) {
	tests := []struct {
		kind  string
		value any
		want  any
	}{
		{"SZ", "a b", "a b"},
		{"sz", "", ""},
		{"EXPAND_SZ", "%TEMP%", expandString("%TEMP%")},
		{"DWORD", "4294967295", uint32(0xffffffff)},
		{"DWORD", "010", uint32(10)},
		{"DWORD", "0XfF", uint32(255)},
		{"QWORD", "18446744073709551615", ^uint64(0)},
		{"BINARY", "00fF", []byte{0, 255}},
		{"BINARY", "", []byte{}},
		{"BINARY", []string{"1", "0x10", "255"}, []byte{1, 16, 255}},
		{"MULTI_SZ", "one", []string{"one"}},
		{"MULTI_SZ", []string{"one", "two"}, []string{"one", "two"}},
		{"MULTI_SZ", []string{}, []string{}},
	}
	for _, test := range tests {
		got, err := registryData(test.kind, test.value)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("registryData(%s, %q): error %v (-want +got)\n%s", test.kind, test.value, err, diff)
		}
	}
}

func TestRegistryDataRefuses(t *testing.T) {
	tests := []struct {
		kind  string
		value any
		want  string // within the error
	}{
		{"DWORD", "4294967296", "from 0 to 4294967295"},
		{"DWORD", "-1", "from 0 to"},
		{"DWORD", "1_000", "from 0 to"},
		{"DWORD", "0x", "from 0 to"},
		{"QWORD", "18446744073709551616", "from 0 to 18446744073709551615"},
		{"BINARY", "abc", "hexadecimal"},
		{"BINARY", []string{"1", "256"}, "item 1: '256' is not a decimal or 0x number from 0 to 255"},
		{"MULTI_SZ", []string{"a", ""}, "item 1 is empty"},
		{"SZ", []string{"a"}, "must not be a list"},
		{"DWORD", []string{"1"}, "must not be a list"},
	}
	for _, test := range tests {
		if _, err := registryData(test.kind, test.value); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("registryData(%s, %q): error %v, want %q", test.kind, test.value, err, test.want)
		}
	}
}

func FuzzParseRegistryPath(f *testing.F) {
	f.Add(`HKLM:\SOFTWARE\Example`)
	f.Add(`HKEY_USERS\\`)
	f.Add(`HKCU:`)
	f.Fuzz(func(t *testing.T, path string) {
		_, key, err := parseRegistryPath(path)
		if err == nil && (!strings.Contains(path, key) || strings.HasPrefix(key, `\`) || strings.HasSuffix(key, `\`)) {
			t.Errorf("parseRegistryPath(%q) = %q", path, key)
		}
	})
}
