package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	prommodel "github.com/prometheus/common/model"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

const metricsComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: work
        action: ExecuteBash
        inputs: {commands: [echo counted > /opt/counted]}
`

// TestMetrics builds an image and reads what was counted, as Prometheus would.
func TestMetrics(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	t.Setenv("INGOT_METRICS", "127.0.0.1:0")
	p.start()
	p.importBase()
	address := regexp.MustCompile(`msg=metrics address=(\S+)`).FindStringSubmatch(p.log.String())
	if address == nil {
		t.Fatalf("the log does not say where metrics are:\n%s", p.log)
	}
	for _, path := range []string{"/", "/healthz", "/ListImages"} {
		if res, err := http.Get("http://" + address[1] + path); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s at the address of metrics: %v, %v; want 404", path, res, err)
		} else {
			res.Body.Close()
		}
	}
	before := scrape(t, "http://"+address[1]+"/metrics")
	want(t, before, `ingot_build_slots_used`, 0)
	image := p.createImage(p.recipe("counted", model.CreateInfrastructureConfigurationRequest{}, metricsComponent), false)
	p.until(image, "ApplyBuildComponents began")
	during := scrape(t, "http://"+address[1]+"/metrics")
	want(t, during, `ingot_builds status=BUILDING`, 1)
	want(t, during, `ingot_build_slots_used`, 1)
	want(t, during, `ingot_instances kind=container`, 1)
	if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
		t.Fatalf("the image is %s: %s", got.State.Status, got.State.Reason)
	}
	p.eventually("the slot is free", func() bool {
		return scrape(t, p.API.Endpoint+"/metrics")["ingot_build_slots_used"] == 0
	})
	after := scrape(t, p.API.Endpoint+"/metrics") // the API's address serves the same
	for name, n := range map[string]float64{
		`ingot_build_seconds status=AVAILABLE`:                               1,
		`ingot_queue_wait_seconds`:                                           1,
		`ingot_build_step_seconds action=LaunchInstance status=COMPLETED`:    1,
		`ingot_build_step_seconds action=ExecuteComponents status=COMPLETED`: 1,
		`ingot_build_step_seconds action=CreateImage status=COMPLETED`:       1,
		`ingot_build_step_seconds action=TerminateInstance status=COMPLETED`: 1,
		`ingot_queue_builds`:                                        0,
		`ingot_instances kind=container`:                            0,
		`ingot_instances kind=qemu`:                                 0,
		`ingot_outbox_deliveries`:                                   0,
		`ingot_outbox_dead_deliveries`:                              0,
		`ingot_api_requests_total operation=CreateImage status=200`: 1,
		`ingot_builds status=BUILDING`:                              0,
	} {
		want(t, after, name, n)
	}
	grew := after["ingot_blocks region=us-east-1"] - before["ingot_blocks region=us-east-1"]
	uses := after["ingot_block_uses region=us-east-1"] - before["ingot_block_uses region=us-east-1"]
	if grew <= 0 || uses <= 4*grew {
		t.Errorf("the image added %g blocks and %g uses of them; it shares nearly all with its parent", grew, uses)
	}
	if after["ingot_block_written_bytes_total region=us-east-1"] <= 0 {
		t.Error("no bytes of blocks were written")
	}
}

func want(t *testing.T, got map[string]float64, name string, n float64) {
	t.Helper()
	if got[name] != n {
		t.Errorf("%s is %g, want %g", name, got[name], n)
	}
}

// scrape reads metrics with the parser of Prometheus, as "name label=value …";
// of a histogram how many it has seen.
func scrape(t *testing.T, url string) map[string]float64 {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body) // for the message
		t.Fatalf("GET %s: %s %s", url, res.Status, text)
	}
	parser := expfmt.NewTextParser(prommodel.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			all[name+labels(m)] = value(m)
		}
	}
	return all
}

func labels(m *dto.Metric) (text string) {
	var list []string
	for _, l := range m.Label {
		list = append(list, fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue()))
	}
	slices.Sort(list)
	for _, l := range list {
		text += l
	}
	return text
}

func value(m *dto.Metric) float64 {
	if h := m.GetHistogram(); h != nil {
		return float64(h.GetSampleCount())
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
}
