package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"ingot.dev/ingot/toe/cloud"
)

var s3Upload = Module{
	Name:        "S3Upload",
	Description: "Uploads files and folders to S3. Links to files are followed, links to folders are not.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		{Name: "source", Type: String, Required: true, Check: notEmpty, Description: "A file, a folder, or several with * in the last part."},
		{Name: "destination", Type: String, Required: true, Check: checkLocation, Description: "s3://bucket/key for one file, s3://bucket/prefix/ for several."},
		{Name: "recurse", Type: Boolean, Default: "false", Description: "Whether folders are uploaded, with all that is in them."},
		bucketOwnerInput,
	},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		destination, err := cloud.ParseLocation(in.String("destination"))
		if err != nil {
			return err
		}
		uploads, err := planUploads(c, c.Path(in.String("source")), destination, in.Bool("recurse", false))
		if err != nil {
			return err
		}
		bucket := c.Cloud.Bucket(destination.Bucket, in.String("expectedBucketOwner"))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(objectsAtATime)
		for _, u := range uploads {
			g.Go(func() error { return u.run(ctx, c.Console, bucket) })
		}
		return g.Wait()
	}),
}

// upload is one file and its object.
type upload struct {
	file string
	to   cloud.Location
}

func (u upload) run(ctx context.Context, console Console, bucket *cloud.Bucket) error {
	f, err := os.Open(u.file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := bucket.Upload(ctx, u.to.Key, f); err != nil {
		return err
	}
	console.Printf(Info, "S3Upload: %s is %s", u.to, u.file)
	return nil
}

// planUploads lists the files of a source and gives each its key.
func planUploads(c *Call, source string, destination cloud.Location, recurse bool) ([]upload, error) {
	if !hasWildcard(source) {
		return planSource(c, source, destination, recurse)
	}
	found, err := matches(source)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, path := range found {
		more, err := filesAt(c, path, recurse)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file matches %s", source)
	}
	return planBelow(files, filepath.Dir(source), destination)
}

// planSource is planUploads without a wildcard.
func planSource(c *Call, source string, destination cloud.Location, recurse bool) ([]upload, error) {
	info, err := os.Stat(source)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir() && !recurse:
		return nil, fmt.Errorf("%s is a folder: set recurse to true to upload it", source)
	case info.IsDir():
		files, err := filesAt(c, source+string(filepath.Separator), true) // the separator follows a link
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("%s holds no files", source)
		}
		if err != nil {
			return nil, err
		}
		return planBelow(files, source, destination)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", source)
	case destination.Key == "" || strings.HasSuffix(destination.Key, "/"):
		destination = destination.Join(filepath.Base(source))
	}
	return []upload{{source, destination}}, nil
}

// planBelow gives files the paths they have below a folder as keys.
func planBelow(files []string, folder string, destination cloud.Location) ([]upload, error) {
	var out []upload
	for _, f := range files {
		relative, err := filepath.Rel(folder, f)
		if err != nil {
			return nil, err
		}
		out = append(out, upload{f, destination.Join(filepath.ToSlash(relative))})
	}
	return out, nil
}

// filesAt lists the regular files at and below a path. Without recurse a
// folder has none.
func filesAt(c *Call, path string, recurse bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && !recurse:
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to
		switch {
		case err == nil && info.Mode().IsRegular():
			files = append(files, path)
		case err == nil && info.IsDir():
		case err == nil || errors.Is(err, fs.ErrNotExist):
			c.Console.Printf(Warn, "S3Upload: %s is left out: it leads to no regular file", path)
		default:
			return err
		}
		return nil
	})
	return files, err
}
