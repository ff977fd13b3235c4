package build

import (
	"fmt"

	"ingot.dev/ingot/blob/outbox"
)

// Outbox keeps what is to be sent to the object store until it is there.
type Outbox interface {
	Add(p outbox.Parcel) error
	Waiting(owner string) (parcels []outbox.Parcel, last error, err error)
}

// sendLogs has the log folder of this step sent to the bucket that the
// infrastructure configuration names. The build does not wait for it, and does
// not fail with it.
func (w *work) sendLogs() {
	if w.Outbox == nil || w.Plan.LogBucket == "" {
		return
	}
	p := outbox.Parcel{Folder: w.logDir(), Bucket: w.Plan.LogBucket, Prefix: w.logKey(), Owner: w.Plan.Image, Added: w.Now()}
	if err := w.Outbox.Add(p); err != nil {
		w.log.note("The component runner's logs will not be sent to %s: %s", p.To(), err)
	}
}

// noteUnsent tells the log what has not been sent when the build ends.
func (b *Builder) noteUnsent(image string, log *logWriter) {
	if b.Outbox == nil {
		return
	}
	waiting, last, err := b.Outbox.Waiting(image)
	if err != nil {
		log.note("Whether logs are still to be sent cannot be read: %s", err)
	}
	why := ""
	if last != nil {
		why = fmt.Sprintf(" (%s)", last)
	}
	for _, p := range waiting {
		log.note("The logs for %s have not been sent yet%s. It is tried for some days; they are also in the build's folder.", p.To(), why)
	}
}
