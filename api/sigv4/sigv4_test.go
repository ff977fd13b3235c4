package sigv4_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"ingot.dev/ingot/api/sigv4"
)

const (
	keyID  = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region = "us-east-1"
)

var now = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// verifier knows a lasting key, a temporary one and an expired one.
func verifier() *sigv4.Verifier {
	known := map[string]sigv4.Credential{
		keyID:  {AccessKeyID: keyID, Secret: secret, Account: "111122223333"},
		"TEMP": {AccessKeyID: "TEMP", Secret: secret, SessionToken: "token", Expires: now.Add(time.Hour)},
		"OLD":  {AccessKeyID: "OLD", Secret: secret, SessionToken: "token", Expires: now},
	}
	return &sigv4.Verifier{
		Service: "imagebuilder", Regions: []string{region}, Now: func() time.Time { return now },
		Lookup: func(_ context.Context, id string) (sigv4.Credential, bool, error) {
			if id == "BROKEN" {
				return sigv4.Credential{}, false, errors.New("disk on fire")
			}
			c, ok := known[id]
			return c, ok, nil
		},
	}
}

func sum(body string) string {
	h := sha256.Sum256([]byte(body))
	return hex.EncodeToString(h[:])
}

// signed is a request that the vendor's signer has signed, as a server gets it.
func signed(t testing.TB, method, target, body string, change func(*signing)) *http.Request {
	t.Helper()
	s := signing{
		Credentials: aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
		service:     "imagebuilder", region: region, at: now, payload: sum(body), header: http.Header{},
	}
	if change != nil {
		change(&s)
	}
	r, err := http.NewRequest(method, "http://localhost:7480"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range s.header {
		r.Header[name] = values
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), s.Credentials, r, s.payload, s.service, s.region, s.at); err != nil {
		t.Fatal(err)
	}
	got := httptest.NewRequest(method, target, strings.NewReader(body))
	got.Host, got.Header, got.ContentLength = "localhost:7480", r.Header, int64(len(body))
	return got
}

type signing struct {
	aws.Credentials
	service, region, payload string
	at                       time.Time
	header                   http.Header
}

func TestVerifySDK(t *testing.T) {
	tagPath := "/tags/arn%3Aaws%3Aimagebuilder%3Aus-east-1%3A111122223333%3Acomponent%2Fa-b%2F1.0.0%2F1"
	for name, c := range map[string]struct {
		method, target, body string
		change               func(*signing)
	}{
		"body":      {"PUT", "/CreateComponent", `{"name":"x"}`, nil},
		"no body":   {"POST", "/ListComponents", "", nil},
		"query":     {"GET", "/GetComponent?componentBuildVersionArn=arn%3Aaws%3Aimagebuilder%3Aus-east-1%3A1%3Acomponent%2Fa%2F1.0.0", "", nil},
		"bare ARN":  {"GET", "/GetComponent?componentBuildVersionArn=arn:aws:imagebuilder:us-east-1:1:component/a/1.0.0", "", nil},
		"repeated":  {"DELETE", tagPath + "?tagKeys=b&tagKeys=a%20b&tagKeys=%C3%A9", "", nil},
		"tag path":  {"GET", tagPath, "", nil},
		"unescaped": {"GET", "/tags/arn:aws:imagebuilder:us-east-1:1:component/a/1.0.0", "", nil},
		"token":     {"POST", "/ListComponents", "", func(s *signing) { s.AccessKeyID, s.SessionToken = "TEMP", "token" }},
		"blanks":    {"POST", "/ListComponents", "", func(s *signing) { s.header.Set("X-Amz-Meta-A", "a   b") }},
		"early":     {"POST", "/ListComponents", "", func(s *signing) { s.at = now.Add(-5 * time.Minute) }},
		"late":      {"POST", "/ListComponents", "", func(s *signing) { s.at = now.Add(5 * time.Minute) }},
		"stated":    {"PUT", "/CreateComponent", "{}", func(s *signing) { s.header.Set("X-Amz-Content-Sha256", sum("{}")) }},
		"unsigned payload": {"PUT", "/CreateComponent", "{}", func(s *signing) {
			s.payload = "UNSIGNED-PAYLOAD"
			s.header.Set("X-Amz-Content-Sha256", s.payload)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := verifier().Verify(signed(t, c.method, c.target, c.body, c.change), []byte(c.body))
			if err != nil {
				t.Fatalf("Verify = %v", err)
			}
			if who.Region != region || who.AccessKeyID == "" {
				t.Errorf("identity = %+v", who)
			}
		})
	}
}

