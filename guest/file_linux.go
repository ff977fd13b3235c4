package guest

import "golang.org/x/sys/unix"

// nonblock opens a FIFO without waiting for its other end.
const nonblock = unix.O_NONBLOCK
