package toe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/module"
)

func TestMerged(t *testing.T) {
	var m merged
	m.add([]module.Values{{"stdout": "red", "code": int64(0)}, {"stdout": "x"}})
	m.add(nil)
	m.add([]module.Values{{"stdout": "blue", "code": int64(3)}})
	want := []module.Values{{"stdout": "red\nblue", "code": "0\n3"}, {"stdout": "x"}}
	if diff := cmp.Diff(want, m.values()); diff != "" || m.dropped {
		t.Errorf("values (-want +got), dropped %v:\n%s", m.dropped, diff)
	}
	for range 3 {
		m.add([]module.Values{{"stdout": strings.Repeat("é", module.MaxCapture/2-1)}})
	}
	if got := m.values()[0].String("stdout"); !m.dropped || len(got) > module.MaxCapture+3 || !strings.HasSuffix(got, "éé") {
		t.Errorf("%d bytes, dropped %v; want the last %d", len(got), m.dropped, module.MaxCapture)
	}
}
