package module

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// algorithms are the digests of the language.
var algorithms = map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA512": sha512.New}

// Digest is the digest of a regular file in hexadecimal digits. The algorithm
// is MD5, SHA1, SHA256 or SHA512.
func (c *Call) Digest(ctx context.Context, algorithm, path string) (string, error) {
	digest := algorithms[algorithm]()
	if err := hashFile(ctx, digest, c.Path(path)); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

func hashFile(ctx context.Context, digest hash.Hash, path string) error {
	f, err := OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(digest, reader(ctx, f))
	return err
}
