package trace_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"ingot.dev/ingot/trace"
)

// fakeCollector takes what OTLP/HTTP posts, and decodes it with the protocol's
// own messages.
type fakeCollector struct {
	*httptest.Server
	answers []int // to the first posts; then 200

	mu     sync.Mutex
	posts  []*collector.ExportTraceServiceRequest
	header http.Header // of the last post
}

func newFakeCollector(t *testing.T, answers ...int) *fakeCollector {
	c := &fakeCollector{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		in := new(collector.ExportTraceServiceRequest)
		if err == nil {
			err = proto.Unmarshal(body, in)
		}
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s with %s: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.answers) > 0 {
			w.WriteHeader(c.answers[0])
			c.answers = c.answers[1:]
			return
		}
		c.posts, c.header = append(c.posts, in), r.Header
	}))
	t.Cleanup(c.Close)
	return c
}

type span struct{ Trace, ID, Parent, Name, Kind, Error string }

func (c *fakeCollector) spans() (list []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.posts {
		for _, r := range p.ResourceSpans {
			for _, s := range r.ScopeSpans[0].Spans {
				got := span{Trace: string(s.TraceId), ID: string(s.SpanId), Parent: string(s.ParentSpanId), Name: s.Name, Error: s.GetStatus().GetMessage()}
				for _, a := range s.Attributes {
					if a.Key == "kind" {
						got.Kind = a.Value.GetStringValue()
					}
				}
				list = append(list, got)
			}
		}
	}
	return list
}

func open(t *testing.T, c trace.Config) *trace.Tracer {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	tracer, err := trace.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// TestTrace records two spans in two processes: they are of one trace, and the
// child names the parent's id although it was there first.
func TestTrace(t *testing.T) {
	c := newFakeCollector(t, http.StatusServiceUnavailable) // tried again
	for _, s := range []trace.Span{
		{
			Trace: "run", ID: "step", Parent: "build", Name: "step", Start: noon, End: noon.Add(time.Second), Error: "no \xff disk",
			Attributes: map[string]string{"kind": "step", "action": ""},
		},
		{Trace: "run", ID: "build", Name: "build", Start: noon, End: noon.Add(time.Minute)},
	} {
		tracer := open(t, trace.Config{URL: c.URL, Version: "1.2", Headers: map[string]string{"X-Key": "k"}})
		tracer.Record(s)
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := c.spans()
	if len(got) != 2 {
		t.Fatalf("%d spans arrived, want 2", len(got))
	}
	want := []span{
		{Trace: got[1].Trace, ID: got[0].ID, Parent: got[1].ID, Name: "step", Kind: "step", Error: "no  disk"},
		{Trace: got[1].Trace, ID: got[1].ID, Name: "build"},
	}
	if diff := cmp.Diff(want, got); diff != "" || got[0].ID == got[1].ID || len(got[0].Trace) != 16 || len(got[0].ID) != 8 {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	first := c.posts[0].ResourceSpans[0]
	s := first.ScopeSpans[0].Spans[0]
	if s.StartTimeUnixNano != uint64(noon.UnixNano()) || s.EndTimeUnixNano-s.StartTimeUnixNano != 1e9 || len(s.Attributes) != 1 {
		t.Errorf("the span is %v", s)
	}
	resource := map[string]string{}
	for _, a := range first.Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if resource["service.name"] != "ingot" || resource["service.version"] != "1.2" || c.header.Get("X-Key") != "k" {
		t.Errorf("the resource is %v, the header %v", resource, c.header)
	}
}

// TestNothingWaits: a collector that does not answer costs whoever records
// nothing, and the end no more than it is given.
func TestNothingWaits(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	tracer := open(t, trace.Config{URL: silent.URL})
	begun := time.Now()
	for range 10_000 { // more than the queue holds
		tracer.Record(trace.Span{Trace: "run", ID: "x", Name: "x", Start: noon, End: noon})
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("recording took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun = time.Now()
	_ = tracer.Close(ctx) // says that time was up, or nothing
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("closing took %s with 50 ms to do it in", took)
	}
}

// TestRefused: what a collector refuses is not sent again, and the log says so once.
func TestRefused(t *testing.T) {
	c := newFakeCollector(t, http.StatusBadRequest, http.StatusUnauthorized)
	var log bytes.Buffer
	for range 2 {
		tracer := open(t, trace.Config{URL: c.URL, Log: slog.New(slog.NewTextHandler(&log, nil)), Headers: map[string]string{"X-Key": "hunter2"}})
		tracer.Record(trace.Span{Trace: "run", ID: "x", Name: "x", Start: noon, End: noon})
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.spans()); n != 0 || len(c.answers) != 0 {
		t.Errorf("%d spans arrived after a refusal, %d answers are left", n, len(c.answers))
	}
	if text := log.String(); strings.Count(text, "traces do not reach the collector") != 2 || !strings.Contains(text, "401 Unauthorized") || strings.Contains(text, "hunter2") {
		t.Errorf("the log:\n%s", text)
	}
}
