// Package outbox sends folders to an object store, and goes on until they are
// there. What is to be sent is a file in a folder of the outbox, so it outlives
// the process; an object that was sent twice is the same object.
package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot/blob"
)

// Parcel is a folder that is to become objects.
type Parcel struct {
	Folder string    `json:"folder"` // absolute; its regular files are sent
	Bucket string    `json:"bucket"`
	Prefix string    `json:"prefix"` // of the keys: a slash and the path in Folder follow
	Owner  string    `json:"owner"`  // whom it belongs to, for Waiting
	Added  time.Time `json:"added"`
}

// To is where the parcel's objects are.
func (p Parcel) To() blob.Location { return blob.Location{Bucket: p.Bucket, Key: p.Prefix} }

// Config is an Outbox's surroundings. Dir and Store are required.
type Config struct {
	Dir   string // of the parcels that wait
	Store blob.Store
	Log   *slog.Logger
	Retry time.Duration // pause between two rounds; default a minute
	Limit time.Duration // for one file; default ten minutes
	Keep  time.Duration // a parcel older than this is given up; default seven days
}

// Outbox sends parcels while Run runs.
type Outbox struct {
	Config
	added chan struct{} // holds a token when a parcel is new

	mu     sync.Mutex
	failed map[string]error // by name of the parcel's file: why it was not sent at the last try
}

// New makes an outbox.
func New(c Config) *Outbox {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Retry == 0 {
		c.Retry = time.Minute
	}
	if c.Limit == 0 {
		c.Limit = 10 * time.Minute
	}
	if c.Keep == 0 {
		c.Keep = 7 * 24 * time.Hour
	}
	return &Outbox{Config: c, added: make(chan struct{}, 1), failed: map[string]error{}}
}

// Add keeps a parcel and returns; Run sends it. The same parcel again is sent again.
func (o *Outbox) Add(p Parcel) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err == nil {
		err = writeWhole(o.file(p), data)
	}
	if err != nil {
		return fmt.Errorf("keeping what is to be sent to %s: %w", p.To(), err)
	}
	select {
	case o.added <- struct{}{}:
	default:
	}
	return nil
}

const suffix = ".json"

func (o *Outbox) file(p Parcel) string {
	sum := sha256.Sum256([]byte(p.Folder + "\x00" + p.To().String()))
	return filepath.Join(o.Dir, hex.EncodeToString(sum[:16])+suffix)
}

// writeWhole makes a file that is on the disk, whole, when it returns.
func writeWhole(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Waiting lists the parcels of an owner that are not sent yet, and why the
// last try failed, if there was one.
func (o *Outbox) Waiting(owner string) (parcels []Parcel, last error, err error) {
	files, err := o.files()
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		p, err := read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // sent meanwhile
		}
		if err != nil {
			return nil, nil, err
		}
		if p.Owner == owner {
			parcels = append(parcels, p)
			o.mu.Lock()
			last = errors.Join(last, o.failed[filepath.Base(file)])
			o.mu.Unlock()
		}
	}
	return parcels, last, nil
}

func (o *Outbox) files() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("listing what is to be sent: %w", err)
	}
	return files, nil
}

func read(file string) (p Parcel, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("reading what is to be sent: %w", err)
	}
	return p, nil
}

// Run sends what there is and what comes, until ctx ends. A parcel that was not
// tried yet goes at once; one that failed, with the next round.
func (o *Outbox) Run(ctx context.Context) {
	round := time.NewTicker(o.Retry)
	defer round.Stop()
	o.sendAll(ctx, true)
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.added:
			o.sendAll(ctx, false)
		case <-round.C:
			o.sendAll(ctx, true)
		}
	}
}

// sendAll tries each parcel once; those that failed before only with again.
func (o *Outbox) sendAll(ctx context.Context, again bool) {
	files, err := o.files()
	if err != nil {
		o.Log.Error("nothing is sent to the object store", "error", err)
	}
	for _, file := range files {
		if ctx.Err() != nil {
			return
		}
		if again || o.failure(file) == nil {
			o.try(ctx, file)
		}
	}
}

func (o *Outbox) failure(file string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed[filepath.Base(file)]
}

func (o *Outbox) try(ctx context.Context, file string) {
	p, err := read(file)
	if err == nil {
		err = o.send(ctx, p)
	}
	log := o.Log.With("folder", p.Folder, "to", p.To().String(), "owner", p.Owner)
	before := o.failure(file)
	switch {
	case ctx.Err() != nil:
		return // the next process goes on
	case err == nil:
		if before != nil {
			log.Info("a folder has been sent to the object store after all")
		}
	case p.Added.IsZero() || time.Since(p.Added) > o.Keep:
		log.Error("a folder was not sent to the object store and is given up", "error", err)
	default:
		if before == nil {
			log.Error("a folder could not be sent to the object store; it is tried again", "every", o.Retry, "error", err)
		}
		o.mu.Lock()
		o.failed[filepath.Base(file)] = err
		o.mu.Unlock()
		return
	}
	if err := os.Remove(file); err != nil {
		log.Error("a folder is sent to the object store again", "error", err)
	}
	o.mu.Lock()
	delete(o.failed, filepath.Base(file))
	o.mu.Unlock()
}

// send makes an object of each regular file. A folder that is gone has none.
func (o *Outbox) send(ctx context.Context, p Parcel) error {
	err := filepath.WalkDir(p.Folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		inside := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(name, p.Folder)), "/")
		return o.sendFile(ctx, name, blob.Location{Bucket: p.Bucket, Key: path.Join(p.Prefix, inside)})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (o *Outbox) sendFile(ctx context.Context, name string, at blob.Location) error {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return o.Store.Put(ctx, at, f)
}
