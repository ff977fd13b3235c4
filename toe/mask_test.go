package toe

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot/toe/module"
)

func TestMask(t *testing.T) {
	var m mask
	if in := []byte("text"); &m.bytes(in)[0] != &in[0] {
		t.Error("without a secret, bytes copies the text")
	}
	for _, secret := range []string{"", "pass", "password", `a"b\c`, "p&w d/%"} {
		m.add(secret)
	}
	tests := map[string]string{
		"password, pass":                          "*****, *****",
		fmt.Sprintf("open %q", `/x/a"b\c`):        `open "/x/*****"`,
		"http://h/" + url.PathEscape("p&w d/%"):   "http://h/*****",
		"http://h/?" + url.QueryEscape("p&w d/%"): "http://h/?*****",
		"nothing to hide":                         "nothing to hide",
	}
	for text, want := range tests {
		if got := m.text(text); got != want {
			t.Errorf("text(%q) = %q, want %q", text, got, want)
		}
	}
	values := []module.Values{{
		"text": "pass", "list": []string{"x", "a password"}, "map": map[string]string{"k": "pass"},
		"pairs": []module.Pair{{Name: "n", Value: "pass"}}, "number": int64(1), "yes": true,
	}}
	want := []module.Values{{
		"text": "*****", "list": []string{"x", "a *****"}, "map": map[string]string{"k": "*****"},
		"pairs": []module.Pair{{Name: "n", Value: "*****"}}, "number": int64(1), "yes": true,
	}}
	if diff := cmp.Diff(want, m.values(values)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for _, v := range []any{"my pass", fmt.Errorf("my pass")} {
		if got := m.attribute(nil, slog.Any("key", v)).Value.String(); got != "my *****" {
			t.Errorf("attribute of %v = %q", v, got)
		}
	}
}

// Whatever the secrets and the text, no secret is left in it. Only stars could
// stand for themselves.
func TestMaskHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m mask
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ab"\\ /é]{1,4}`), 1, 3).Draw(t, "secrets")
		text := rapid.StringMatching(`[ab"\\ /é]{0,20}`).Draw(t, "text") + strings.Join(secrets, "")
		for _, s := range secrets {
			m.add(s)
		}
		for _, s := range secrets {
			if got := m.text(text); strings.Contains(got, s) {
				t.Errorf("text(%q) = %q has the secret %q", text, got, s)
			}
		}
	})
}
