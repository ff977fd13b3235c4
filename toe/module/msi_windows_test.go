package module_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows/registry"

	"ingot.dev/ingot/toe/module"
)

// packages is the folder with the packages that scripts/test-windows makes of
// testdata/msi.
func packages(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("INGOT_TEST_MSI")
	if dir == "" {
		t.Skip("INGOT_TEST_MSI does not name a folder with packages; scripts/test-windows makes one")
	}
	return dir
}

// greeting is what the installed package has in the registry, empty while it
// is not installed.
func greeting(t *testing.T) string {
	t.Helper()
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\IngotTest`, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close()
	text, _, err := key.GetStringValue("Greeting")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWindowsMSI(t *testing.T) {
	signed := filepath.Join(packages(t), "signed.msi")
	log := filepath.Join(t.TempDir(), "new", "log of it.txt")
	ok := []module.Values{{"logFile": log, "msiExitCode": int64(0), "stdout": ""}}
	inputs := module.Values{"path": signed, "logFile": log, "properties": map[string]string{"GREETING": `"hello there"`}}

	out, _, err := runModule(t, "InstallMSI", &module.Call{Env: os.Environ(), Inputs: []module.Values{inputs}})
	if diff := cmp.Diff(ok, out); diff != "" || err != nil {
		t.Fatalf("installing: error %v, outputs (-want +got)\n%s", err, diff)
	}
	if got := greeting(t); got != "hello there" {
		t.Errorf("the registry has the greeting %q", got)
	}
	if content, err := os.ReadFile(filepath.Join(os.Getenv("ProgramW6432"), "IngotTest", "hello.txt")); string(content) != "hello\n" {
		t.Errorf("the installed file has %q, error %v", content, err)
	}
	if info, err := os.Stat(log); err != nil || info.Size() == 0 {
		t.Errorf("the log: %v, error %v", info, err)
	}

	out, _, err = runModule(t, "UninstallMSI", &module.Call{Env: os.Environ(), Inputs: []module.Values{inputs}})
	if diff := cmp.Diff(ok, out); diff != "" || err != nil {
		t.Fatalf("uninstalling: error %v, outputs (-want +got)\n%s", err, diff)
	}
	if got := greeting(t); got != "" {
		t.Errorf("the registry still has the greeting %q", got)
	}
}

func TestWindowsMSIExitCodes(t *testing.T) {
	signed := filepath.Join(packages(t), "signed.msi")
	tests := []struct {
		name, module string
		inputs       module.Values
		code         int64
		reboot       bool
		fails        string // the error; empty: none
	}{
		{"failure", "InstallMSI", module.Values{"properties": map[string]string{"FAIL": "1"}}, 1603, false, "msiexec exited with code 1603"},
		{"restart", "InstallMSI", module.Values{"properties": map[string]string{"RESTART": "1"}}, 3010, true, ""},
		{"restart skipped", "InstallMSI", module.Values{"properties": map[string]string{"RESTART": "1"}, "reboot": "Skip"}, 3010, false, ""},
		{"restart forced", "UninstallMSI", module.Values{"reboot": "Force"}, 0, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.inputs["path"] = signed
			out, said, err := runModule(t, test.module, &module.Call{Env: os.Environ(), Inputs: []module.Values{test.inputs}})
			want := []module.Values{{"logFile": "", "msiExitCode": test.code, "stdout": ""}}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("outputs (-want +got)\n%s", diff)
			}
			switch {
			case test.reboot:
				wantReboot(t, err, module.Reboot{})
			case test.fails == "" && err != nil, test.fails != "" && (err == nil || err.Error() != test.fails):
				t.Errorf("error %v, want %q; said %s", err, test.fails, said)
			}
		})
	}
}

func TestWindowsMSISignature(t *testing.T) {
	dir := packages(t)
	program, err := os.ReadFile(filepath.Join(dir, "signed.dll"))
	if err != nil {
		t.Fatal(err)
	}
	program[len(program)/2] ^= 1
	tampered := filepath.Join(t.TempDir(), "tampered.dll") // Wine does not compare the digest of a package
	write(t, tampered, string(program))
	tests := []struct {
		name   string
		inputs module.Values
		want   string // within the error
		said   string
	}{
		{"unsigned", module.Values{"path": filepath.Join(dir, "package.msi")}, "it is not signed; allowUnsignedInstaller: true accepts that", ""},
		{
			"unsigned, other errors ignored",
			module.Values{"path": filepath.Join(dir, "package.msi"), "ignoreAuthenticodeSignatureErrors": true},
			"it is not signed", "",
		},
		{"tampered with", module.Values{"path": tampered}, "; ignoreAuthenticodeSignatureErrors: true accepts that", ""},
		{
			"tampered with, accepted",
			module.Values{"path": tampered, "ignoreAuthenticodeSignatureErrors": true},
			"msiexec exited with code", "tampered.dll is accepted, although: ",
		},
		{
			"unsigned, accepted",
			module.Values{"path": filepath.Join(dir, "package.msi"), "allowUnsignedInstaller": true, "properties": map[string]string{"FAIL": "1"}},
			"msiexec exited with code 1603", "package.msi is accepted, although: it is not signed",
		},
		{"missing", module.Values{"path": "none.msi"}, "none.msi", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, said, err := runModule(t, "InstallMSI", &module.Call{Env: os.Environ(), Inputs: []module.Values{test.inputs}})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(said, test.said) {
				t.Errorf("error %v, want %q; said %s, want %q", err, test.want, said, test.said)
			}
		})
	}
}

// A package from the web is downloaded to a folder that goes afterwards.
func TestWindowsMSIDownload(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(packages(t))))
	defer server.Close()
	temp := t.TempDir()
	t.Setenv("TMP", temp)
	inputs := module.Values{"path": server.URL + "/signed.msi", "properties": map[string]string{"FAIL": "1"}}
	_, _, err := runModule(t, "InstallMSI", &module.Call{Env: os.Environ(), Inputs: []module.Values{inputs}})
	if err == nil || err.Error() != "msiexec exited with code 1603" {
		t.Errorf("error %v, want that of the package", err)
	}
	if left := tree(t, temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
