package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

var now = time.Unix(1_790_000_000, 0)

// write makes a file in a folder of the test.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// send checks an endpoint and sends it a message, once.
func send(t testing.TB, e endpoint, m ingot.Message) error {
	t.Helper()
	if err := errors.Join(e.check(), e.checkFiles()); err != nil {
		t.Fatal(err)
	}
	s := e.sender()
	defer s.close()
	return s.send(t.Context(), ingot.Delivery{Message: m, Attempts: 2}, now)
}

// kept is a request as a server got it.
type kept struct {
	header http.Header
	body   []byte
}

// keeper is a server that keeps the requests it gets.
func keeper(t testing.TB) (address string, requests chan kept) {
	requests = make(chan kept, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- kept{r.Header, body}
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

const secret = "0123456789abcdef0123456789abcdef"

func TestWebhookEvent(t *testing.T) {
	address, requests := keeper(t)
	hook := &Webhook{URLFile: write(t, "url", address+"/in?key=k\n"), SecretFile: write(t, "key", secret+"\n")}
	m := event(1, 2)
	if err := send(t, hook, m); err != nil {
		t.Fatal(err)
	}
	r := <-requests
	if !bytes.Equal(r.body, m.Body) {
		t.Errorf("body %s, want %s", r.body, m.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Ingot-Message-Id": "1-2", "Ingot-Attempt": "3", "User-Agent": "Ingot",
		// printf '1790000000.{"image":1,"n":2}' | openssl dgst -sha256 -hmac "$secret"
		SignatureHeader: "t=1790000000,v1=53c0dd5a9a8d4165fd187fbd0fd0bb4fb6db9a69c500a91ae17a7495e950f8ea",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
}

func TestWebhookTopic(t *testing.T) {
	address, requests := keeper(t)
	m := event(1, 2)
	m.Channel, m.Name = ingot.ChannelTopic, topicARN
	if err := send(t, &Webhook{URL: address}, m); err != nil {
		t.Fatal(err)
	}
	r := <-requests
	want := map[string]any{
		"Type": "Notification", "MessageId": "1-2", "TopicArn": topicARN, "Subject": "event 1-2",
		"Message": `{"image":1,"n":2}`, "Timestamp": "2026-09-21T14:13:20.000Z",
	}
	var got map[string]any
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notification (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": "Notification",
		"X-Amz-Sns-Message-Id": "1-2", "X-Amz-Sns-Topic-Arn": topicARN, SignatureHeader: "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
}

// TestWebhookAnswers: what is not 2xx is a failure, whatever else it is.
func TestWebhookAnswers(t *testing.T) {
	elsewhere, requests := keeper(t)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string // empty: taken
	}{
		"accepted": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, ""},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, ""},
		"refusal": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "a\x00\nb", http.StatusForbidden) }, "answered 403 Forbidden: a\x00 b"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, "redirects are not followed"},
		"huge header":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "exceeded"},
		"endless no":   {endlessRefusal, "answered 500 Internal Server Error: xxx"},
		"late":         {late, "exceeded"},
		"disconnected": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			limit := Duration(10 * time.Second)
			if name == "late" {
				limit = Duration(50 * time.Millisecond)
			}
			err := send(t, &Webhook{URL: server.URL, Timeout: limit}, event(1, 1))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
	if n := len(requests); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func late(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.ReadAll(r.Body) // the server notices that the client leaves when it has read
	<-r.Context().Done()
}

func endlessRefusal(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusInternalServerError)
	for {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
			return
		}
	}
}

// TestWebhookTLS: a server whose authority is unknown gets nothing.
func TestWebhookTLS(t *testing.T) {
	got := make(chan struct{}, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{} }))
	defer server.Close()
	server.Config.ErrorLog = nil
	err := send(t, &Webhook{URL: server.URL + "/secret-path"}, event(1, 1))
	if err == nil || !strings.Contains(err.Error(), "certificate") || len(got) != 0 {
		t.Errorf("without its authority: %v, %d requests", err, len(got))
	}
	if err != nil && strings.Contains(err.Error(), "secret-path") {
		t.Errorf("the error holds the URL, which may be a secret: %v", err)
	}
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err := send(t, &Webhook{URL: server.URL, CAFile: write(t, "ca.pem", ca)}, event(1, 1)); err != nil || len(got) != 1 {
		t.Errorf("with its authority: %v, %d requests", err, len(got))
	}
}

func TestWebhookNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = send(t, &Webhook{URL: "http://" + address}, event(1, 1))
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v, want that the connection was refused", err)
	}
}

