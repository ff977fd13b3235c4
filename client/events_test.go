package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadEvents: an event that was cut off does not count.
func TestReadEvents(t *testing.T) {
	const text = "retry: 1000\n\nid: 8\ndata: {\"n\":1}\n\n:\n\nid: 9\nevent: end\ndata:x\n\nid: 20\ndata: cut\n"
	want := []string{"8  {\"n\":1}", "9 end x"}
	for cut := range len(text) + 1 {
		var got []string
		err := readEvents(strings.NewReader(text[:cut]), func(e Event) error {
			got = append(got, e.ID+" "+e.Type+" "+string(e.Data))
			return nil
		})
		n := 0
		for _, end := range []string{"1}\n\n", "x\n\n"} {
			if strings.Contains(text[:cut], end) {
				n++
			}
		}
		if diff := cmp.Diff(want[:n], append([]string{}, got...)); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text[:cut], err, diff)
		}
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add("id: 8\ndata: x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		events := 0
		if err := readEvents(strings.NewReader(text), func(Event) error { events++; return nil }); err != nil {
			t.Fatal(err)
		}
		if most := strings.Count(text, "data"); events > most {
			t.Errorf("%d events in a text with %d of data", events, most)
		}
	})
}

// TestEvents: the client says where it goes on, and tells a refusal from an end.
func TestEvents(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") != "7" || r.URL.Query().Get("stream") != "1.0.0/1" || r.Header.Get("Authorization") == "" {
			w.Header().Set("X-Amzn-ErrorType", "InvalidParameterValueException")
			http.Error(w, `{"message": "no"}`, http.StatusBadRequest)
			return
		}
		w.Write([]byte("id: 8\ndata: x\n\n"))
	}))
	defer s.Close()
	c := &Client{Endpoint: s.URL, Region: "us-east-1", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	q := url.Values{"stream": {"1.0.0/1"}}
	last := "7"
	if err := c.Events(t.Context(), "/logs/events", q, last, func(e Event) error { last = e.ID; return nil }); err != nil || last != "8" {
		t.Errorf("after the events of the answer: %q, %v", last, err)
	}
	var refused *Error
	if err := c.Events(t.Context(), "/logs/events", q, "", nil); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || refused.Message != "no" {
		t.Errorf("a refusal is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Events(ctx, "/logs/events", q, "7", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller went away: %v", err)
	}
}
