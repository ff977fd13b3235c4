package registry

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"ingot.dev/ingot"
)

func TestPull(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/team/base:12")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	want, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	exact, got, err := Pull(t.Context(), host+"/team/base:12", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := got.Digest(); err != nil || digest != want || exact != host+"/team/base@"+want.String() {
		t.Errorf("Pull = %s %v %v, want %s", exact, digest, err, want)
	}
	for text, code := range map[string]ingot.Code{
		host + "/team/base:13": ingot.CodeNotFound,
		"NOT A REFERENCE":      ingot.CodeInvalid,
	} {
		if _, _, err := Pull(t.Context(), text, "amd64"); ingot.ErrorCode(err) != code {
			t.Errorf("Pull of %q = %v, want %s", text, err, code)
		}
	}
}
