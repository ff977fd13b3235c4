package toe

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"ingot.dev/ingot/toe/cloud"
)

// contextKeys are the names after "context:" (§6.9).
var contextKeys = []string{
	"executionId", "accountId", "region", "osPlatform", "osName", "osVersion",
	"date", "dateTime", "uuid", "hostname", "phase", "step",
}

// context is a value about the run or the machine (§6.9).
func (r *resolver) context(ctx context.Context, key string) (string, error) {
	now := r.run.options.Now().UTC()
	switch key {
	case "executionId":
		return r.run.state.Request.ExecutionID, nil
	case "phase":
		return r.phase, nil
	case "step":
		return r.step.Name, nil
	case "date":
		return now.Format(time.DateOnly), nil
	case "dateTime":
		return now.Format(time.RFC3339), nil
	case "uuid":
		return newUUID(), nil
	case "hostname":
		return os.Hostname()
	case "osPlatform":
		return runtime.GOOS, nil
	case "osName":
		return osRelease("NAME")
	case "osVersion":
		return osRelease("VERSION_ID")
	case "region":
		if v, _ := r.run.environment.lookup("AWS_REGION"); v != "" {
			return v, nil
		}
		identity, err := r.identity(ctx)
		return identity.Region, err
	default: // accountId
		identity, err := r.identity(ctx)
		return identity.Account, err
	}
}

// identity is where the machine belongs. An instance of Ingot has no metadata
// service: in a build, the image says it.
func (r *resolver) identity(ctx context.Context) (cloud.Identity, error) {
	image, _ := r.run.environment.lookup("IMAGE_BUILD_VERSION_ARN")
	if arn := strings.Split(image, ":"); len(arn) == 6 {
		return cloud.Identity{Region: arn[3], Account: arn[4]}, nil
	}
	return r.run.cloud.Identity(ctx)
}

// osRelease is a value of /etc/os-release, empty if it has none; elsewhere it
// is empty, or the system's name.
func osRelease(key string) (string, error) {
	if runtime.GOOS != "linux" {
		return map[string]string{"windows NAME": "Windows", "darwin NAME": "macOS"}[runtime.GOOS+" "+key], nil
	}
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), key+"="); ok {
			return strings.Trim(v, `"'`), nil
		}
	}
	return "", lines.Err()
}

// newUUID is a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
