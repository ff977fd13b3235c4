//go:build !windows

package module_test

import (
	"testing"

	"ingot.dev/ingot/toe/cloud/cloudtest"
)

const windowsOnly = "this works on Windows only"

func TestWindowsOnly(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.msi", "")
	_, err := call(t, "InstallMSI", dir, entry{"path": "a.msi"})
	expectError(t, err, windowsOnly)
	_, err = call(t, "SetRegistry", dir, entry{"path": `HKCU:\x`, "name": "n", "type": "SZ", "value": "v"})
	expectError(t, err, windowsOnly)
}

// A package is fetched before it is looked at, which only Windows can.
func TestInstallMSIFromS3(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "a.msi", []byte("package"))
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for path, want := range map[string]string{"s3://documents/a.msi": windowsOnly, "s3://documents/none.msi": "NoSuchKey"} {
		_, err := callWith(t, s3Client(t, server), "InstallMSI", t.TempDir(), entry{"path": path})
		expectError(t, err, want)
	}
	if left := tree(t, temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
