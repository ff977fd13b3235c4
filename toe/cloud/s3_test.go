package cloud_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// noise is content that no part of can stand for another.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func file(t testing.TB, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func newClient(t testing.TB, e cloudtest.Environment) *cloud.Client {
	c := cloud.New(e.Lookup)
	t.Cleanup(c.Close)
	return c
}

// with adds to an environment.
func with(e cloudtest.Environment, pairs ...string) cloudtest.Environment {
	out := cloudtest.Environment{}
	for k, v := range e {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// TestTransfer sends objects of sizes around the part size and back.
func TestTransfer(t *testing.T) {
	server := cloudtest.StartS3(t)
	bucket := newClient(t, server.Environment).Bucket(server.Bucket, cloudtest.Account)
	for _, size := range []int{0, 1, 5<<20 - 1, 5 << 20, 5<<20 + 1, 23<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			content := noise(size)
			key := fmt.Sprintf("sizes/%d with späce+&?.bin", size)
			if err := bucket.Upload(t.Context(), key, file(t, content)); err != nil {
				t.Fatal(err)
			}
			if got := server.Get(t, key); !bytes.Equal(got, content) {
				t.Fatalf("the object has %d bytes and digest %x, want %d and %x", len(got), sha256.Sum256(got), size, sha256.Sum256(content))
			}
			f := file(t, nil)
			if err := bucket.Download(t.Context(), key, f); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("the file has %d bytes and digest %x (%v), want %d and %x", len(got), sha256.Sum256(got), err, size, sha256.Sum256(content))
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "there", []byte("x"))
	for _, tt := range []struct {
		name, bucket, owner, key, want string
		environment                    cloudtest.Environment
	}{
		{"no object", server.Bucket, "", "not there", "downloading s3://documents/not there: NoSuchKey: The specified key does not exist.", nil},
		{"no bucket", "absent", "", "there", "downloading s3://absent/there: NoSuchBucket: The specified bucket does not exist", nil},
		{"other owner", server.Bucket, "999988887777", "there", "downloading s3://documents/there: AccessDenied: Access Denied", nil},
		{"wrong key", server.Bucket, "", "there", "SignatureDoesNotMatch", cloudtest.Environment{"AWS_SECRET_ACCESS_KEY": "wrong"}},
		{"addressing style", server.Bucket, "", "there", `INGOT_S3_ADDRESSING_STYLE is "odd"; it must be path or virtual`, cloudtest.Environment{"INGOT_S3_ADDRESSING_STYLE": "odd"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := with(server.Environment)
			for k, v := range tt.environment {
				e[k] = v
			}
			err := newClient(t, e).Bucket(tt.bucket, tt.owner).Download(t.Context(), tt.key, file(t, nil))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Download = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	server := cloudtest.StartS3(t)
	for _, key := range []string{"p/b", "p/a", "p/deep/c", "q"} {
		server.Put(t, key, []byte(key))
	}
	bucket := newClient(t, server.Environment).Bucket(server.Bucket, "")
	got, err := bucket.Objects(t.Context(), "p/", 3)
	if want := []cloud.Object{{Key: "p/a", Size: 3}, {Key: "p/b", Size: 3}, {Key: "p/deep/c", Size: 8}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("Objects = %v, %v, want %v", got, err, want)
	}
	if _, err := bucket.Objects(t.Context(), "", 3); err == nil || !strings.Contains(err.Error(), "more than 3 objects") {
		t.Errorf("Objects with one too many = %v", err)
	}
}

func TestDocument(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "web.yml", []byte("name: web"))
	client := newClient(t, server.Environment)
	got, name, err := client.Document(t.Context(), "s3://documents/web.yml", "", 5)
	if string(got) != "name:" || name != "s3://documents/web.yml" || err != nil {
		t.Errorf("Document = %q, %s, %v; want its first five bytes", got, name, err)
	}
}

// proxy stands before a server and may spoil its answers.
func proxy(t testing.TB, e cloudtest.Environment, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) cloudtest.Environment {
	t.Helper()
	target, err := url.Parse(e["AWS_ENDPOINT_URL_S3"])
	if err != nil {
		t.Fatal(err)
	}
	next := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.Host = r.In.Host // it is signed
	}}
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) }))
	t.Cleanup(p.Close)
	return with(e, "AWS_ENDPOINT_URL_S3", p.URL)
}

// cut ends a connection after some bytes of an answer.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func TestBadConnection(t *testing.T) {
	server := cloudtest.StartS3(t)
	content := noise(12 << 20)
	server.Put(t, "big", content)
	var requests, ranges atomic.Int32
	e := proxy(t, server.Environment, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("Range") != "" {
			ranges.Add(1)
		}
		switch requests.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2, 4:
			next.ServeHTTP(&cut{w, 1 << 20}, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
	f := file(t, nil)
	if err := newClient(t, e).Bucket(server.Bucket, "").Download(t.Context(), "big", f); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file has %d bytes, %v; want the object's %d", len(got), err, len(content))
	}
	if requests.Load() != 6 || ranges.Load() != 6 {
		t.Errorf("%d requests, %d of them for ranges; want three ranges and three repetitions", requests.Load(), ranges.Load())
	}
}

