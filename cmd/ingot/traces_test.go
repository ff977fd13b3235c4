package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/trace"
)

// fakeCollector takes spans over OTLP/HTTP.
type fakeCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string]*tracepb.Span // by id
}

func newFakeCollector(t *testing.T) *fakeCollector {
	c := &fakeCollector{spans: map[string]*tracepb.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &in)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("POST %s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range in.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[string(s.SpanId)] = s
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// paths are the names of the spans behind those of their parents, and how often
// there is one.
func (c *fakeCollector) paths() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[string]int{}
	for _, s := range c.spans {
		path := s.Name
		for s.ParentSpanId != nil {
			parent := c.spans[string(s.ParentSpanId)]
			if parent == nil {
				path = "?/" + path
				break
			}
			path, s = parent.Name+"/"+path, parent
		}
		n[path]++
	}
	return n
}

// TestTraces builds an image with a server that is killed on the way. All of
// the build is in one trace, and the collector has it when the server is down.
func TestTraces(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	c := newFakeCollector(t)
	t.Setenv(varEndpoint, c.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // ms: what is not sent when a server is killed is lost
	p := newProcess(t)
	p.start()
	p.importBase()
	image := p.createImage(p.recipe("traced", model.CreateInfrastructureConfigurationRequest{}, slowComponent), false)
	const launch = "?/LaunchBuildInstance"
	p.eventually("the launch is in the trace", func() bool { return c.paths()[launch] == 1 })
	p.until(image, "in the middle")
	p.kill()
	p.start()
	if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
		t.Fatalf("the image is %s: %s", got.State.Status, got.State.Reason)
	}
	p.stop()

	root := "build " + filepath.Base(p.logDir(image))
	workflow := root + "/BUILDING/build-image/"
	want := map[string]int{
		root: 1, root + "/wait for a slot": 1, root + "/BUILDING": 1, root + "/BUILDING/build-image": 1, root + "/DISTRIBUTING": 1,
		workflow + "LaunchBuildInstance": 1, workflow + "LaunchBuildInstance/launch instance": 1, workflow + "LaunchBuildInstance/boot": 1,
		workflow + "ApplyBuildComponents": 1, workflow + "ApplyBuildComponents/traced-0 build": 1, workflow + "ApplyBuildComponents/traced-0 validate": 1,
		workflow + "InventoryCollection": 1, workflow + "RunSanitizeScript": 1, workflow + "RunSysPrepScript": 1,
		workflow + "CreateOutputAMI": 1, workflow + "CreateOutputAMI/snapshot": 1, workflow + "TerminateBuildInstance": 1,
	}
	if diff := cmp.Diff(want, c.paths()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for _, s := range c.spans {
		if id := hex.EncodeToString(s.TraceId); id != trace.TraceID(image) || s.Status != nil || s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%s: trace %s, want %s; status %v, from %d to %d", s.Name, id, trace.TraceID(image), s.Status, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
		if s.Name == "ApplyBuildComponents" && s.EndTimeUnixNano-s.StartTimeUnixNano < 1e9 {
			t.Error("the step that went on after the restart has lost the time before")
		}
	}
}

// TestTraceSettings: settings win over the variables of OpenTelemetry, and
// errors do not show keys.
func TestTraceSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("X-Key: a:b\n\nX-Team: c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings  traceSettings
		variables map[string]string
		want      trace.Config
		problem   string
	}{
		"none":         {want: trace.Config{}},
		"settings":     {traceSettings{"http://c:4318", file}, map[string]string{varEndpoint: "http://other"}, trace.Config{URL: "http://c:4318/v1/traces", Headers: map[string]string{"X-Key": "a:b", "X-Team": "c"}}, ""},
		"with a path":  {traceSettings{Endpoint: "https://c/otlp"}, nil, trace.Config{URL: "https://c/otlp"}, ""},
		"variable":     {traceSettings{}, map[string]string{varEndpoint: "http://c/base/", varHeaders: "x-key=a%20b,,y=c"}, trace.Config{URL: "http://c/base/v1/traces", Headers: map[string]string{"x-key": "a b", "y": "c"}}, ""},
		"for traces":   {traceSettings{}, map[string]string{varEndpoint: "http://c", varTracesEndpoint: "http://t/x"}, trace.Config{URL: "http://t/x"}, ""},
		"no URL":       {traceSettings{}, map[string]string{varEndpoint: "c:4318"}, trace.Config{}, varEndpoint},
		"a key, alone": {traceSettings{}, map[string]string{varEndpoint: "http://c", varHeaders: "hunter2"}, trace.Config{}, "header 1"},
		"no file":      {traceSettings{"http://c", file + "x"}, nil, trace.Config{}, "traces.headers"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{varEndpoint, varTracesEndpoint, varHeaders, varTracesHeaders} {
				t.Setenv(v, c.variables[v])
			}
			got, err := c.settings.config()
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("config() = %v, want an error with %q", err, c.problem)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("config() %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
