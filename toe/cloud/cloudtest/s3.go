// Package cloudtest has what tests of documents reach instead of AWS: a real
// S3 server of another make, and fakes of what exists at AWS only.
package cloudtest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"ingot.dev/ingot/internal/testenv"
)

// Environment is what tells a client where its services are.
type Environment map[string]string

// Lookup has the form of os.LookupEnv.
func (e Environment) Lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// Account owns the buckets of the S3 server. Its key is its number: so the
// server has it.
const (
	Account = "111122223333"
	secret  = "not-a-secret"
	region  = "us-east-1"
)

// S3 is an S3 server with one bucket.
type S3 struct {
	Bucket      string
	Environment Environment
	client      *s3.Client
}

// StartS3 starts a server that ends with the test, or skips the test if there
// is none.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	testenv.For(t, testenv.S3)
	address := freeAddress(t)
	cmd := exec.Command(testenv.S3Server(), "--port", address, "posix", "--sidecar", t.TempDir(), t.TempDir())
	cmd.Env = append(cmd.Environ(), "ROOT_ACCESS_KEY="+Account, "ROOT_SECRET_KEY="+secret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	awaitServer(t, out, address)
	s := &S3{Bucket: "documents", Environment: Environment{
		"AWS_ENDPOINT_URL_S3": "http://" + address, "AWS_REGION": region,
		"AWS_ACCESS_KEY_ID": Account, "AWS_SECRET_ACCESS_KEY": secret,
	}}
	s.client = s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String("http://" + address), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(Account, secret, ""),
	})
	if _, err := s.client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &s.Bucket}); err != nil {
		t.Fatalf("creating a bucket: %v", err)
	}
	return s
}

// freeAddress is an address that nobody listens at.
func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitServer reads what the server prints until it names its address, which
// it does just before it listens.
func awaitServer(t testing.TB, out io.Reader, address string) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for !strings.Contains(lines.Text(), "http://"+address) {
		if !lines.Scan() {
			t.Fatalf("the S3 server ended: %v", lines.Err())
		}
	}
	go io.Copy(io.Discard, out)
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the S3 server does not listen: %v", err)
		}
	}
}

// Put makes an object.
func (s *S3) Put(t testing.TB, key string, content []byte) {
	t.Helper()
	if _, err := s.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		t.Fatalf("making object %s: %v", key, err)
	}
}

// Get reads an object.
func (s *S3) Get(t testing.TB, key string) []byte {
	t.Helper()
	out, err := s.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if err != nil {
		t.Fatalf("reading object %s: %v", key, err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("reading object %s: %v", key, err)
	}
	return content
}

// Keys lists the objects of the bucket.
func (s *S3) Keys(t testing.TB) []string {
	t.Helper()
	out, err := s.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	if err != nil {
		t.Fatalf("listing objects: %v", err)
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// Uploads lists the uploads in parts that were begun and not ended.
func (s *S3) Uploads(t testing.TB) []string {
	t.Helper()
	out, err := s.client.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &s.Bucket})
	if err != nil {
		t.Fatalf("listing uploads: %v", err)
	}
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}
