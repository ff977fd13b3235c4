package module_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows/registry"

	"ingot.dev/ingot/toe/module"
)

func TestWindowsSetRegistry(t *testing.T) {
	const parent = `Software\IngotTest`
	t.Cleanup(func() {
		registry.DeleteKey(registry.CURRENT_USER, parent+`\new`) // not there if the test has failed
		registry.DeleteKey(registry.CURRENT_USER, parent)
	})
	path := `hkcu:\` + parent + `\new`
	c := &module.Call{Inputs: []module.Values{
		{"path": path, "name": "text", "type": "SZ", "value": "old"},
		{"path": path, "name": "text", "type": "SZ", "value": "größer"},
		{"path": path, "name": "expand", "type": "EXPAND_SZ", "value": `%TEMP%\x`},
		{"path": path, "name": "dword", "type": "DWORD", "value": "0xffffffff"},
		{"path": path, "name": "qword", "type": "QWORD", "value": "18446744073709551615"},
		{"path": path, "name": "binary", "type": "BINARY", "value": []string{"0", "255"}},
		{"path": path, "name": "empty", "type": "BINARY", "value": ""},
		{"path": path, "name": "multi", "type": "MULTI_SZ", "value": []string{"one", "zwei ü"}},
		{"path": `HKEY_CURRENT_USER\` + parent, "name": "", "type": "SZ", "value": "the default value"},
	}}
	if _, _, err := runModule(t, "SetRegistry", c); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"text": "größer", "expand": `%TEMP%\x`, "dword": uint64(0xffffffff), "qword": ^uint64(0),
		"binary": []byte{0, 255}, "empty": []byte{}, "multi": []string{"one", "zwei ü"},
	}
	if diff := cmp.Diff(want, values(t, parent+`\new`)); diff != "" {
		t.Errorf("values (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"": "the default value"}, values(t, parent)); diff != "" {
		t.Errorf("values of the parent (-want +got)\n%s", diff)
	}
}

// values reads a key of the current user.
func values(t *testing.T, path string) map[string]any {
	t.Helper()
	key, err := registry.OpenKey(registry.CURRENT_USER, path, registry.QUERY_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	names, err := key.ReadValueNames(-1)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, name := range names {
		_, kind, err := key.GetValue(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case registry.SZ, registry.EXPAND_SZ:
			out[name], _, err = key.GetStringValue(name)
		case registry.MULTI_SZ:
			out[name], _, err = key.GetStringsValue(name)
		case registry.BINARY:
			out[name], _, err = key.GetBinaryValue(name)
		default:
			out[name], _, err = key.GetIntegerValue(name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestWindowsSetRegistryFails(t *testing.T) {
	c := &module.Call{Inputs: []module.Values{{"path": `HKCU:\Software\IngotTest`, "name": "n", "type": "DWORD", "value": "five"}}}
	_, _, err := runModule(t, "SetRegistry", c)
	const want = `setting n of HKCU:\Software\IngotTest: 'five' is not a decimal or 0x number from 0 to 4294967295`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := registry.OpenKey(registry.CURRENT_USER, `Software\IngotTest`, registry.QUERY_VALUE); err == nil {
		t.Error("the key was created for a value that is none")
	}
}
