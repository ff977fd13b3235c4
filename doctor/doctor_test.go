package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute"
)

// driver is a driver that can only be probed.
type driver struct {
	compute.Driver
	report compute.Report
}

func (d driver) Probe(context.Context) compute.Report { return d.report }

func TestOneDriverIsEnough(t *testing.T) {
	works := driver{report: compute.Report{Kind: compute.KindContainer, OK: true}}
	broken := driver{report: compute.Report{Kind: compute.KindQEMU, Checks: []compute.Finding{missing("debugfs", "e2fsprogs")}}}
	t.Setenv("PATH", fakeTools(t, "qemu-img"))
	for name, tt := range map[string]struct {
		drivers []compute.Driver
		want    bool
	}{
		"both":   {[]compute.Driver{works, works}, true},
		"one":    {[]compute.Driver{broken, works}, true},
		"broken": {[]compute.Driver{broken}, false},
		"none":   {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := Host{Data: t.TempDir(), Drivers: tt.drivers}.Examine(t.Context())
			if room := space(t.TempDir()); !room.OK {
				t.Skipf("this host is no place for builds: %s", room.Detail)
			}
			if r.OK != tt.want {
				t.Errorf("OK = %v, want %v: %+v", r.OK, tt.want, r.Parts)
			}
		})
	}
}

func fakeTools(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInstallNamesEveryPackageOnce(t *testing.T) {
	parts := []Part{
		{Checks: []compute.Finding{missing("b", "two"), {Name: "kvm", Remedy: "modprobe kvm"}}},
		{Checks: []compute.Finding{missing("a", "one"), {Name: "d", Remedy: "apt-get install three two; modprobe fuse"}, {OK: true, Remedy: "apt-get install four"}}},
	}
	if diff := cmp.Diff("apt-get install one three two", install(parts)); diff != "" {
		t.Errorf("install: -want +got\n%s", diff)
	}
	if got := install(nil); got != "" {
		t.Errorf("install(nil) = %q, want nothing", got)
	}
}

func TestSpaceOfADirectoryToBe(t *testing.T) {
	dir := t.TempDir()
	if f := space(filepath.Join(dir, "not/yet/there")); !strings.Contains(f.Detail, dir) {
		t.Errorf("space = %+v, want the room of %s", f, dir)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := space(filepath.Join(file, "x")); f.OK || f.Remedy == "" {
		t.Errorf("space below a file = %+v, want a finding with a remedy", f)
	}
}

func TestReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f := reach(t.Context(), l.Addr().String()); !f.OK {
		t.Errorf("reach of a listener = %+v, want OK", f)
	}
	l.Close()
	if f := reach(t.Context(), l.Addr().String()); f.OK || f.Remedy == "" {
		t.Errorf("reach of nobody = %+v, want a finding with a remedy", f)
	}
}
