package s3

import (
	"os"
	"path/filepath"
	"testing"

	"ingot.dev/ingot/blob/blobtest"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

func TestStore(t *testing.T) {
	server := cloudtest.StartS3(t)
	file := filepath.Join(t.TempDir(), "credentials")
	key := "[default]\naws_access_key_id = " + server.Environment["AWS_ACCESS_KEY_ID"] +
		"\naws_secret_access_key = " + server.Environment["AWS_SECRET_ACCESS_KEY"] + "\n"
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Config{Endpoint: server.Environment["AWS_ENDPOINT_URL_S3"], Credentials: file})
	t.Cleanup(s.Close)
	blobtest.Run(t, s, server.Bucket)
	if left := server.Uploads(t); len(left) > 0 {
		t.Errorf("uploads were begun and not ended: %q", left)
	}
}
