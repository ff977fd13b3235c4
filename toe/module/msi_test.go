package module

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMSIArguments(t *testing.T) {
	tests := []struct {
		name   string
		module msi
		log    string
		in     Values
		want   string
	}{
		{"least", msi{option: "/i"}, "", nil, `/i "C:\p q.msi" /qn /norestart`},
		{"log", msi{option: "/x"}, `C:\logs\a b.txt`, nil, `/x "C:\p q.msi" /qn /norestart /L*VX "C:\logs\a b.txt"`},
		{"log options", msi{option: "/i"}, `C:\l`, Values{"logOptions": "ie"}, `/i "C:\p q.msi" /qn /norestart /Lie "C:\l"`},
		{
			"properties as they stand",
			msi{option: "/i"},
			"",
			Values{"properties": map[string]string{"TEXT": `"a b"`, "ADDLOCAL": "ALL"}},
			`/i "C:\p q.msi" /qn /norestart ADDLOCAL=ALL TEXT="a b"`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.module.arguments(`C:\p q.msi`, test.log, test.in)); diff != "" {
				t.Errorf("arguments (-want +got)\n%s", diff)
			}
		})
	}
}

func TestMSIInputs(t *testing.T) {
	tests := []struct {
		input string
		value any
		valid bool
	}{
		{"path", `C:\a.msi`, true},
		{"path", "https://host/a.msi", true},
		{"path", "s3://bucket/a.msi", true},
		{"path", "", false},
		{"path", `C:\a.msi" /x "b.msi`, false},
		{"path", "s3://", false},
		{"path", "https://", false},
		{"reboot", "Force", true},
		{"reboot", "force", false},
		{"logOptions", "*VX", true},
		{"logOptions", `* "x"`, false},
		{"logFile", `a"b`, false},
		{"properties", map[string]string{"INSTALLDIR": `C:\x`, "_a.1": ""}, true},
		{"properties", map[string]string{"Reboot": "Force"}, false},
		{"properties", map[string]string{"REINSTALLMODE": "a"}, false},
		{"properties", map[string]string{"A B": "x"}, false},
		{"properties", map[string]string{"1A": "x"}, false},
		{"properties", map[string]string{"": "x"}, false},
	}
	for _, test := range tests {
		in, _ := installMSI.Input(test.input)
		if _, err := installMSI.Convert(in, test.value, "windows"); (err == nil) != test.valid {
			t.Errorf("%s %q: error %v, want valid %v", test.input, test.value, err, test.valid)
		}
	}
}

func TestMSIReboot(t *testing.T) {
	tests := []struct {
		code   int
		wish   string
		reboot bool
		said   string
	}{
		{0, "", false, ""},
		{0, "Allow", false, ""},
		{0, "Force", true, ""},
		{3010, "", true, ""},
		{1641, "Allow", true, ""},
		{1614, "Allow", false, ""},
		{3010, "Skip", false, "InstallMSI: the restart that exit code 3010 asks for is skipped\n"},
		{0, "Skip", false, ""},
	}
	for _, test := range tests {
		said := &transcript{}
		err := msi{action: "InstallMSI"}.reboot(said, test.code, test.wish)
		var reboot *Reboot
		if errors.As(err, &reboot) != test.reboot || reboot != nil && reboot.Again || said.text != test.said {
			t.Errorf("code %d, reboot %s: %#v, said %q", test.code, test.wish, err, said.text)
		}
	}
}

// transcript is a console that keeps what a module says.
type transcript struct {
	nowhere
	text string
}

func (s *transcript) Printf(_ Level, format string, args ...any) {
	s.text += fmt.Sprintf(format, args...) + "\n"
}
