package guest

import "os"

// openPort opens a virtio port by its name, which the driver vioser makes that
// of a device.
func openPort(name string) (*os.File, error) {
	return os.OpenFile(`\\.\Global\`+name, os.O_RDWR, 0)
}
