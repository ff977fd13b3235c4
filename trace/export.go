package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// exporter posts batches in the protobuf encoding of OTLP/HTTP. The SDK's own
// exporter does the same with gRPC linked in: 11 MB more of program and 8 MB of
// memory in every process, shims included.
type exporter struct {
	Config
	client  *http.Client
	failing atomic.Bool // the last batch was lost, and the log says so
}

func newExporter(c Config) *exporter {
	return &exporter{Config: c, client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}}
}

// ExportSpans implements sdk.SpanExporter. A batch that cannot be delivered in
// the time that ctx leaves is lost; the log says so once, until one arrives.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := proto.Marshal(encode(spans))
	if err == nil {
		err = e.deliver(ctx, body)
	}
	switch {
	case err != nil && !e.failing.Swap(true):
		e.Log.Warn("traces do not reach the collector and are lost until they do", slog.Any("error", err))
	case err == nil && e.failing.Swap(false):
		e.Log.Info("traces reach the collector again")
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

const (
	postTime  = 10 * time.Second       // of one attempt
	firstWait = 250 * time.Millisecond // before another attempt; it doubles
	maxAnswer = 4 << 10                // bytes of an answer that are read
)

// deliver posts until the collector takes the batch, refuses it, or ctx ends.
func (e *exporter) deliver(ctx context.Context, body []byte) error {
	for wait := firstWait; ; wait *= 2 {
		err := e.post(ctx, body)
		var refused refusal
		if err == nil || errors.As(err, &refused) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// refusal is an answer after which the same batch would get the same answer.
type refusal struct{ answer string }

func (r refusal) Error() string { return r.answer }

func (e *exporter) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return refusal{err.Error()}
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	for name, value := range e.Headers {
		req.Header.Set(name, value)
	}
	res, err := e.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("%s answered %s", req.URL.Host, res.Status) // those to try again, by OTLP
	}
	if res.StatusCode/100 != 2 {
		return refusal{fmt.Sprintf("%s answered %s", req.URL.Host, res.Status)}
	}
	return nil
}

// encode is a batch as OTLP has it: TracesData has the form of an
// ExportTraceServiceRequest, and does not bring gRPC along.
func encode(spans []sdk.ReadOnlySpan) *tracepb.TracesData {
	first := spans[0] // all are of one provider and one tracer
	scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: first.InstrumentationScope().Name}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, encodeSpan(s))
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: encodeAttributes(first.Resource().Attributes())},
		ScopeSpans: []*tracepb.ScopeSpans{scope},
	}}}
}

func encodeSpan(s sdk.ReadOnlySpan) *tracepb.Span {
	trace, id := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &tracepb.Span{
		TraceId: trace[:], SpanId: id[:], Name: s.Name(), Kind: tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: encodeAttributes(s.Attributes()),
		Flags:      uint32(s.SpanContext().TraceFlags()),
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	if status := s.Status(); status.Code == codes.Error {
		out.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: status.Description}
	}
	return out
}

func encodeAttributes(list []attribute.KeyValue) (out []*commonpb.KeyValue) {
	for _, kv := range list {
		value := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: kv.Value.String()}}
		out = append(out, &commonpb.KeyValue{Key: string(kv.Key), Value: value})
	}
	return out
}
