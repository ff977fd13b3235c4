//go:build unix

package startup

import "os"

const booted = "/run/systemd/system" // is there when systemd is process 1; source: sd_booted(3)

// registries are those of this system, the preferred one first.
func registries() []registry {
	var out []registry
	if program := find("crontab"); program != "" {
		out = append(out, crontab{program})
	}
	if program := find("systemctl"); program != "" && exists(booted) {
		out = append(out, systemd{"/etc/systemd/system", program})
	}
	return out
}

func restartProgram() []string {
	return firstOf([]string{"shutdown", "-r", "now"}, []string{"systemctl", "reboot"}, []string{"reboot"})
}

// inContainer knows the marks of Docker and Podman. A container with a system
// of its own is a machine like any other.
func inContainer() bool {
	return !exists(booted) && (exists("/.dockerenv") || exists("/run/.containerenv"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
