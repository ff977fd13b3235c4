package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkRequest is what a signed request costs, without the network.
func BenchmarkRequest(b *testing.B) {
	s := start(b)
	for i := range 100 {
		s.createComponent(fmt.Sprintf("bench-%d", i), "1.0.0", docBuild)
	}
	for name, r := range map[string]struct{ method, path, body string }{
		"Get":  {http.MethodGet, "/GetComponent?componentBuildVersionArn=" + own + "component/bench-50/1.0.0/1", ""},
		"List": {http.MethodPost, "/ListComponents", `{}`},
		"Tag":  {http.MethodPost, "/tags/" + own + "component%2Fbench-50%2F1.0.0%2F1", `{"tags":{"a":"b"}}`},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				request, err := http.NewRequest(r.method, s.URL+r.path, bytes.NewReader([]byte(r.body)))
				if err != nil {
					b.Fatal(err)
				}
				s.sign(request, []byte(r.body), secret, s.now())
				answer := httptest.NewRecorder()
				s.handler.ServeHTTP(answer, request)
				if answer.Code != http.StatusOK {
					b.Fatalf("%d %s", answer.Code, answer.Body)
				}
			}
		})
	}
}
