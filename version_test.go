package ingot

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParseVersion(t *testing.T) {
	for text, fixed := range map[string]int{
		"1.2.3": 3, "2019.12.03": 3, "0.0.0": 3, "1073741823.0.0": 3, "1.2.x": 2, "1.x.x": 1, "x.x.x": 0,
		"1.0": -1, "1.0.0.0": -1, "1.0.1073741824": -1, "x.2.x": -1, "1.x.8": -1, "x.x.1": -1, "": -1,
		"1..2": -1, "-1.0.0": -1, "+1.0.0": -1, "1.0.0 ": -1, "1.0.X": -1, "1.0.٣": -1, "1.0.99999999999999999999": -1,
	} {
		v, err := ParseVersion(text)
		if fixed < 0 {
			if ErrorCode(err) != CodeVersion {
				t.Errorf("ParseVersion(%q) = %v, %v; want CodeVersion", text, v, err)
			}
			continue
		}
		if err != nil || v.Fixed() != fixed || v.String() != text {
			t.Errorf("ParseVersion(%q) = %v with %d fixed nodes, %v; want %d", text, v, v.Fixed(), err, fixed)
		}
	}
}

func parseVersion(t testing.TB, text string) Version {
	t.Helper()
	if text == "" {
		return Version{}
	}
	v, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAllocate(t *testing.T) {
	for _, test := range []struct{ pattern, highest, want string }{
		{"1.0.x", "1.0.0", "1.0.1"},
		{"1.0.x", "", "1.0.0"},
		{"1.x.x", "1.4.2", "1.5.0"},
		{"1.x.x", "", "1.0.0"},
		{"x.x.x", "2.3.4", "3.0.0"},
		{"x.x.x", "", "1.0.0"},
		{"0.0.x", "", "0.0.1"},
		{"0.0.x", "0.0.1", "0.0.2"},
		{"0.x.x", "", "0.1.0"},
		{"1.2.3", "", "1.2.3"},
		{"2019.12.x", "2019.12.03", "2019.12.4"},
		{"1.0.x", "1.0.1073741823", ""},
	} {
		got, err := parseVersion(t, test.pattern).Allocate(parseVersion(t, test.highest))
		if test.want == "" {
			if ErrorCode(err) != CodeVersion {
				t.Errorf("Allocate(%s, %s) = %s, %v; want CodeVersion", test.pattern, test.highest, got, err)
			}
		} else if err != nil || got.String() != test.want {
			t.Errorf("Allocate(%s, %s) = %s, %v; want %s", test.pattern, test.highest, got, err, test.want)
		}
	}
}

func TestVersionTerm(t *testing.T) {
	for filter, want := range map[string]string{
		"1": "1", "1.2": "1.2", "1.x.x": "1", "1.2.x": "1.2", "1.02.3": "1.2.3", "1.0.0/3": "1.0.0/3", "x": "", "x.x.x": "",
		"1.x": "1", "a": "!", "1.0.0/0": "!", "1.x.x/1": "!", "1.0.0/x": "!", "1.2.3.4": "!", "": "!",
	} {
		got, ok := VersionTerm(filter)
		if (want == "!") == ok || ok && got != want {
			t.Errorf("VersionTerm(%q) = %q, %t; want %q", filter, got, ok, want)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"1.2.3", "x.x.x", "1.x.8", "2019.12.03", "1.0", "1.0.1073741824"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVersion(text)
		if err != nil {
			return
		}
		if v.String() != text {
			t.Errorf("ParseVersion(%q).String() = %q", text, v)
		}
		again, err := ParseVersion(v.Number())
		if err != nil || !again.Equal(v) || !v.Matches(again) {
			t.Errorf("ParseVersion(%q) = %v, %v, which is not %q", v.Number(), again, err, text)
		}
	})
}

// drawVersion makes a concrete version, written with or without leading zeros.
func drawVersion(rt *rapid.T, label string) Version {
	node := rapid.SampledFrom([]string{"0", "1", "01", "2", "9", "10", "1073741823"})
	v, err := ParseVersion(node.Draw(rt, label) + "." + node.Draw(rt, label) + "." + node.Draw(rt, label))
	if err != nil {
		rt.Fatal(err)
	}
	return v
}

func TestVersionProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v, w := drawVersion(rt, "v"), drawVersion(rt, "w")
		if v.Compare(w) != -w.Compare(v) || (v.Compare(w) == 0) != v.Equal(w) || v.Equal(w) != (v.Number() == w.Number()) {
			rt.Errorf("order, equality and number of %s and %s disagree", v, w)
		}
		n := rapid.IntRange(0, 3).Draw(rt, "fixed")
		pattern := v.Wildcard(n)
		if !pattern.Matches(v) || pattern.Fixed() != n {
			rt.Errorf("%s.Wildcard(%d) = %s, which does not match", v, n, pattern)
		}
		if !pattern.Matches(w) {
			return
		}
		next, err := pattern.Allocate(w)
		if err != nil || n == 3 {
			return
		}
		if !pattern.Matches(next) || next.Compare(w) <= 0 {
			rt.Errorf("%s.Allocate(%s) = %s, want a later match", pattern, w, next)
		}
	})
}
