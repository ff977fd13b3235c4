// Package disk keeps disk snapshots: a snapshot is a list of 512 KiB blocks
// named by their SHA-256, compressed with zstd and kept once per store; blocks
// of zeros are not stored. The block size and checksum are those of the EBS
// direct API, so publishing to AWS sends exactly the changed blocks.
package disk
