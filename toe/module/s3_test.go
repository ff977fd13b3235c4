package module_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/cloud"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

func s3Client(t testing.TB, server *cloudtest.S3) *cloud.Client {
	client := cloud.New(server.Environment.Lookup)
	t.Cleanup(client.Close)
	return client
}

func TestS3Download(t *testing.T) {
	server := cloudtest.StartS3(t)
	for _, key := range []string{"one", "p/a", "p/q/b", "p2"} {
		server.Put(t, key, []byte("content of "+key))
	}
	server.Put(t, "p/folder/", nil) // as consoles make them
	client := s3Client(t, server)
	for _, tt := range []struct {
		name  string
		input entry
		want  entry // files below the directory, besides "there"
		err   string
	}{
		{"one object", entry{"source": "s3://documents/one", "destination": "file"}, entry{"file": "content of one"}, ""},
		{"replaced", entry{"source": "s3://documents/one", "destination": "there/old"}, entry{"there/old": "content of one"}, ""},
		{"not replaced", entry{"source": "s3://documents/one", "destination": "there/old", "overwrite": "false"}, nil, `S3Download: File already exists and "overwrite" property for "destination" file is set to false. Cannot download.`},
		{"missing folder", entry{"source": "s3://documents/one", "destination": "missing/file"}, nil, "missing does not exist; create it first"},
		{"folder", entry{"source": "s3://documents/one", "destination": "there"}, nil, "is a folder"},
		{"folder form", entry{"source": "s3://documents/one", "destination": "there/"}, nil, "is a folder"},
		{"prefix", entry{"source": "s3://documents/p/*", "destination": "there"}, entry{"there/a": "content of p/a", "there/q/b": "content of p/q/b"}, ""},
		{"part of a name", entry{"source": "s3://documents/p*", "destination": "there"}, entry{"there/p/a": "content of p/a", "there/p/q/b": "content of p/q/b", "there/p2": "content of p2"}, ""},
		{"prefix into a missing folder", entry{"source": "s3://documents/p/*", "destination": "missing"}, nil, "missing does not exist; create it first"},
		{"no match", entry{"source": "s3://documents/none/*", "destination": "there"}, nil, "no object matches s3://documents/none/*"},
		{"star inside", entry{"source": "s3://documents/*/a", "destination": "there"}, nil, "it can only be the last character"},
		{"bucket alone", entry{"source": "s3://documents", "destination": "there"}, nil, "names no object"},
		{"no bucket", entry{"source": "documents/one", "destination": "there"}, nil, "is not an S3 location: write s3://bucket/key"},
		{"owner", entry{"source": "s3://documents/one", "destination": "file", "expectedBucketOwner": cloudtest.Account}, entry{"file": "content of one"}, ""},
		{"other owner", entry{"source": "s3://documents/one", "destination": "file", "expectedBucketOwner": "999988887777"}, nil, "AccessDenied"},
		{"no account", entry{"source": "s3://documents/one", "destination": "file", "expectedBucketOwner": "me"}, nil, "'me' is not an account: it has 12 digits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "there", "old"), "old")
			_, err := callWith(t, client, "S3Download", dir, tt.input)
			expectError(t, err, tt.err)
			want := entry{"there/old": "old"}
			for path, text := range tt.want {
				want[path] = text
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// Keys are what a fake server answers, because a real one resolves the dots.
func TestS3DownloadStaysInside(t *testing.T) {
	for _, key := range []string{"up/../../evil", "up//evil/../../x", "up/./../.."} {
		t.Run(key, func(t *testing.T) {
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("list-type") == "2" {
					fmt.Fprintf(w, "<ListBucketResult><Contents><Key>%s</Key><Size>1</Size></Contents></ListBucketResult>", key)
				}
			}))
			defer fake.Close()
			client := cloud.New(cloudtest.Environment{"AWS_ENDPOINT_URL_S3": fake.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}.Lookup)
			defer client.Close()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "there", "old"), "old")
			_, err := callWith(t, client, "S3Download", dir, entry{"source": "s3://documents/up/*", "destination": "there"})
			expectError(t, err, "leads out of")
			if diff := cmp.Diff(entry{"there/old": "old"}, tree(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestS3Upload(t *testing.T) {
	server := cloudtest.StartS3(t)
	client := s3Client(t, server)
	dir := t.TempDir()
	for _, path := range []string{"f/a.txt", "f/b.txt", "f/c.log", "f/sub/d.txt", "f/sub/deep/e", "f/sub.txt/g", "other/h"} {
		write(t, filepath.Join(dir, path), "content of "+path)
	}
	for link, target := range map[string]string{"f/linked.txt": "../other/h", "f/folder.txt": "../other", "f/nowhere.txt": "none", "tree": "f"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		input entry // keys begin with the number of the case
		want  []string
		err   string
	}{
		{"file", entry{"source": "f/a.txt", "destination": "key"}, []string{"key"}, ""},
		{"file into a prefix", entry{"source": "f/a.txt", "destination": "p/"}, []string{"p/a.txt"}, ""},
		{"link to a file", entry{"source": "f/linked.txt", "destination": "p/"}, []string{"p/linked.txt"}, ""},
		{"pattern", entry{"source": "f/*.txt", "destination": "p/"}, []string{"p/a.txt", "p/b.txt", "p/linked.txt"}, ""},
		{"pattern and folders", entry{"source": "f/s*", "destination": "p", "recurse": "true"}, []string{"p/sub.txt/g", "p/sub/d.txt", "p/sub/deep/e"}, ""},
		{"pattern without a match", entry{"source": "f/*.none", "destination": "p/"}, nil, "no file matches"},
		{"pattern of folders", entry{"source": "f/sub*", "destination": "p/"}, nil, "no file matches"},
		{"folder", entry{"source": "f/sub", "destination": "p/", "recurse": "true"}, []string{"p/d.txt", "p/deep/e"}, ""},
		{"folder behind a link", entry{"source": "tree", "destination": "p/", "recurse": "true"}, []string{"p/a.txt", "p/b.txt", "p/c.log", "p/linked.txt", "p/sub.txt/g", "p/sub/d.txt", "p/sub/deep/e"}, ""},
		{"folder without recurse", entry{"source": "f/sub", "destination": "p/"}, nil, "f/sub is a folder: set recurse to true to upload it"},
		{"empty folder", entry{"source": "empty", "destination": "p/", "recurse": "true"}, nil, "empty holds no files"},
		{"missing file", entry{"source": "none", "destination": "key"}, nil, "no such file"},
		{"device", entry{"source": "/dev/null", "destination": "key"}, nil, "/dev/null is not a regular file"},
		{"other owner", entry{"source": "f/a.txt", "destination": "key", "expectedBucketOwner": "999988887777"}, nil, "AccessDenied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			prefix := strings.ReplaceAll(tt.name, " ", "-") + "/"
			tt.input["destination"] = "s3://documents/" + prefix + tt.input["destination"]
			_, err := callWith(t, client, "S3Upload", dir, tt.input)
			expectError(t, err, tt.err)
			var got []string
			for _, key := range server.Keys(t) {
				if below, ok := strings.CutPrefix(key, prefix); ok {
					got = append(got, below)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("objects %v, want %v", got, tt.want)
			}
		})
	}
	if got := server.Get(t, "link-to-a-file/p/linked.txt"); string(got) != "content of other/h" {
		t.Errorf("the object of a link is %q", got)
	}
}
