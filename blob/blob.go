// Package blob is the contract of object stores: bytes under a bucket and a
// key. blob/dir keeps them in a folder, blob/s3 reaches any server with the
// interface of S3; blobtest is the suite of both. blob/outbox sends folders
// to a store, however long that takes.
package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Store holds objects.
type Store interface {
	// Put makes an object of a whole file, or replaces it: nobody sees a part.
	Put(ctx context.Context, at Location, file *os.File) error
	// Read returns an object of at most limit bytes. One that does not exist is
	// ErrNotFound, a longer one ErrTooLarge.
	Read(ctx context.Context, at Location, limit int64) ([]byte, error)
	// List lists the objects whose keys begin with that of the location, in the
	// order of their keys, and at most limit: more are ErrTooLarge.
	List(ctx context.Context, at Location, limit int) ([]Object, error)
}

// Object is an entry of a list.
type Object struct {
	Key  string
	Size int64 // bytes
}

var (
	ErrNotFound = errors.New("there is no such object")
	ErrTooLarge = errors.New("it is larger than allowed")
)

// Location is where an object is, or what the keys of several begin with.
type Location struct {
	Bucket string
	Key    string
}

const (
	scheme    = "s3://"
	maxBucket = 255  // characters; old buckets have longer names than the 63 of today
	maxKey    = 1024 // bytes, the limit of S3
)

// ParseLocation reads s3://bucket/key, with a key.
func ParseLocation(s string) (Location, error) {
	rest, ok := strings.CutPrefix(s, scheme)
	bucket, key, _ := strings.Cut(rest, "/")
	at := Location{bucket, key}
	err := at.Check()
	if !ok || key == "" {
		err = errors.New("write s3://bucket/key")
	}
	if err != nil {
		return Location{}, fmt.Errorf("'%.100s' is not the address of an object: %w", s, err)
	}
	return at, nil
}

// Check says what is wrong with a location.
func (l Location) Check() error {
	switch {
	case l.Bucket == "" || len(l.Bucket) > maxBucket || strings.Trim(l.Bucket, ".") == "":
		return fmt.Errorf("a bucket's name has 1 to %d characters", maxBucket)
	case len(l.Key) > maxKey:
		return fmt.Errorf("the key has %d bytes, more than %d", len(l.Key), maxKey)
	}
	for _, r := range l.Bucket {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_", r)) {
			return fmt.Errorf("a bucket's name has no %q", r)
		}
	}
	if strings.ContainsRune(l.Key, 0) || strings.ToValidUTF8(l.Key, "") != l.Key {
		return errors.New("the key is not text")
	}
	return nil
}

func (l Location) String() string { return scheme + l.Bucket + "/" + l.Key }
