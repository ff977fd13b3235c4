package module

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSelectUpdates(t *testing.T) {
	found := []windowsUpdate{
		{Title: "2026-03 Cumulative Update for Windows Server (KB5000001)", KB: []string{"5000001"}},
		{Title: "Definition Update for Antivirus (KB2267602)", KB: []string{"2267602"}},
		{Title: "Driver"},
	}
	tests := []struct {
		name             string
		include, exclude []string
		want             []int // of found
	}{
		{"all", nil, nil, []int{0, 1, 2}},
		{"number", []string{"KB5000001"}, nil, []int{0}},
		{"number without prefix, prefix in lower case", []string{"5000001", "kb2267602"}, nil, []int{0, 1}},
		{"title", []string{"*update*"}, nil, []int{0, 1}},
		{"whole title", []string{"driver"}, nil, []int{2}},
		{"part of a title is none", []string{"Update"}, nil, nil},
		{"exclude", nil, []string{"KB2267602", "Dr*"}, []int{0}},
		{"both", []string{"*Update*"}, []string{"5000001"}, []int{1}},
		{"nothing matches", []string{"KB1"}, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []windowsUpdate
			for _, i := range test.want {
				want = append(want, found[i])
			}
			if diff := cmp.Diff(want, selectUpdates(found, test.include, test.exclude)); diff != "" {
				t.Errorf("selected (-want +got)\n%s", diff)
			}
		})
	}
}
