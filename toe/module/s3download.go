package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"

	"ingot.dev/ingot/toe/cloud"
)

const (
	maxObjects     = 1000 // of one prefix (§9.8)
	objectsAtATime = 4    // each with a few parts in memory
)

var s3Download = Module{
	Name:        "S3Download",
	Description: "Downloads an object from S3, or all objects whose keys have a prefix.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		{Name: "source", Type: String, Required: true, Check: checkObject, Description: "s3://bucket/key; with * at its end all objects whose keys begin so, at most 1000."},
		{Name: "destination", Type: String, Required: true, Check: notEmpty, Description: "The file, in a folder that exists; with * the folder, which must exist."},
		bucketOwnerInput,
		overwriteInput,
	},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		d, err := newS3Download(c, in)
		if err != nil {
			return err
		}
		return d.run(ctx)
	}),
}

var bucketOwnerInput = Input{
	Name: "expectedBucketOwner", Type: String, Check: checkAccount,
	Description: "Account of 12 digits that must own the bucket.",
}

var account = regexp.MustCompile(`^[0-9]{12}$`)

func checkAccount(s string) error {
	if !account.MatchString(s) {
		return fmt.Errorf("'%s' is not an account: it has 12 digits", s)
	}
	return nil
}

func checkLocation(s string) error {
	_, err := cloud.ParseLocation(s)
	return err
}

// checkObject accepts locations with a key, and a * only as its end.
func checkObject(s string) error {
	l, err := cloud.ParseLocation(s)
	if err != nil {
		return err
	}
	if l.Key == "" || strings.HasSuffix(l.Key, "/") {
		return fmt.Errorf("'%s' names no object: write s3://bucket/key, or s3://bucket/prefix/* for several", s)
	}
	if strings.Contains(strings.TrimSuffix(l.Key, "*"), "*") {
		return fmt.Errorf("'%s' has a * before its end; it can only be the last character", s)
	}
	return nil
}

// s3DownloadEntry is one entry.
type s3DownloadEntry struct {
	source      cloud.Location
	destination string // absolute
	folderForm  bool   // the document writes a separator at the end
	overwrite   bool
	bucket      *cloud.Bucket
	console     Console
}

func newS3Download(c *Call, in Values) (*s3DownloadEntry, error) {
	source, err := cloud.ParseLocation(in.String("source"))
	if err != nil {
		return nil, err
	}
	return &s3DownloadEntry{
		source: source, destination: c.Path(in.String("destination")), folderForm: endsInSeparator(in.String("destination")),
		overwrite: in.Bool("overwrite", true), console: c.Console,
		bucket: c.Cloud.Bucket(source.Bucket, in.String("expectedBucketOwner")),
	}, nil
}

func (d *s3DownloadEntry) run(ctx context.Context) error {
	if prefix, ok := strings.CutSuffix(d.source.Key, "*"); ok {
		return d.prefix(ctx, prefix)
	}
	if d.folderForm || isFolder(d.destination) {
		return fmt.Errorf("%s is a folder; the destination of one object is a file", d.destination)
	}
	if err := needFolder(filepath.Dir(d.destination)); err != nil {
		return err
	}
	return d.object(ctx, d.source.Key, d.destination)
}

// prefix downloads all objects below a folder. Nothing is downloaded if one of
// them may not be.
func (d *s3DownloadEntry) prefix(ctx context.Context, prefix string) error {
	if err := needFolder(d.destination); err != nil {
		return err
	}
	objects, err := d.bucket.Objects(ctx, prefix, maxObjects)
	if err != nil {
		return err
	}
	files, err := d.plan(prefix, objects)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(objectsAtATime)
	for key, path := range files {
		g.Go(func() error {
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				return err
			}
			return d.object(ctx, key, path)
		})
	}
	return g.Wait()
}

func needFolder(path string) error {
	if !isFolder(path) {
		return fmt.Errorf("the folder %s does not exist; create it first", path)
	}
	return nil
}

// plan gives every object its file. What follows the last slash before the *
// is the path below the destination.
func (d *s3DownloadEntry) plan(prefix string, objects []cloud.Object) (map[string]string, error) {
	folder := prefix[:strings.LastIndex(prefix, "/")+1]
	files := map[string]string{}
	for _, o := range objects {
		if strings.HasSuffix(o.Key, "/") { // stands for a folder
			continue
		}
		relative := filepath.FromSlash(strings.TrimPrefix(o.Key, folder))
		if !filepath.IsLocal(relative) {
			return nil, fmt.Errorf("the key of s3://%s/%s leads out of %s", d.source.Bucket, o.Key, d.destination)
		}
		files[o.Key] = filepath.Join(d.destination, relative)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no object matches %s", d.source)
	}
	return files, nil
}

// errExists is worded as the vendor's executor words it (§9.8).
//
//lint:ignore ST1005 users see the text as it is in the specification
var errExists = errors.New(`S3Download: File already exists and "overwrite" property for "destination" file is set to false. Cannot download.`)

// object writes beside the target and renames: a download that breaks off
// leaves the old file as it was.
func (d *s3DownloadEntry) object(ctx context.Context, key, path string) (err error) {
	if !d.overwrite && refuseExisting(path) != nil {
		return errExists
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ingot-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = d.bucket.Download(ctx, key, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d.console.Printf(Info, "S3Download: %s is %s", path, cloud.Location{Bucket: d.source.Bucket, Key: key})
	return nil
}