// TestRefusals has all rows of api.md §1.2 and what a forger would try.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		change func(*signing)
		after  func(*http.Request)
		part   string
	}{
		"no signature":     {sigv4.MissingToken, nil, func(r *http.Request) { r.Header.Del("Authorization") }, ""},
		"nonsense":         {sigv4.Incomplete, nil, authorization("Bearer x"), "AWS4-HMAC-SHA256"},
		"no credential":    {sigv4.Incomplete, nil, authorization("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00"), "Credential"},
		"short scope":      {sigv4.Incomplete, nil, replace("/aws4_request", ""), "aws4_request"},
		"short signature":  {sigv4.Incomplete, nil, replace("Signature=", "Signature=zz"), "64"},
		"no date":          {sigv4.Incomplete, nil, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "X-Amz-Date"},
		"host unsigned":    {sigv4.Incomplete, nil, replace("host;", ""), "Host"},
		"unknown key":      {sigv4.Unrecognized, func(s *signing) { s.AccessKeyID = "NOBODY" }, nil, ""},
		"wrong token":      {sigv4.Unrecognized, func(s *signing) { s.AccessKeyID, s.SessionToken = "TEMP", "other" }, nil, ""},
		"missing token":    {sigv4.Unrecognized, func(s *signing) { s.AccessKeyID = "TEMP" }, nil, ""},
		"needless token":   {sigv4.Unrecognized, func(s *signing) { s.SessionToken = "token" }, nil, ""},
		"expired token":    {sigv4.Expired, func(s *signing) { s.AccessKeyID, s.SessionToken = "OLD", "token" }, nil, ""},
		"wrong secret":     {sigv4.Invalid, func(s *signing) { s.SecretAccessKey = "x" }, nil, "calculated"},
		"old":              {sigv4.Invalid, func(s *signing) { s.at = now.Add(-301 * time.Second) }, nil, "Signature expired: 20260203T040005Z"},
		"future":           {sigv4.Invalid, func(s *signing) { s.at = now.Add(301 * time.Second) }, nil, "Signature not yet current"},
		"another region":   {sigv4.Invalid, func(s *signing) { s.region = "eu-west-1" }, nil, "eu-west-1"},
		"nonsense region":  {sigv4.Invalid, func(s *signing) { s.region = "local" }, nil, "local"},
		"another service":  {sigv4.Invalid, func(s *signing) { s.service = "s3" }, nil, "imagebuilder"},
		"scope of a day":   {sigv4.Invalid, nil, replace("/20260203/", "/20260204/"), "Date"},
		"another method":   {sigv4.Invalid, nil, func(r *http.Request) { r.Method = "POST" }, ""},
		"another query":    {sigv4.Invalid, nil, func(r *http.Request) { r.URL.RawQuery = "a=b" }, ""},
		"another path":     {sigv4.Invalid, nil, func(r *http.Request) { r.URL.Path = "/CreateImage" }, ""},
		"another host":     {sigv4.Invalid, nil, func(r *http.Request) { r.Host = "example.com" }, ""},
		"added header":     {sigv4.Incomplete, nil, func(r *http.Request) { r.Header.Set("X-Amz-Extra", "1") }, "x-amz-extra"},
		"header taken out": {sigv4.Incomplete, func(s *signing) { s.header.Set("X-Amz-Extra", "1") }, func(r *http.Request) { r.Header.Del("X-Amz-Extra") }, "x-amz-extra"},
		"another payload":  {sigv4.Invalid, func(s *signing) { s.header.Set("X-Amz-Content-Sha256", sum("x")); s.payload = sum("x") }, nil, "x-amz-content-sha256"},
		"bad query":        {sigv4.Incomplete, nil, func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, "query"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed(t, "PUT", "/CreateComponent", "{}", c.change)
			if c.after != nil {
				c.after(r)
			}
			_, err := verifier().Verify(r, []byte("{}"))
			var e *sigv4.Error
			if !errors.As(err, &e) || e.Type != c.want || !strings.Contains(e.Message, c.part) {
				t.Errorf("Verify = %v, want %s with %q", err, c.want, c.part)
			}
		})
	}
	if _, err := verifier().Verify(signed(t, "PUT", "/CreateComponent", "{}", nil), []byte("{ }")); err == nil {
		t.Error("another body than the signed one was accepted")
	}
}

