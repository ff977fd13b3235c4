package guest

// nonblock is for FIFOs, which are no files in Windows.
const nonblock = 0
