package module_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// What CreateFile writes in an encoding, ReadFile reads back, and
// SetFileEncoding writes the same bytes.
func TestEncodingsRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		encoding := rapid.SampledFrom([]string{"utf8", "UTF-16", "utf16-LE", "utf-16-be", "utf32", "utf-32-LE", "UTF32-BE"}).Draw(r, "encoding")
		_, err := call(t, "CreateFile", dir, entry{"path": "direct", "content": text, "encoding": encoding}, entry{"path": "converted", "content": "\ufeff" + text})
		if err != nil {
			r.Fatal(err)
		}
		if _, err := call(t, "SetFileEncoding", dir, entry{"path": "converted", "encoding": encoding}); err != nil {
			r.Fatal(err)
		}
		direct, err1 := os.ReadFile(filepath.Join(dir, "direct"))
		converted, err2 := os.ReadFile(filepath.Join(dir, "converted"))
		if err1 != nil || err2 != nil || string(direct) != string(converted) {
			r.Errorf("SetFileEncoding(%q, %s) = % x, CreateFile wrote % x (%v, %v)", text, encoding, converted, direct, err1, err2)
		}
		out, err := call(t, "ReadFile", dir, entry{"path": "direct", "encoding": encoding})
		// A mark at the start of the text is one for the reader, too.
		if want := text; err != nil || len(out) != 1 || out[0].String("content") != want && "\ufeff"+out[0].String("content") != want {
			r.Errorf("ReadFile(%s) = %q, %v; want %q", encoding, out, err, want)
		}
	})
}
