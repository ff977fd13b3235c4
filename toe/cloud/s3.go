package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	transfermanagertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Bucket is a bucket of S3. It is safe for concurrent use.
type Bucket struct {
	client *Client
	name   string
	owner  *string // who must own it; nil: anyone

	mu     sync.Mutex
	region string // where it is, as far as known; empty: in the region of the machine
}

// Object is an entry of a listing.
type Object struct {
	Key  string
	Size int64 // bytes
}

// What is sent or fetched at once. The parts of one transfer are in memory.
const (
	partSize    = 5 << 20 // bytes, the least that S3 takes; up to this size a file goes in one request
	concurrency = 4

	cleanUp = 10 * time.Second // for the abort of an upload whose context has ended

	// A part that was cut off may be stored after the abort, and the upload be
	// there again: so it is aborted again, each time after twice this wait.
	abortWait = 50 * time.Millisecond
	abortMore = 4
)

// Bucket names a bucket. The service refuses every request if another account
// than owner has it; an empty owner stands for anyone.
func (c *Client) Bucket(name, owner string) *Bucket {
	b := &Bucket{client: c, name: name}
	if owner != "" {
		b.owner = &owner
	}
	return b
}

// Objects lists the objects whose keys begin with prefix, in the order of
// their keys. More than limit are an error.
func (b *Bucket) Objects(ctx context.Context, prefix string, limit int) ([]Object, error) {
	var out []Object
	err := b.do(ctx, func(client *s3.Client) error {
		out = nil
		pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, ExpectedBucketOwner: b.owner})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, o := range page.Contents {
				out = append(out, Object{aws.ToString(o.Key), aws.ToInt64(o.Size)})
			}
			if len(out) > limit {
				return fmt.Errorf("more than %d objects", limit)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", Location{b.name, prefix}, err)
	}
	return out, nil
}

// Download writes an object into a file. Large ones come in ranges, several at
// a time; a range that breaks off is fetched again. An object that is replaced
// meanwhile is an error.
func (b *Bucket) Download(ctx context.Context, key string, w io.WriterAt) error {
	err := b.do(ctx, func(client *s3.Client) error {
		_, err := transfers(client).DownloadObject(ctx, &transfermanager.DownloadObjectInput{
			Bucket: &b.name, Key: &key, WriterAt: w, ExpectedBucketOwner: b.owner,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("downloading %s: %w", Location{b.name, key}, err)
	}
	return nil
}

// Read fetches a small object, and of a longer one limit bytes.
func (b *Bucket) Read(ctx context.Context, key string, limit int64) (data []byte, err error) {
	err = b.do(ctx, func(client *s3.Client) error {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, ExpectedBucketOwner: b.owner})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		data, err = io.ReadAll(io.LimitReader(out.Body, limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", Location{b.name, key}, err)
	}
	return data, nil
}

// Upload makes an object of a file. Large ones go in parts, several at a time;
// nothing of them stays if it fails.
func (b *Bucket) Upload(ctx context.Context, key string, file *os.File) error {
	err := b.do(ctx, func(client *s3.Client) error {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := transfers(client).UploadObject(ctx, &transfermanager.UploadObjectInput{
			Bucket: &b.name, Key: &key, Body: file, ExpectedBucketOwner: b.owner,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("uploading %s: %w", Location{b.name, key}, err)
	}
	return nil
}

// transfers splits objects into parts and ranges. Ranges rather than the parts
// of an upload: an object that was uploaded whole has but one part.
func transfers(client *s3.Client) *transfermanager.Client {
	return transfermanager.New(&transfer{Client: client}, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = partSize, partSize, concurrency
		o.GetObjectType = transfermanagertypes.GetObjectRanges
		o.RequestChecksumCalculation = client.Options().RequestChecksumCalculation
		o.FailTimeout = cleanUp
	})
}

// transfer is the client of one upload or download. It ends an upload for good.
type transfer struct {
	*s3.Client
	cut atomic.Bool // a part was sent that the service did not answer: it may still be at work on it
}

// UploadPart notes whether the service has answered.
func (t *transfer) UploadPart(ctx context.Context, in *s3.UploadPartInput, options ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	out, err := t.Client.UploadPart(ctx, in, options...)
	var answer *awshttp.ResponseError
	if err != nil && (!errors.As(err, &answer) || answer.HTTPStatusCode() == 0) {
		t.cut.Store(true)
	}
	return out, err
}

// AbortMultipartUpload is repeated after a part without an answer, as the
// documentation of S3 advises. That the upload is gone by then is no error.
func (t *transfer) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, options ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	out, err := t.Client.AbortMultipartUpload(ctx, in, options...)
	for i := 0; i < abortMore && err == nil && t.cut.Load(); i++ {
		select {
		case <-time.After(abortWait << i):
		case <-ctx.Done():
			return out, ctx.Err()
		}
		var gone *types.NoSuchUpload
		if _, err = t.Client.AbortMultipartUpload(ctx, in, options...); errors.As(err, &gone) {
			err = nil
		}
	}
	return out, err
}

// do calls f, and once more when the service says that the bucket is in
// another region.
func (b *Bucket) do(ctx context.Context, f func(*s3.Client) error) error {
	b.mu.Lock()
	client, err := b.client.s3(ctx, b.region)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	err = f(client)
	if region := regionOf(err); region != "" && region != client.Options().Region {
		b.mu.Lock()
		b.region = region
		b.mu.Unlock()
		if client, err = b.client.s3(ctx, region); err == nil {
			err = f(client)
		}
	}
	return explain(err)
}

// regionOf is the region of the bucket, if an answer says that the request
// should have gone there.
func regionOf(err error) string {
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return ""
	}
	switch answer.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return answer.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// s3 is a client of S3. A server of the user's own is spoken to in the way
// that all of them understand: the bucket in the path instead of the host
// name, and no checksums that the service does not ask for.
func (c *Client) s3(ctx context.Context, region string) (*s3.Client, error) {
	cfg, err := c.regional(ctx, "S3", region)
	if err != nil {
		return nil, err
	}
	style := c.first(addressingStyle)
	if style != "" && style != "path" && style != "virtual" {
		return nil, fmt.Errorf("%s is %q; it must be path or virtual", addressingStyle, style)
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint := c.endpoint("S3"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		own := o.BaseEndpoint != nil
		o.UsePathStyle = style == "path" || own && style == ""
		if own && c.first("AWS_REQUEST_CHECKSUM_CALCULATION") == "" {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
	}), nil
}

// addressingStyle is the variable for what the AWS CLI calls
// s3.addressing_style, which the SDK does not read.
const addressingStyle = "INGOT_S3_ADDRESSING_STYLE"
