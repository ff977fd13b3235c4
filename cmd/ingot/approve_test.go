package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComparePackages(t *testing.T) {
	before := map[string]string{"bash": "5.1", "vim": "9", "zsh": "5.8"}
	now := map[string]string{"bash": "5.2", "zsh": "5.8", "curl": "8"}
	want := []string{"  bash 5.1 -> 5.2", "+ curl 8", "- vim 9"}
	if diff := cmp.Diff(want, comparePackages(before, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"no package differs"}, comparePackages(now, now)); diff != "" {
		t.Errorf("of equal images (-want +got):\n%s", diff)
	}
}
