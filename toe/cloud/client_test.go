package cloud_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// TestSettingsFiles takes everything from the files of the AWS CLI.
func TestSettingsFiles(t *testing.T) {
	var requests []string
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credential, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), ",")
		part := strings.Split(credential, "/")
		requests = append(requests, strings.Join([]string{r.URL.Path, part[0], part[2], part[3]}, " "))
		fmt.Fprint(w, "{}")
	}))
	defer fake.Close()
	home := t.TempDir()
	for name, text := range map[string]string{
		"config":      "[profile other]\nregion = eu-west-3\nendpoint_url = " + fake.URL + "\n",
		"credentials": "[other]\naws_access_key_id = key\naws_secret_access_key = secret\n",
	} {
		path := filepath.Join(home, ".aws", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	variable := "HOME"
	if runtime.GOOS == "windows" {
		variable = "USERPROFILE"
	}
	client := newClient(t, cloudtest.Environment{variable: home, "AWS_PROFILE": "other"})
	if _, err := client.Bucket("bucket", "").Read(t.Context(), "key", 1); err != nil {
		t.Error(err)
	}
	if _, _, err := client.Document(t.Context(), webARN, "", 1); err == nil {
		t.Error("a component without data: no error")
	}
	want := []string{"/bucket/key key eu-west-3 s3", "/GetComponent key eu-west-1 imagebuilder"}
	if diff := cmp.Diff(want, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
