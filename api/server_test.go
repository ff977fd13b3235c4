package api_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/sqlite"
)

const (
	account = "111122223333"
	region  = "us-east-1"
	keyID   = "AKIDEXAMPLE"
	secret  = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	own     = "arn:aws:imagebuilder:us-east-1:111122223333:"
	managed = "arn:aws:imagebuilder:us-east-1:aws:"
)

// server is the API over a new store, seen from outside.
type server struct {
	t     testing.TB
	URL   string
	Store *sqlite.DB
	Log   *logBuffer
	now   func() time.Time

	credentials aws.Credentials // of who calls
	region      string          // that requests are signed for; empty: region
	handler     http.Handler
}

// start runs a server until the test ends. Change adapts its Config.
func start(t testing.TB, change ...func(*api.Config)) *server {
	t.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := catalog.SyncWorkflows(ctx, store, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	log := new(logBuffer)
	c := api.Config{
		Store: store, Now: time.Now, Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	s, err := api.New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	seen := &server{
		t: t, URL: h.URL, Store: store, Log: log, now: c.Now, handler: s,
		credentials: aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
	}
	seen.putAdministrator(account, keyID)
	return seen
}

// putAdministrator makes an account whose administrator has the key id, and
// the secret that all have here.
func (s *server) putAdministrator(account, id string) {
	s.t.Helper()
	s.write(func(tx ingot.Tx) error {
		return ingot.PutAdministrator(context.Background(), tx, account, ingot.AccessKey{ID: id, Secret: secret, Created: s.now()})
	})
}

// client is the vendor's own client of the server; it does not repeat requests.
func (s *server) client() *imagebuilder.Client {
	return imagebuilder.New(imagebuilder.Options{
		Region: region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
}

// answer is a response as it came.
type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}

// exception is the error of an answer: its type and status, and the message.
func (a answer) exception() string { return a.Header.Get("X-Amzn-Errortype") }

func (a answer) message() string {
	message, _ := a.Body["message"].(string)
	return message
}

// call sends a signed request. Body is JSON text or a value to make it of.
func (s *server) call(method, path string, body any) answer {
	s.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		var err error
		if data, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequest(method, s.URL+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	s.sign(r, data, s.credentials.SecretAccessKey, s.now())
	return s.send(r)
}

func (s *server) sign(r *http.Request, body []byte, secret string, at time.Time) {
	s.t.Helper()
	sum := sha256.Sum256(body)
	c := s.credentials
	c.SecretAccessKey = secret
	if err := v4.NewSigner().SignHTTP(context.Background(), c, r, hex.EncodeToString(sum[:]), "imagebuilder", cmp.Or(s.region, region), at); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode, Header: resp.Header, Body: map[string]any{}}
	if err := json.Unmarshal(data, &a.Body); err != nil {
		s.t.Fatalf("%s %s: the body is not a JSON object: %q", r.Method, r.URL, data)
	}
	return a
}

// must sends a request that has to succeed.
func (s *server) must(method, path string, body any) map[string]any {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.Status != http.StatusOK {
		s.t.Fatalf("%s %s = %d %s: %s", method, path, a.Status, a.exception(), a.message())
	}
	return a.Body
}

// refused sends a request that has to fail with the exception and status, and
// a message that contains all of the parts.
func (s *server) refused(status int, exception, method, path string, body any, parts ...string) {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.Status != status || a.exception() != exception {
		s.t.Errorf("%s %s %v = %d %s (%s), want %d %s", method, path, body, a.Status, a.exception(), a.message(), status, exception)
	}
	if a.Body["__type"] != exception {
		s.t.Errorf("%s %s: __type = %v, want %s", method, path, a.Body["__type"], exception)
	}
	for _, part := range parts {
		if !strings.Contains(a.message(), part) {
			s.t.Errorf("%s %s: message %q lacks %q", method, path, a.message(), part)
		}
	}
}

// dig follows member names and list positions into a JSON value.
func dig(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// obj is a JSON object.
type obj = map[string]any

// put stores records as if the server had made them.
func (s *server) put(records ...ingot.Record) {
	s.t.Helper()
	s.write(func(tx ingot.Tx) error {
		for _, r := range records {
			if err := tx.Create(context.Background(), r); err != nil {
				return err
			}
		}
		return nil
	})
}

// write changes the store behind the server's back.
func (s *server) write(f func(ingot.Tx) error) {
	s.t.Helper()
	if err := s.Store.Write(context.Background(), f); err != nil {
		s.t.Fatal(err)
	}
}

// logBuffer is what the server logged, also while it serves.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