func authorization(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", value) }
}

func replace(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

func TestLookupFails(t *testing.T) {
	_, err := verifier().Verify(signed(t, "POST", "/ListComponents", "", func(s *signing) { s.AccessKeyID = "BROKEN" }), nil)
	var refused *sigv4.Error
	if err == nil || errors.As(err, &refused) {
		t.Errorf("Verify = %v, want the lookup's error", err)
	}
}

// TestByHand signs without the vendor's code, from the public description.
func TestByHand(t *testing.T) {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	canonical := "GET\n/tags/arn%253Aaws%2520x\na=1&b=%20&b=c\nhost:localhost\nx-amz-date:20260203T040506Z\n\nhost;x-amz-date\n" + sum("")
	toSign := "AWS4-HMAC-SHA256\n20260203T040506Z\n20260203/us-east-1/imagebuilder/aws4_request\n" + sum(canonical)
	key := []byte("AWS4" + secret)
	for _, part := range []string{"20260203", region, "imagebuilder", "aws4_request"} {
		key = mac(key, part)
	}
	r := httptest.NewRequest("GET", "/tags/arn%3Aaws%20x?b=c&b=+&a=1", nil)
	r.Host = "localhost"
	r.Header.Set("X-Amz-Date", "20260203T040506Z")
	r.Header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/20260203/us-east-1/imagebuilder/aws4_request,SignedHeaders=host;x-amz-date,Signature=%x", keyID, mac(key, toSign)))
	if _, err := verifier().Verify(r, nil); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

func TestPresigned(t *testing.T) {
	presign := func(at time.Time, expires string) *http.Request {
		t.Helper()
		r, err := http.NewRequest("GET", "http://localhost:7480/GetComponent?componentBuildVersionArn=arn:x/y&X-Amz-Expires="+expires, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := aws.Credentials{AccessKeyID: "TEMP", SecretAccessKey: secret, SessionToken: "token"}
		address, _, err := v4.NewSigner().PresignHTTP(context.Background(), c, r, sum(""), "imagebuilder", region, at)
		if err != nil {
			t.Fatal(err)
		}
		got := httptest.NewRequest("GET", strings.TrimPrefix(address, "http://localhost:7480"), nil)
		got.Host = "localhost:7480"
		return got
	}
	if _, err := verifier().Verify(presign(now.Add(-9*time.Minute), "600"), nil); err != nil {
		t.Errorf("presigned = %v", err)
	}
	for name, r := range map[string]*http.Request{
		"expired":        presign(now.Add(-11*time.Minute), "600"),
		"from tomorrow":  presign(now.Add(24*time.Hour), "600"),
		"for ever":       presign(now, "604801"),
		"for no time":    presign(now, "0"),
		"without number": presign(now, "x"),
	} {
		if _, err := verifier().Verify(r, nil); err == nil {
			t.Errorf("a request presigned %s was accepted", name)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260203/us-east-1/imagebuilder/aws4_request, SignedHeaders=host;x-amz-date, Signature="+sum(""), "20260203T040506Z", "a=b")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=,,=", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a")
	f.Add("", "Tue, 03 Feb 2026 04:05:06 GMT", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=99999999999999999999")
	f.Fuzz(func(t *testing.T, header, date, query string) {
		r := httptest.NewRequest("GET", "/GetComponent", bytes.NewReader(nil))
		r.URL.RawQuery = query
		if header != "" {
			r.Header["Authorization"] = []string{header}
		}
		r.Header["X-Amz-Date"] = []string{date}
		who, err := verifier().Verify(r, nil)
		if err == nil {
			t.Fatalf("a forged request was accepted as %+v", who)
		}
		var refused *sigv4.Error
		if !errors.As(err, &refused) && !strings.Contains(header+query, "BROKEN") {
			t.Errorf("Verify = %v, want a refusal", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"name":"x"}`)
	r := signed(b, "PUT", "/CreateComponent", string(body), nil)
	v := verifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body); err != nil {
			b.Fatal(err)
		}
	}
}
