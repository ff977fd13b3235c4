package depcheck

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxProgram is the most that the programs which run in guests may have,
// stripped: the agent goes into every image build, the executor is copied to
// machines by hand.
const maxProgram = 16 << 20

func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds six programs")
	}
	for _, program := range []string{"ingot-agent", "awstoe"} {
		for _, platform := range []string{"linux/amd64", "linux/arm64", "windows/amd64"} {
			t.Run(program+" "+platform, func(t *testing.T) {
				size, err := buildSize(filepath.Join(t.TempDir(), program), program, platform)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f MiB", float64(size)/(1<<20))
				if size > maxProgram {
					t.Errorf("%s for %s has %d bytes, more than %d", program, platform, size, maxProgram)
				}
			})
		}
	}
}

// buildSize builds a program as a release has it.
func buildSize(path, program, platform string) (int64, error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, module+"/cmd/"+program)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building %s: %w: %s", program, err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
