// Package trace sends spans to a collector of OpenTelemetry, over OTLP/HTTP.
//
// Spans are recorded when they have ended. Their ids come from what they are
// of, so whoever knows a span's names can record its children, also in another
// process: what goes on after a restart is in the same trace.
//
// Recording never waits. Spans leave in batches; when the collector does not
// take them, those that do not fit into the queue are dropped. The bounds are
// those of the OpenTelemetry SDK, which its variables OTEL_BSP_… change.
package trace

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go.
type Config struct {
	URL     string            // that batches are posted to
	Headers map[string]string // of each post: whoever asks for a key gets it here
	Version string            // of this program
	Log     *slog.Logger
}

// Span is a piece of work that has ended.
type Span struct {
	Trace      string // names all of which this is a part
	ID         string // unique in the trace
	Parent     string // ID of the span that this one belongs to; empty: it is the first
	Name       string // for people
	Start, End time.Time
	Attributes map[string]string // those without a value are left out
	Error      string            // why it failed; empty: it did not
}

// Tracer records spans.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New starts a Tracer. Close it after use.
func New(c Config) (*Tracer, error) {
	own := resource.NewSchemaless(attribute.String("service.name", "ingot"), attribute.String("service.version", c.Version))
	all, err := resource.Merge(own, resource.Environment()) // the operator's word counts
	if err != nil {
		return nil, err
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(newExporter(c)), sdk.WithResource(all),
		sdk.WithIDGenerator(derived{}), sdk.WithSampler(sdk.AlwaysSample()))
	return &Tracer{provider: p, tracer: p.Tracer("ingot.dev/ingot")}, nil
}

// Close sends what waits, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Record takes a span. It may be called concurrently.
func (t *Tracer) Record(s Span) {
	ctx := context.WithValue(context.Background(), spanKey{}, s)
	if s.Parent != "" {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID(s.Trace), SpanID: spanID(s.Trace, s.Parent), TraceFlags: trace.FlagsSampled, Remote: true,
		}))
	}
	var attributes []attribute.KeyValue
	for key, value := range s.Attributes {
		if value != "" {
			attributes = append(attributes, attribute.String(key, clean(value)))
		}
	}
	_, span := t.tracer.Start(ctx, clean(s.Name), trace.WithTimestamp(s.Start), trace.WithAttributes(attributes...))
	if s.Error != "" {
		span.SetStatus(codes.Error, clean(s.Error))
	}
	span.End(trace.WithTimestamp(s.End))
}

// maxText bounds a text of a span, in bytes: an error may hold a console's end.
const maxText = 1 << 10

// clean makes a text one that the encoding takes: a single wrong byte would
// cost the whole batch.
func clean(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

type spanKey struct{}

// derived makes ids of names.
type derived struct{}

// NewIDs implements sdk.IDGenerator.
func (derived) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	s := ctx.Value(spanKey{}).(Span)
	return traceID(s.Trace), spanID(s.Trace, s.ID)
}

// NewSpanID implements sdk.IDGenerator.
func (derived) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	s := ctx.Value(spanKey{}).(Span)
	return spanID(s.Trace, s.ID)
}

func traceID(name string) (id trace.TraceID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}

func spanID(name, id string) (out trace.SpanID) {
	sum := sha256.Sum256([]byte(name + "\x00" + id))
	copy(out[:], sum[:])
	return out
}

// TraceID is the id of a trace in hex, as collectors show it.
func TraceID(name string) string { return traceID(name).String() }