// TestSecretIsReadAgain: a key can be replaced under a running server.
func TestSecretIsReadAgain(t *testing.T) {
	address, requests := keeper(t)
	key := write(t, "key", secret)
	hook := (&Webhook{URL: address, SecretFile: key}).sender()
	defer hook.close()
	for _, s := range []string{secret, strings.Repeat("z", 32)} {
		if err := os.WriteFile(key, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		m := event(1, 1)
		if err := hook.send(context.Background(), ingot.Delivery{Message: m}, now); err != nil {
			t.Fatal(err)
		}
		if got, want := (<-requests).header.Get(SignatureHeader), Signature([]byte(s), m.Body, now); got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := hook.send(context.Background(), ingot.Delivery{Message: event(1, 1)}, now); err == nil || len(requests) != 0 {
		t.Errorf("without its key: %v, %d requests; want nothing sent unsigned", err, len(requests))
	}
}

// TestSettingsMistakes: each has its path and its rule.
func TestSettingsMistakes(t *testing.T) {
	short, noPEM := write(t, "short", "abc"), write(t, "no.pem", "abc")
	good := &Webhook{URL: "http://127.0.0.1:1"}
	mail := func(change func(*Mail)) Endpoint {
		m := &Mail{Host: "mail.example.com", From: "Ingot <ingot@example.com>", To: []string{"ops@example.com"}}
		change(m)
		return Endpoint{Mail: m}
	}
	for _, test := range []struct {
		e    Endpoint
		want string
	}{
		{Endpoint{}, "endpoints.e: has 0 of webhook"},
		{Endpoint{Webhook: good, File: &File{Path: "/x"}}, "endpoints.e: has 2 of webhook"},
		{Endpoint{Webhook: &Webhook{}}, "endpoints.e.webhook.url: give one of url and urlFile"},
		{Endpoint{Webhook: &Webhook{URL: "http://a", URLFile: "/b"}}, "endpoints.e.webhook.url: give one"},
		{Endpoint{Webhook: &Webhook{URL: "ftp://a"}}, "endpoints.e.webhook.url: a URL begins with http"},
		{Endpoint{Webhook: &Webhook{URL: "http://u:p@a"}}, "endpoints.e.webhook.url: a URL has no user name and password here"},
		{Endpoint{Webhook: &Webhook{URL: "http://a", SecretFile: "key"}}, `endpoints.e.webhook.secretFile: "key" is not an absolute path`},
		{Endpoint{Webhook: &Webhook{URL: "http://a", SecretFile: short}}, "endpoints.e.webhook.secretFile: " + short + " has less than 16 bytes"},
		{Endpoint{Webhook: &Webhook{URL: "http://a", CAFile: noPEM}}, "endpoints.e.webhook.caFile: " + noPEM + " has no certificate"},
		{Endpoint{Webhook: &Webhook{URLFile: "/does/not/exist"}}, "endpoints.e.webhook.urlFile: open /does/not/exist"},
		{Endpoint{Command: &Command{}}, "endpoints.e.command.args: begins with the absolute path"},
		{Endpoint{Command: &Command{Args: []string{"/etc"}}}, "endpoints.e.command.args: /etc is not a program"},
		{Endpoint{File: &File{Path: "x"}}, `endpoints.e.file.path: "x" is not an absolute path`},
		{Endpoint{File: &File{Path: "/does/not/exist"}}, "endpoints.e.file.path: open"},
		{mail(func(m *Mail) { m.Host = "" }), "endpoints.e.mail.host: is missing"},
		{mail(func(m *Mail) { m.TLS = "ssl" }), `endpoints.e.mail.tls: "ssl" is none of`},
		{mail(func(m *Mail) { m.From = "x" }), `endpoints.e.mail.from: "x" is not an address`},
		{mail(func(m *Mail) { m.To = nil }), "endpoints.e.mail.to: names nobody"},
		{mail(func(m *Mail) { m.To = []string{"a@b", "c\r\nBcc: d@e"} }), "endpoints.e.mail.to[1]:"},
		{mail(func(m *Mail) { m.Username = "u" }), "endpoints.e.mail.username: comes with passwordFile"},
		{mail(func(m *Mail) { m.Username, m.PasswordFile, m.TLS = "u", short, "none" }), "endpoints.e.mail.tls: none would send the password in the clear"},
	} {
		s := settings(map[string]Endpoint{"e": test.e})
		err := s.Check()
		if err == nil {
			err = s.checkFiles()
		}
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	for want, change := range map[string]func(*Settings){
		`endpoints.a b: a name is`:                          func(s *Settings) { s.Endpoints["a b"] = Endpoint{Webhook: good} },
		`attempts: 0 is not`:                                func(s *Settings) { s.Attempts = 0 },
		`events[1].types: unknown type "Image State"`:       func(s *Settings) { s.Events = append(s.Events, Rule{Types: []ingot.EventType{"Image State"}}) },
		`events[1].to: names no endpoint`:                   func(s *Settings) { s.Events = append(s.Events, Rule{}) },
		`topics.x: there is no endpoint "y"`:                func(s *Settings) { s.Topics = map[string][]string{"x": {"y"}} },
		`topics.x.fifo: FIFO topics are not for images`:     func(s *Settings) { s.Topics = map[string][]string{"x.fifo": {"e"}} },
		`functions.x: there is no endpoint "y" under 'endp`: func(s *Settings) { s.Functions = map[string]string{"x": "y"} },
	} {
		s := settings(map[string]Endpoint{"e": {Webhook: good}})
		change(&s)
		if err := s.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func ExampleSignature() {
	fmt.Println(Signature([]byte("0123456789abcdef"), []byte(`{"id":"1"}`), time.Unix(1_790_000_000, 0)))
	// Output: t=1790000000,v1=e6aafe1ce79fa1e85335244abeefc1499342b12ffd2bff4dab78ddff1403b80a
}
