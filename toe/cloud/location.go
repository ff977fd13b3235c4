package cloud

import (
	"errors"
	"fmt"
	"strings"
)

// Location is an object of S3, or what the keys of several begin with.
type Location struct {
	Bucket string
	Key    string // may be empty
}

const (
	scheme    = "s3://"
	maxBucket = 255  // characters; old buckets have longer names than the 63 of today
	maxKey    = 1024 // bytes, the service's limit
)

// ParseLocation reads s3://bucket/key. What a bucket may be called is left to
// the service, as far as the name can be part of a URL.
func ParseLocation(s string) (Location, error) {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return Location{}, fmt.Errorf("'%s' is not an S3 location: write s3://bucket/key", s)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if err := checkBucket(bucket); err != nil {
		return Location{}, fmt.Errorf("'%s' is not an S3 location: %w", s, err)
	}
	if len(key) > maxKey {
		return Location{}, fmt.Errorf("the S3 key '%.40s…' has %d bytes, more than %d", key, len(key), maxKey)
	}
	return Location{bucket, key}, nil
}

func checkBucket(name string) error {
	if name == "" || len(name) > maxBucket {
		return errors.New("write s3://bucket/key")
	}
	for _, r := range name {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_", r)) {
			return fmt.Errorf("a bucket's name has no %q", r)
		}
	}
	return nil
}

func (l Location) String() string { return scheme + l.Bucket + "/" + l.Key }

// Join is the location of a key below this one. The slash between them is
// there once.
func (l Location) Join(key string) Location {
	if l.Key != "" && !strings.HasSuffix(l.Key, "/") {
		l.Key += "/"
	}
	l.Key += key
	return l
}
