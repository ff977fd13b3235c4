package build

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/dir"
	"ingot.dev/ingot/blob/outbox"
)

// away is an object store that nobody reaches.
type away struct{ blob.Store }

func (away) Put(context.Context, blob.Location, *os.File) error {
	return errors.New("the bucket is away")
}

// TestLogsAreSent: the keys are those of the service, a bucket that is away is
// told in the log, and what it missed it gets later. Source: api.md §8.4.
func TestLogsAreSent(t *testing.T) {
	image := "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/1"
	arn, err := ingot.ParseARN(image)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	sender := outbox.New(outbox.Config{Dir: t.TempDir(), Store: away{}, Log: log, Retry: time.Millisecond})
	b := &Builder{Config: Config{Dir: t.TempDir(), Now: time.Now, Outbox: sender, Log: log}}
	w := &work{Builder: b, image: arn}
	w.Plan = plan{Image: image, Name: "web", LogBucket: "logs", LogPrefix: "builds"}
	w.Step.Name = "ApplyBuildComponents"
	if w.log, err = openLog(b.dir(image), w.Step.Name, time.Now); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.logDir(), "TOE_1", "console.log")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("hello\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	w.sendLogs()
	send(t, sender, func(_ []outbox.Parcel, last error) bool { return last != nil })
	b.noteUnsent(image, w.log)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(filepath.Join(b.dir(image), logFile))
	if err != nil || !strings.Contains(string(said), "s3://logs/builds/web/1.0.0/1/wf-") || !strings.Contains(string(said), "not been sent yet (the bucket is away)") {
		t.Errorf("the log says %s, %v", said, err)
	}

	objects := dir.Store(t.TempDir())
	send(t, outbox.New(outbox.Config{Dir: sender.Dir, Store: objects, Log: log}),
		func(parcels []outbox.Parcel, _ error) bool { return len(parcels) == 0 })
	key := "builds/web/1.0.0/1/" + w.execution() + "/ApplyBuildComponents/TOE_1/console.log"
	if got, err := objects.Read(t.Context(), blob.Location{Bucket: "logs", Key: key}, 10); err != nil || string(got) != "hello\n" {
		t.Errorf("object %s = %q, %v", key, got, err)
	}
}

// send runs an outbox until what waits for the image of the test is as it should be.
func send(t *testing.T, o *outbox.Outbox, until func([]outbox.Parcel, error) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	ended := make(chan struct{})
	go func() {
		o.Run(ctx)
		close(ended)
	}()
	defer func() { cancel(); <-ended }()
	for {
		parcels, last, err := o.Waiting("arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/1")
		if err != nil || ctx.Err() != nil {
			t.Fatalf("there wait %v, %v, %v", parcels, last, err)
		}
		if until(parcels, last) {
			return
		}
		<-time.After(time.Millisecond)
	}
}
