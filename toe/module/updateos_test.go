package module_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

// apt is how apt-get begins, with no questions and patience for other apts.
const apt = "apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=-1"

// UpdateOS meets package managers that only write down how they were called.
func TestUpdateOS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("UpdateOS is for Linux")
	}
	tests := []struct {
		name, program    string
		include, exclude []string
		want             string
		err              string
	}{
		{"apt everything", "apt-get", nil, nil, "apt-get update\napt-mark showhold\n" + apt + " upgrade\n", ""},
		{
			"apt some", "apt-get",
			[]string{"bash", "absent", "vim"},
			[]string{"vim"},
			"apt-get update\ndpkg-query -s bash\ndpkg-query -s absent\napt-mark showhold\ndpkg-query -s vim\napt-mark hold vim\n" + apt + " install --only-upgrade bash\napt-mark unhold vim\n", "",
		},
		{"apt none of them", "apt-get", []string{"absent"}, nil, "apt-get update\ndpkg-query -s absent\n", ""},
		{"apt held before", "apt-get", nil, []string{"held"}, "apt-get update\napt-mark showhold\n" + apt + " upgrade\n", ""},
		{"dnf", "dnf", []string{"bash"}, []string{"kernel*"}, "rpm -q bash\ndnf -y upgrade --exclude=kernel* bash\n", ""},
		{"yum", "yum", nil, nil, "yum -y update\n", ""},
		{"yum some", "yum", []string{"a", "b", "absent"}, []string{"b"}, "rpm -q a\nrpm -q absent\nyum -y update --exclude=b a\n", ""},
		{
			"zypper some", "zypper",
			[]string{"bash"},
			[]string{"vim", "held", "absent"},
			"zypper --non-interactive refresh\nrpm -q bash\nzypper locks\nrpm -q vim\nrpm -q absent\nzypper addlock vim\n" +
				"zypper --non-interactive update --auto-agree-with-licenses bash\nzypper removelock vim\n", "",
		},
		{"option to include", "apt-get", []string{"bash", "--allow-downgrades"}, nil, "", "'--allow-downgrades' is not the name of a package"},
		{"option to exclude", "zypper", nil, []string{"-r"}, "", "'-r' is not the name of a package"},
		{"update fails", "dnf", []string{"fails"}, nil, "rpm -q fails\ndnf -y upgrade fails\n", "exit status 7"},
		{"zypper advises a restart", "zypper", nil, nil, "zypper --non-interactive refresh\nzypper locks\nzypper --non-interactive update --auto-agree-with-licenses\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bin := t.TempDir()
			log := filepath.Join(bin, "log")
			tools := map[string][]string{"apt-get": {"apt-get", "apt-mark", "dpkg-query"}, "dnf": {"dnf", "yum", "rpm"}, "yum": {"yum", "rpm"}, "zypper": {"zypper", "rpm"}}
			for _, tool := range tools[test.program] {
				script := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" >> %s\ncase \"$*\" in showhold) echo held;; locks) echo '1 | held | package';; *absent) exit 1;; *interactive\\ update\\ *) exit 102;; *grade\\ fails) exit 7;; esac\n", tool, log)
				if err := os.WriteFile(filepath.Join(bin, tool), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			c := &module.Call{Dir: bin, Env: []string{"PATH=" + bin}, Console: &console{}, Inputs: []module.Values{{"include": test.include, "exclude": test.exclude}}}
			_, err := module.Find("UpdateOS").Run(context.Background(), c)
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("UpdateOS: %v, want %q", err, test.err)
			}
			got, err := os.ReadFile(log)
			if diff := cmp.Diff(test.want, string(got)); diff != "" || err != nil && test.want != "" {
				t.Errorf("commands (-want +got), %v:\n%s", err, diff)
			}
		})
	}
}
