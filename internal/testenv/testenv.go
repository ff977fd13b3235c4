// Package testenv lets a test say what it needs of the machine. A need that is
// not met skips the test with the reason printed, or fails it when
// INGOT_TEST_REQUIRE is "all" or lists the need, as it does in CI.
package testenv

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// Need is something a machine may lack.
type Need string

const (
	Root      Need = "root"      // uid 0 in the initial namespace
	Container Need = "container" // root, cgroup2, loop devices, FUSE
	QEMU      Need = "qemu"      // qemu-system-x86_64, qemu-img, qemu-storage-daemon
	Network   Need = "network"   // a Debian mirror answers
	Bootstrap Need = "bootstrap" // mmdebstrap and the disk tools of a base build
	Base      Need = "base"      // a bootable Debian disk, at INGOT_TEST_BASE
	Boto3     Need = "boto3"     // python3 with boto3
	AWSCLI    Need = "awscli"    // the aws command
	Wine      Need = "wine"      // Wine, and what makes packages for Windows Installer and signs them
	S3        Need = "s3"        // the S3 server of tools/s3server, at INGOT_TEST_S3SERVER
)

// For skips the test when a need is not met, or fails it when it is required.
func For(t testing.TB, needs ...Need) {
	t.Helper()
	for _, n := range needs {
		lack := lacking(n)
		if lack == "" {
			continue
		}
		if required(n) {
			t.Fatalf("INGOT_TEST_REQUIRE asks for %s: %s", n, lack)
		}
		t.Skipf("needs %s: %s", n, lack)
	}
}

// BaseDisk is the path of the bootable Debian disk that Base promises.
func BaseDisk() string { return os.Getenv("INGOT_TEST_BASE") }

// S3Server is the path of the program that S3 promises.
func S3Server() string { return os.Getenv("INGOT_TEST_S3SERVER") }

func required(n Need) bool {
	names := strings.Split(os.Getenv("INGOT_TEST_REQUIRE"), ",")
	return slices.Contains(names, "all") || slices.Contains(names, string(n))
}

func lacking(n Need) string {
	switch n {
	case Root:
		if os.Geteuid() != 0 {
			return "not running as root"
		}
	case Container:
		if os.Geteuid() != 0 {
			return "not running as root"
		}
		return missingFile("/dev/fuse", "/dev/loop-control")
	case QEMU:
		return missingTool("qemu-system-x86_64", "qemu-img", "qemu-storage-daemon")
	case Network:
		c, err := net.DialTimeout("tcp", "deb.debian.org:80", 5*time.Second)
		if err != nil {
			return err.Error()
		}
		c.Close()
	case Bootstrap:
		return missingTool("mmdebstrap", "mkfs.ext4", "mcopy", "grub-mkimage")
	case Base:
		if BaseDisk() == "" {
			return "INGOT_TEST_BASE does not name a disk; `make test` sets it"
		}
		return missingFile(BaseDisk())
	case S3:
		if S3Server() == "" {
			return "INGOT_TEST_S3SERVER does not name a program; `make test` sets it"
		}
		return missingFile(S3Server())
	case Boto3:
		if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
			return "python3 cannot import boto3"
		}
	case AWSCLI:
		return missingTool("aws")
	case Wine:
		return missingTool("wine", "x86_64-w64-mingw32-ld", "wixl", "osslsigncode", "openssl")
	default:
		return "unknown need " + string(n)
	}
	return ""
}

func missingTool(names ...string) string {
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			return n + " is not installed"
		}
	}
	return ""
}

func missingFile(names ...string) string {
	for _, n := range names {
		if _, err := os.Stat(n); err != nil {
			return err.Error()
		}
	}
	return ""
}
