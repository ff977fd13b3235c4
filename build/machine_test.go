package build

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute"
)

func TestParseMachine(t *testing.T) {
	tests := map[string]machine{
		"t3.micro":    {Kind: "default", CPUs: 2, MemoryMiB: 1 << 10},
		"t2.micro":    {Kind: "default", CPUs: 1, MemoryMiB: 1 << 10},
		"t2.medium":   {Kind: "default", CPUs: 2, MemoryMiB: 4 << 10},
		"t4g.2xlarge": {Kind: "default", CPUs: 8, MemoryMiB: 32 << 10},
		"m5.large":    {Kind: "default", CPUs: 2, MemoryMiB: 8 << 10},
		"c6i.4xlarge": {Kind: "default", CPUs: 16, MemoryMiB: 32 << 10},
		"r5.xlarge":   {Kind: "default", CPUs: 4, MemoryMiB: 32 << 10},
		"vm.small":    {Kind: compute.KindQEMU, CPUs: 2, MemoryMiB: 2 << 10},
		"ct.nano":     {Kind: compute.KindContainer, CPUs: 2, MemoryMiB: 512},
	}
	for text, want := range tests {
		want.Type = text
		got, err := parseMachine(text, "default")
		if err != nil {
			t.Errorf("parseMachine(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parseMachine(%q) (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", ".", "t3", "t3.", ".micro", "potato", "t3.huge", "m5.1000xlarge", "m5.-4xlarge", "q9.large", "m5.0xlarge", "m5.xxlarge"} {
		if m, err := parseMachine(text, "default"); err == nil {
			t.Errorf("parseMachine(%q) = %v, want an error", text, m)
		}
	}
}

func FuzzParseMachine(f *testing.F) {
	for _, seed := range []string{"t3.micro", "m5.2xlarge", "vm.small", ".", "c.9999999999999999999xlarge"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMachine(text, "default")
		if err == nil && (m.CPUs < 1 || m.CPUs > maxCPUs || m.MemoryMiB < 512 || m.MemoryMiB > maxCPUs*16<<10) {
			t.Errorf("parseMachine(%q) = %v", text, m)
		}
	})
}
