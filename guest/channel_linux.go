package guest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// openPort opens a virtio port by its name.
func openPort(name string) (*os.File, error) {
	path, err := findPort("/sys/class/virtio-ports", name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile("/dev/"+path, os.O_RDWR, 0)
}

// findPort returns the device name of a virtio port, without the help of udev.
func findPort(class, name string) (string, error) {
	ports, err := filepath.Glob(filepath.Join(class, "*", "name"))
	if err != nil {
		return "", err
	}
	for _, p := range ports {
		text, err := os.ReadFile(p)
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(string(text)) == name {
			return filepath.Base(filepath.Dir(p)), nil
		}
	}
	return "", fmt.Errorf("virtio port %s: %w", name, fs.ErrNotExist)
}
