package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"ingot.dev/ingot/trace"
)

// traceSettings say where spans of builds go.
type traceSettings struct {
	// Endpoint is the URL of a collector's OTLP/HTTP receiver; empty: as the
	// variables of OpenTelemetry say, or nowhere. Without a path it is /v1/traces.
	Endpoint string `yaml:"endpoint" json:"endpoint"`
	// Headers is a file with headers of each post, one a line as NAME: VALUE.
	Headers string `yaml:"headers" json:"headers"`
}

func (t traceSettings) check() error {
	if t.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("setting traces.endpoint %q: must be a URL such as http://127.0.0.1:4318", t.Endpoint)
	}
	return nil
}

// The variables of OpenTelemetry's specification, which the SDK's exporter
// would read.
const (
	varTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" // as it is
	varEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"        // /v1/traces is added
	varTracesHeaders  = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"  // a=b,c=d, escaped as in URLs
	varHeaders        = "OTEL_EXPORTER_OTLP_HEADERS"
)

const tracesPath = "/v1/traces"

// config is where spans go; without a URL nowhere.
func (t traceSettings) config() (trace.Config, error) {
	c := trace.Config{URL: t.Endpoint}
	if u, err := url.Parse(c.URL); err == nil && c.URL != "" && (u.Path == "" || u.Path == "/") {
		c.URL = u.JoinPath(tracesPath).String()
	}
	if c.URL == "" {
		c.URL = os.Getenv(varTracesEndpoint)
	}
	if base := os.Getenv(varEndpoint); c.URL == "" && base != "" {
		c.URL = strings.TrimSuffix(base, "/") + tracesPath
	}
	if err := (traceSettings{Endpoint: c.URL}).check(); err != nil {
		return c, fmt.Errorf("%w (it may come from %s or %s)", err, varTracesEndpoint, varEndpoint)
	}
	var err error
	c.Headers, err = t.headers()
	return c, err
}

func (t traceSettings) headers() (map[string]string, error) {
	if t.Headers != "" {
		data, err := os.ReadFile(t.Headers)
		if err != nil {
			return nil, fmt.Errorf("setting traces.headers: %w", err)
		}
		return splitHeaders("setting traces.headers", strings.Split(string(data), "\n"), ":")
	}
	for _, name := range []string{varTracesHeaders, varHeaders} {
		if v := os.Getenv(name); v != "" {
			return splitHeaders(name, strings.Split(v, ","), "=")
		}
	}
	return nil, nil
}

// splitHeaders reads "name SEPARATOR value" texts. Errors do not show them, as
// values are secrets.
func splitHeaders(where string, texts []string, separator string) (map[string]string, error) {
	headers := map[string]string{}
	for i, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		name, value, ok := strings.Cut(text, separator)
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("%s: header %d has no %q behind its name", where, i+1, separator)
		}
		if separator == "=" {
			var err error
			if value, err = url.PathUnescape(value); err != nil {
				return nil, fmt.Errorf("%s: header %d is not escaped as in URLs", where, i+1)
			}
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}