// TestFailedUpload looks for what an upload that fails in the middle leaves.
func TestFailedUpload(t *testing.T) {
	server := cloudtest.StartS3(t)
	e := proxy(t, server.Environment, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
	err := newClient(t, e).Bucket(server.Bucket, "").Upload(t.Context(), "big", file(t, noise(17<<20)))
	if err == nil || !strings.Contains(err.Error(), "uploading s3://documents/big") {
		t.Errorf("Upload = %v", err)
	}
	if keys, uploads := server.Keys(t), server.Uploads(t); keys != nil || uploads != nil {
		t.Errorf("objects %v and uploads %v are left", keys, uploads)
	}
}

// TestCancelledUpload does the same for one that is cancelled.
func TestCancelledUpload(t *testing.T) {
	server := cloudtest.StartS3(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	e := proxy(t, server.Environment, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			cancel(errors.New("enough"))
		}
		next.ServeHTTP(w, r)
	})
	if err := newClient(t, e).Bucket(server.Bucket, "").Upload(ctx, "big", file(t, noise(17<<20))); err == nil {
		t.Error("Upload of a cancelled context: no error")
	}
	if uploads := server.Uploads(t); uploads != nil {
		t.Errorf("uploads %v are left", uploads)
	}
}

// TestPartAfterAbort has a part stored after the upload was aborted, which
// makes the upload anew. A real server does so when it is slow.
func TestPartAfterAbort(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var aborts atomic.Int32
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
		case r.Method == http.MethodPut:
			io.Copy(io.Discard, r.Body)
			cancel(errors.New("enough"))
			<-r.Context().Done()
		case aborts.Add(1) > 2: // the part came after the first
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `<Error><Code>NoSuchUpload</Code></Error>`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer fake.Close()
	err := newClient(t, cloudtest.Environment{
		"AWS_ENDPOINT_URL": fake.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
	}).Bucket("b", "").Upload(ctx, "big", file(t, noise(17<<20)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Upload = %v", err)
	}
	if n := aborts.Load(); n < 3 {
		t.Errorf("the upload was aborted %d times; want it repeated until it stays away", n)
	}
}

// TestOtherRegion sends requests where the service says the bucket is.
func TestOtherRegion(t *testing.T) {
	var regions []string
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		region := strings.Split(r.Header.Get("Authorization"), "/")[2]
		regions = append(regions, region)
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		if region != "eu-central-1" {
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		io.WriteString(w, "text")
	}))
	defer fake.Close()
	bucket := newClient(t, cloudtest.Environment{
		"AWS_ENDPOINT_URL": fake.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	}).Bucket("b", "")
	for range 2 {
		if got, err := bucket.Read(t.Context(), "k", 100); string(got) != "text" || err != nil {
			t.Fatalf("Read = %q, %v", got, err)
		}
	}
	if want := []string{"us-east-1", "eu-central-1", "eu-central-1"}; !cmp.Equal(regions, want) {
		t.Errorf("requests were signed for %v, want %v", regions, want)
	}
}

// TestAddressing looks at where requests go.
func TestAddressing(t *testing.T) {
	for style, want := range map[string]string{"": "localhost /bucket/key", "path": "localhost /bucket/key", "virtual": "bucket.localhost /key"} {
		t.Run(style, func(t *testing.T) {
			var got string
			fake := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				host, _, _ := strings.Cut(r.Host, ":")
				got = host + " " + r.URL.Path
			}))
			defer fake.Close()
			_, err := newClient(t, cloudtest.Environment{
				"AWS_ENDPOINT_URL_S3": strings.Replace(fake.URL, "127.0.0.1", "localhost", 1),
				"AWS_ACCESS_KEY_ID":   "key", "AWS_SECRET_ACCESS_KEY": "secret", "INGOT_S3_ADDRESSING_STYLE": style,
			}).Bucket("bucket", "").Read(t.Context(), "key", 1)
			if unknown := (*net.DNSError)(nil); errors.As(err, &unknown) { // the name of a bucket's host need not be known here
				got, err = unknown.Name+" /key", nil
			}
			if err != nil || got != want {
				t.Errorf("the request went to %q (%v), want %q", got, err, want)
			}
		})
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"s3://bucket/key", "s3://b/a/b/*", "s3://", "s3:///", "s3://b", "s3://b/%2e%2e/x", "S3://b/k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := cloud.ParseLocation(s)
		if err != nil {
			return
		}
		again, err := cloud.ParseLocation(l.String())
		if err != nil || again != l {
			t.Errorf("ParseLocation(%q) = %v; of its text %v, %v", s, l, again, err)
		}
	})
}

func BenchmarkDownload(b *testing.B) {
	server := cloudtest.StartS3(b)
	content := noise(64 << 20)
	server.Put(b, "big", content)
	bucket := newClient(b, server.Environment).Bucket(server.Bucket, "")
	f := file(b, nil)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if err := bucket.Download(b.Context(), "big", f); err != nil {
			b.Fatal(err)
		}
	}
}
