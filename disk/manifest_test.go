package disk

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sampleManifest() manifest {
	return manifest{
		manifestHeader: manifestHeader{
			ID: testID(1), Parent: testID(2), Size: 3*BlockSize + 512,
			Created: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
		},
		blocks: []block{{index: 0, digest: Digest{1}}, {index: 3, digest: Digest{2}}},
	}
}

func encoded(t testing.TB, m manifest) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := m.encode(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// resum replaces the checksum at the end by the right one.
func resum(data []byte) []byte {
	body := data[:len(data)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

func TestManifestRoundTrip(t *testing.T) {
	want := sampleManifest()
	got, err := decodeManifest(bytes.NewReader(encoded(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	want.Format, want.Blocks = manifestFormat, len(want.blocks)
	if d := cmp.Diff(want, got, cmp.AllowUnexported(manifest{}, block{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("decodeManifest(encode(m)) differs (-want +got):\n%s", d)
	}
}

func TestManifestDamage(t *testing.T) {
	with := func(change func(m *manifest)) []byte {
		m := sampleManifest()
		change(&m)
		return encoded(t, m)
	}
	good := encoded(t, sampleManifest())
	flipped := bytes.Clone(good)
	flipped[len(flipped)-sha256.Size-1] ^= 1
	tests := []struct {
		name string
		data []byte
		want string // part of the error
	}{
		{"empty", nil, "header line"},
		{"no newline", bytes.Repeat([]byte("x"), 2*manifestMaxLine), "header line of at most 4096 bytes"},
		{"cut", good[:len(good)-1], "reading the checksum"},
		{"cut in the list", good[:len(good)-sha256.Size-5], "reading block 1 of 2"},
		{"flipped bit", flipped, "the checksum is wrong"},
		{"tail", append(bytes.Clone(good), 0), "bytes follow the checksum"},
		{"future format", resum(bytes.Replace(good, []byte(`"format":1`), []byte(`"format":9`), 1)), "format 9"},
		{"no size", with(func(m *manifest) { m.Size = 0 }), "size 0"},
		{"too large", with(func(m *manifest) { m.Size = MaxSize + 1 }), "size 17592186044417"},
		{"out of order", with(func(m *manifest) { m.blocks[1].index = 0 }), "out of order"},
		{"beyond the end", with(func(m *manifest) { m.blocks[1].index = 4 }), "beyond the end"},
		{"too many blocks", with(func(m *manifest) { m.Size = 512 }), "2 blocks do not fit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeManifest(bytes.NewReader(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("decodeManifest = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(encoded(f, sampleManifest()))
	f.Add(encoded(f, manifest{manifestHeader: manifestHeader{ID: testID(3), Size: 1}}))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := decodeManifest(bytes.NewReader(encoded(t, m)))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if len(again.blocks) != len(m.blocks) || again.Size != m.Size || again.ID != m.ID {
			t.Errorf("read %v, wrote and read %v", m.manifestHeader, again.manifestHeader)
		}
	})
}

func TestDiff(t *testing.T) {
	a := []block{{0, Digest{1}}, {2, Digest{2}}, {5, Digest{3}}}
	b := []block{{0, Digest{1}}, {1, Digest{4}}, {2, Digest{5}}}
	want := []Change{{Index: 1, B: Digest{4}}, {Index: 2, A: Digest{2}, B: Digest{5}}, {Index: 5, A: Digest{3}}}
	if d := cmp.Diff(want, diff(a, b)); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
}

func TestMerge(t *testing.T) {
	base := []block{{0, Digest{1}}, {2, Digest{2}}, {5, Digest{3}}}
	changed := []block{{1, Digest{4}}, {2, Digest{}}, {5, Digest{6}}, {7, Digest{7}}}
	want := []block{{0, Digest{1}}, {1, Digest{4}}, {5, Digest{6}}, {7, Digest{7}}}
	if d := cmp.Diff(want, merge(base, changed), cmp.AllowUnexported(block{})); d != "" {
		t.Errorf("merge (-want +got):\n%s", d)
	}
}
