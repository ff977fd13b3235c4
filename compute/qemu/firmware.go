package qemu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ingot.dev/ingot/compute"
)

// ovmf are the places of the UEFI firmware and of its variables, a pair per
// distribution. The images without Secure Boot keys are meant: an image that
// needs them is no different in what it must prove here.
var ovmf = []Firmware{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},                 // Debian 12, Ubuntu 24.04
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},                       // Debian 11, Ubuntu 22.04
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},             // Fedora, RHEL
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},         // Arch
	{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"}, // openSUSE
	{"/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},     // Gentoo, older Arch
}

// errNoOVMF says that UEFI firmware is missing on this host.
var errNoOVMF = errors.New("no UEFI firmware on this host (apt-get install ovmf)")

// findOVMF returns the host's UEFI firmware with the untouched variables.
func findOVMF(places []Firmware) (Firmware, error) {
	for _, f := range places {
		if readable(f.Code) && readable(f.Vars) {
			return f, nil
		}
	}
	return Firmware{}, errNoOVMF
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// prepareFirmware returns the firmware of an instance. UEFI variables are a
// copy in dir, which lasts over reboots of the guest.
func prepareFirmware(boot compute.Boot, dir string) (Firmware, error) {
	if boot == compute.BootBIOS {
		return Firmware{}, nil // QEMU brings SeaBIOS with it
	}
	f, err := findOVMF(ovmf)
	if err != nil {
		return Firmware{}, err
	}
	vars := filepath.Join(dir, "uefi-vars.fd")
	if err := copyVars(f.Vars, vars); err != nil {
		return Firmware{}, fmt.Errorf("copying the UEFI variables: %w", err)
	}
	return Firmware{Code: f.Code, Vars: vars}, nil
}

func copyVars(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, src)
	return err
}
