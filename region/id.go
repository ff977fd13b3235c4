package region

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"ingot.dev/ingot/disk"
)

// AMIID is the id of the machine image that an image build version has for a
// snapshot in a region: the same whenever it is asked for, so that a repeated
// registration finds the first.
func AMIID(imageARN, region string, snapshot disk.SnapshotID) string {
	return "ami-" + derive("ami", imageARN, region, string(snapshot))
}

// SnapshotID is the id of the snapshot that parts name, such as an image build
// version and a step.
func SnapshotID(parts ...string) disk.SnapshotID {
	return disk.SnapshotID("snap-" + derive("snapshot", parts...))
}

// InstanceID is the id of the instance that parts name, such as an image build
// version and a step.
func InstanceID(parts ...string) string {
	return "i-" + derive("instance", parts...)
}

// derive makes 17 hex digits, as the ids of EC2 have, out of parts. Each is
// hashed with its length, so that no two lists give the same bytes.
func derive(kind string, parts ...string) string {
	h := sha256.New()
	for _, p := range append([]string{kind}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))[:17]
}
