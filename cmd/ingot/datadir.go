package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
)

// dataDir is the one directory of a server. Its layout is part of the
// command line's contract: endpoint, credentials, ingot.db, regions, cache,
// builds, instances, lock.
type dataDir string

func (d dataDir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// errLocked means that another process serves this data directory.
var errLocked = errors.New("another ingot process uses it")

// lock makes this process the only one that writes to the directory. The lock
// goes with the process, however it ends.
func (d dataDir) lock() (*os.File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	f, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: %w", d, errLocked)
		}
		return nil, fmt.Errorf("locking data directory %s: %w", d, err)
	}
	return f, nil
}

// credentials are one access key in the AWS profile format.
type credentials struct {
	AccessKeyID     string
	SecretAccessKey string
}

// readCredentials reads the default profile of the credentials file.
func (d dataDir) readCredentials() (credentials, error) {
	f, err := os.Open(d.path("credentials"))
	if err != nil {
		return credentials{}, err
	}
	defer f.Close()
	var c credentials
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		key, value, ok := strings.Cut(scan.Text(), "=")
		if !ok {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	if err := scan.Err(); err != nil {
		return credentials{}, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return credentials{}, fmt.Errorf("%s: holds no aws_access_key_id and aws_secret_access_key; remove it to have a new key made", f.Name())
	}
	return c, nil
}

// ensureCredentials makes the administrator's access key at the first start.
func (d dataDir) ensureCredentials(region string) (credentials, error) {
	c, err := d.readCredentials()
	if !errors.Is(err, os.ErrNotExist) {
		return c, err
	}
	key := ingot.NewAccessKey(ingot.PrincipalName{}, time.Now()) // the server knows whose it is
	c = credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n", c.AccessKeyID, c.SecretAccessKey, region)
	if err := writeFileAtomic(d.path("credentials"), []byte(text)); err != nil {
		return credentials{}, fmt.Errorf("writing the administrator's key: %w", err)
	}
	return c, nil
}

// readEndpoint is the URL of the running server, or of the last one.
func (d dataDir) readEndpoint() (string, error) {
	data, err := os.ReadFile(d.path("endpoint"))
	if err != nil {
		return "", fmt.Errorf("finding the server's address: %w; is `ingot serve` running on this data directory?", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// writeFileAtomic replaces a small private file so that no reader sees half of it.
func writeFileAtomic(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
