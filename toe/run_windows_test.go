package toe_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

func TestWindowsDocument(t *testing.T) {
	tr := try(t, nil, document(`
- name: folder
  action: CreateFolder
  inputs: [{path: '$DIR/a b'}]
- name: write
  action: CreateFile
  inputs: [{path: '$DIR\a b/f.txt', content: größer, encoding: utf16}, {path: a b\G.TXT}]
- name: copy
  action: CopyFile
  inputs: [{source: 'A B\*.txt', destination: c/}]
- name: read
  action: ReadFile
  inputs: [{path: c/F.txt, encoding: utf16}]
- name: registry
  action: SetRegistry
  inputs:
  - {path: 'HKCU:\Software\IngotTestDocument', name: Several, type: MULTI_SZ, value: [one, '{{ build.read.outputs.content }}']}
  - {path: 'HKCU:\Software\IngotTestDocument', name: Number, type: DWORD, value: 7}
- name: query
  action: ExecuteBinary
  if: {binaryExists: reg}
  inputs: {path: reg, arguments: [query, 'HKCU\Software\IngotTestDocument', /v, Number]}
- name: delete
  action: ExecuteBinary
  inputs: {path: '{{ env:systemROOT }}/system32/reg', arguments: [delete, 'HKCU\Software\IngotTestDocument', /f]}
- name: unknown
  action: ExecuteBinary
  onFailure: Ignore
  if: {binaryExists: no-such-program}
  inputs: {path: no-such-program}
- name: none
  action: DeleteFolder
  inputs: [{path: c, force: true}]
- name: listed
  action: ListFiles
  inputs: [{path: .}]`))
	if tr.err != nil || tr.result.Status != "success" {
		t.Fatalf("%+v, error %v\n%s", tr.result, tr.err, tr.console)
	}
	if got := tr.stdout("build.query"); !strings.Contains(got, "REG_DWORD    0x7") {
		t.Errorf("the registry has %q", got)
	}
	if got := tr.steps["build.unknown"].Status; got != "skipped" {
		t.Errorf("the step for a program that is not there is %s", got)
	}
	if _, err := os.Stat(filepath.Join(tr.dir, "c")); !os.IsNotExist(err) {
		t.Errorf("the deleted folder: %v", err)
	}
}

func TestWindowsRebootByExitCode(t *testing.T) {
	dir := t.TempDir()
	doc := document(`
- name: s
  action: ExecuteBinary
  inputs: {path: cmd, arguments: [/c, 'if exist mark (echo again) else (echo x > mark & exit 3010)']}
- {name: t, action: ExecuteBinary, inputs: {path: cmd, arguments: [/c, 'echo {{ build.s.outputs.stdout }} & exit 194'], onFailure: Ignore}}`)
	first := again(t, dir, request(dir, doc))
	if first.err != nil || !first.result.Reboot || !strings.Contains(first.console, "ExitCode 3010") {
		t.Fatalf("first run = %+v, %v; want a reboot", first.result, first.err)
	}
	second := again(t, dir, request(dir, doc))
	if second.err != nil || second.counters() != "2/1/0" {
		t.Fatalf("second run = %+v, %v\n%s", second.result, second.err, second.console)
	}
	if got := strings.TrimSpace(second.stdout("build.t")); got != "again" {
		t.Errorf("stdout of t = %q, want what s printed after the reboot", got)
	}
	if got := second.steps["build.t"].FailureMessage; got != "exit status 194" {
		t.Errorf("exit code 194 is %q, want an ordinary failure", got)
	}
}

// After the restart that a package asks for, the next step runs.
func TestWindowsInstallMSI(t *testing.T) {
	packages := os.Getenv("INGOT_TEST_MSI")
	if packages == "" {
		t.Skip("INGOT_TEST_MSI does not name a folder with packages; scripts/test-windows makes one")
	}
	dir := t.TempDir()
	doc := strings.ReplaceAll(document(`
- name: install
  action: InstallMSI
  inputs:
    path: '$MSI\package.msi'
    allowUnsignedInstaller: true
    logFile: log/install.log
    properties: {RESTART: 1, GREETING: '"hello {{ context:step }}"'}
- name: query
  action: ExecuteBinary
  inputs: {path: reg, arguments: [query, 'HKLM\SOFTWARE\IngotTest', /v, Greeting]}
- name: remove
  action: UninstallMSI
  inputs: {path: '$MSI\package.msi', allowUnsignedInstaller: true}`), "$MSI", packages)
	first := again(t, dir, request(dir, doc))
	if first.err != nil || !first.result.Reboot {
		t.Fatalf("first run = %+v, %v; want a reboot\n%s", first.result, first.err, first.console)
	}
	second := again(t, dir, request(dir, doc))
	if second.err != nil || second.counters() != "3/0/0" {
		t.Fatalf("second run = %+v, %v\n%s", second.result, second.err, second.console)
	}
	if got := second.steps["build.install"].Outputs; !strings.Contains(got, `"msiExitCode":3010`) {
		t.Errorf("outputs of install: %s", got)
	}
	if got := second.stdout("build.query"); !strings.Contains(got, "hello install") {
		t.Errorf("the registry has %q", got)
	}
}

func TestWindowsCheck(t *testing.T) {
	tr := try(t, func(r *toe.Request) { r.WorkingDirectory = "" }, document(`
- {name: a, action: CreateFile, inputs: [{path: f, owner: root}]}
- {name: b, action: ExecuteBash, inputs: {commands: [x]}}
- {name: c, action: ExecutePowerShell, inputs: {commands: [x], file: y.ps1}}
- {name: d, action: SetRegistry, inputs: [{path: 'HKLM\x', name: n, type: WORD, value: [{}]}]}
- {name: e, action: InstallMSI, inputs: {path: a.msi, properties: {Reboot: Force}}}`))
	for _, want := range []string{
		"Input 'owner' of action CreateFile is not supported on windows", "Action ExecuteBash is not supported on windows",
		"exactly one of the inputs commands, file, not 2", `'HKLM\x' does not begin with a key`, "unknown type 'WORD'",
		"Field 'value[0]' in the inputs of action SetRegistry must be", "the property 'Reboot' must not be set",
	} {
		if !strings.Contains(tr.result.FailureMessage, want) {
			t.Errorf("the findings lack %q:\n%s", want, tr.result.FailureMessage)
		}
	}
}
