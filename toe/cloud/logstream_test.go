package cloud_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe/cloud/cloudtest"
)

func TestLogStream(t *testing.T) {
	fake := cloudtest.StartFake(t)
	l := newClient(t, fake.Environment).LogStream("group", "stream", "")
	start := time.Now()
	long := strings.Repeat("é", 200_000) // 400,000 bytes: more than one event takes
	l.Add(start, "first")
	l.Add(start.Add(-time.Hour), "the clock went back")
	l.Add(start, long)
	l.Add(start, "not \xff UTF-8")
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	got := fake.Stream("group", "stream")
	if want := []string{"first", "the clock went back", long, "not \ufffd UTF-8"}; strings.Join(got, "") != strings.Join(want, "") || len(got) != 5 {
		t.Errorf("the stream has %d events: %.200q", len(got), got)
	}
	var lines []string
	for i := range 25_000 { // more than two requests take
		lines = append(lines, fmt.Sprintf("line %d", i))
		l.Add(start, lines[i])
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines, fake.Stream("group", "stream")[5:]); diff != "" {
		t.Error(diff)
	}
	if n := fake.Requests("PutLogEvents"); n < 5 || n > 10 {
		t.Errorf("%d requests, want a few large ones", n)
	}
}

// TestLogStreamDelay waits for a line that nobody flushes.
func TestLogStreamDelay(t *testing.T) {
	fake := cloudtest.StartFake(t)
	l := newClient(t, fake.Environment).LogStream("group", "stream", "")
	defer l.Close()
	l.Add(time.Now(), "alone")
	select {
	case <-fake.Logged:
	case <-time.After(10 * time.Second):
		t.Fatal("the line did not arrive")
	}
}

func TestLogStreamFailure(t *testing.T) {
	fake := cloudtest.StartFake(t)
	l := newClient(t, with(fake.Environment, "AWS_ACCESS_KEY_ID", "unknown")).LogStream("group", "stream", "")
	for range 1000 { // must not block
		l.Add(time.Now(), "lost")
	}
	err := l.Close()
	if want := "writing log stream stream of log group group: MissingAuthenticationToken: the request is not signed"; err == nil || err.Error() != want {
		t.Errorf("Close = %v, want %s", err, want)
	}
}
