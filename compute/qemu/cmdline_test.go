package qemu

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute"
)

var update = flag.Bool("update", false, "write the golden files")

func TestCmdline(t *testing.T) {
	command := Command{
		Binary: "qemu-system-x86_64", ID: "i-0123456789abcdef0", Tag: "tag", Accel: AccelTCG,
		CPUs: 2, MemoryMiB: 1024, Disk: "/data/i,1/disk.qcow2", Hostname: "web", AgentFD: 3, MonitorFD: 4,
	}
	direct := command
	direct.Direct = Direct{Kernel: "/data/vmlinuz", Initrd: "/data/initrd", Append: kernelLine("web")}
	uefi := command
	uefi.Accel = AccelKVM
	uefi.Firmware = Firmware{Code: "/fw/code.fd", Vars: "/data/vars.fd"}
	uefi.Forward = []compute.Forward{{Host: 2222, Guest: 22}, {Host: 8080, Guest: 80}}
	for name, c := range map[string]Command{"bios": command, "direct": direct, "uefi-kvm-forward": uefi} {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, name, strings.Join(Cmdline(c), "\n")+"\n")
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got; run with -update if that is right\n%s", path, diff)
	}
}

func TestNameOption(t *testing.T) {
	args := Cmdline(Command{Binary: "qemu", ID: "i-1", Tag: "a"})
	for cmdline, want := range map[string]string{
		strings.Join(args, "\x00"):        "ingot.a.i-1",
		"sleep\x00-name\x00other":         "",
		"sh\x00-c\x00-name guest=ingot.a": "",
		"qemu\x00-name":                   "",
		"":                                "",
	} {
		if got := nameOption([]byte(cmdline)); got != want {
			t.Errorf("nameOption(%q) = %q, want %q", cmdline, got, want)
		}
	}
}

func TestCheckSpec(t *testing.T) {
	good := compute.Spec{ID: "i-1", Boot: compute.BootDirect, CPUs: 1, MemoryMiB: 256, Token: "t", Hostname: "web-1.example"}
	if err := check(good); err != nil {
		t.Errorf("check(%+v) = %v, want nil", good, err)
	}
	for name, spoil := range map[string]func(*compute.Spec){
		"boot":             func(s *compute.Spec) { s.Boot = "floppy" },
		"no processor":     func(s *compute.Spec) { s.CPUs = 0 },
		"little memory":    func(s *compute.Spec) { s.MemoryMiB = 128 },
		"no token":         func(s *compute.Spec) { s.Token = "" },
		"a second option":  func(s *compute.Spec) { s.Hostname = "web init=/bin/sh" },
		"an option in DNS": func(s *compute.Spec) { s.Hostname = "web,hostfwd=tcp::22-:22" },
		"a long host name": func(s *compute.Spec) { s.Hostname = strings.Repeat("a.", 33) },
	} {
		s := good
		spoil(&s)
		if err := check(s); err == nil {
			t.Errorf("%s: check(%+v) = nil, want an error", name, s)
		}
	}
}
