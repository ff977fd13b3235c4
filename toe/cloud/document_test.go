package cloud_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

const webARN = "arn:aws:imagebuilder:eu-west-1:111122223333:component/web/1.x.x"

// TestComponent reads components of a server that answers badly. A real one is
// read in package api.
func TestComponent(t *testing.T) {
	t.Parallel()
	const good = `{"component": {"arn": "arn:…/web/1.2.0/1", "data": "name: web"}}`
	for _, tt := range []struct {
		name    string
		answers []string // status and body, the last one again and again
		want    string   // the document, or part of the error
		calls   int
	}{
		{"good", []string{"200 " + good}, "name: web", 1},
		{"overloaded", []string{"503 ", `429 {"__type": "TooManyRequestsException"}`, "200 " + good}, "name: web", 3},
		{"always overloaded", []string{`500 {"__type": "ServiceException", "message": "no time"}`}, "ServiceException: no time", 3},
		{"absent", []string{`404 {"__type": "a.b#ResourceNotFoundException", "message": "it is not there"}`}, "reading component " + webARN + ": ResourceNotFoundException: it is not there", 1},
		{"of a proxy", []string{"407 <html>no</html>"}, "407 Proxy Authentication Required", 1},
		{"not JSON", []string{"200 <html>"}, "decoding the answer of http://", 1},
		{"obfuscated", []string{`200 {"component": {"arn": "x"}}`}, "the service does not give out its document", 1},
		{"endless", []string{"200 endless"}, "more than 8388608 bytes", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // the pauses between repetitions are the SDK's
			calls := 0
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.URL.Query().Get("componentBuildVersionArn"); got != webARN || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/imagebuilder/") {
					t.Errorf("request for %q with %q", got, r.Header.Get("Authorization"))
				}
				status, body, _ := strings.Cut(tt.answers[min(calls, len(tt.answers)-1)], " ")
				calls++
				var code int
				fmt.Sscan(status, &code)
				w.WriteHeader(code)
				for body == "endless" {
					if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
						return
					}
				}
				io.WriteString(w, body)
			}))
			defer fake.Close()
			client := newClient(t, cloudtest.Environment{
				"AWSTOE_IMAGEBUILDER_ENDPOINT": fake.URL + "/", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
			})
			data, name, err := client.Document(t.Context(), webARN, "", 1000)
			if !strings.Contains(fmt.Sprint(string(data), err), tt.want) || err == nil && name != "arn:…/web/1.2.0/1" || calls != tt.calls {
				t.Errorf("Document = %q, %s, %v after %d calls; want %q after %d", data, name, err, calls, tt.want, tt.calls)
			}
		})
	}
}

func TestDocumentNames(t *testing.T) {
	client := newClient(t, cloudtest.Environment{})
	for _, name := range []string{
		"s3://documents", "s3://documents/", "s3:///key", "s3://doc uments/key", "s3://b/" + strings.Repeat("k", 1025),
		"arn:aws:imagebuilder:us-east-1:111122223333:image/web/1.0.0", "arn:aws:imagebuilder:us-east-1/../evil:111122223333:component/web/1.0.0",
	} {
		if _, _, err := client.Document(t.Context(), name, "", 5); err == nil || !strings.Contains(err.Error(), "write ") && !strings.Contains(err.Error(), "no ' '") && !strings.Contains(err.Error(), "more than 1024") {
			t.Errorf("Document(%.80q) = %v; want an error that says how to write it", name, err)
		}
	}
	for name, want := range map[string]bool{"web.yml": false, "/s3://x": false, "s3://b/k": true, webARN: true} {
		if got := cloud.IsRemote(name); got != want {
			t.Errorf("IsRemote(%s) = %v", name, got)
		}
	}
}
