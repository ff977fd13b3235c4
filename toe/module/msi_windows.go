package module

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// msiexec runs Windows Installer. It has quotes of its own within arguments
// (NAME="a value"), which the usual quoting of whole arguments would spoil.
func (c *Call) msiexec(ctx context.Context, arguments string) (stdout string, err error) {
	path, err := c.lookPath("msiexec.exe")
	if err != nil {
		return "", err
	}
	return c.runCommand(ctx, &exec.Cmd{Path: path, SysProcAttr: &syscall.SysProcAttr{CmdLine: "msiexec.exe " + arguments}})
}

// verifySignature checks the Authenticode signature of a file as
// Get-AuthenticodeSignature does, which needs PowerShell. It does not ask
// whether a certificate was revoked: build machines may have no way to the
// internet.
func verifySignature(path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	data := &windows.WinTrustData{
		Size:             uint32(unsafe.Sizeof(windows.WinTrustData{})),
		UIChoice:         windows.WTD_UI_NONE,
		RevocationChecks: windows.WTD_REVOKE_NONE,
		UnionChoice:      windows.WTD_CHOICE_FILE,
		StateAction:      windows.WTD_STATEACTION_VERIFY,
		FileOrCatalogOrBlobOrSgnrOrCert: unsafe.Pointer(&windows.WinTrustFileInfo{
			Size: uint32(unsafe.Sizeof(windows.WinTrustFileInfo{})), FilePath: name,
		}),
	}
	verdict := windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, data)
	data.StateAction = windows.WTD_STATEACTION_CLOSE
	err = windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, data)
	if errors.Is(verdict, syscall.Errno(windows.TRUST_E_NOSIGNATURE)) {
		return errUnsigned
	}
	if verdict != nil {
		return verdict
	}
	if err != nil {
		return fmt.Errorf("releasing what the check holds: %w", err)
	}
	return nil
}
