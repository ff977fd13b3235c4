package notify

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/ingot"
)

func shell(script string) *Command {
	return &Command{Args: []string{"/bin/sh", "-c", script}, Timeout: Duration(20 * time.Second)}
}

func TestCommand(t *testing.T) {
	t.Setenv("INGOT_SECRET", "hidden")
	out := filepath.Join(t.TempDir(), "out")
	m := event(1, 2)
	if err := send(t, shell(`cat >`+out+`; echo " $INGOT_MESSAGE_ID $INGOT_CHANNEL $INGOT_ATTEMPT $INGOT_SECRET" >>`+out), m); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if want := string(m.Body) + " 1-2 events 3 \n"; err != nil || string(got) != want {
		t.Errorf("the command got %q, %v; want %q", got, err, want)
	}
}

func TestCommandFails(t *testing.T) {
	err := send(t, shell(`head -c 100000 /dev/zero | tr '\0' x; echo; echo no disk >&2; exit 3`), event(1, 2))
	if err == nil || !strings.Contains(err.Error(), "exit status 3: ") || len(err.Error()) > 600 {
		t.Errorf("error %v", err)
	}
}

// TestCommandIsEnded: with all that it started, at its time limit, when its
// context ends, and when it ends itself and leaves something.
func TestCommandIsEnded(t *testing.T) {
	dir := t.TempDir()
	child := filepath.Join(dir, "child")
	leave := `sleep 1000 & echo $! >` + child + `.tmp; mv ` + child + `.tmp ` + child
	for name, test := range map[string]struct {
		script string
		limit  time.Duration
		cancel bool
		want   string
	}{
		"limit":   {leave + `; wait`, 300 * time.Millisecond, false, "was ended after 300ms"},
		"context": {leave + `; wait`, time.Minute, true, "context canceled"},
		"leaves":  {leave, time.Minute, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(child); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel {
				go func() {
					eventually(t, "the child runs", func() bool { _, err := os.Stat(child); return err == nil })
					cancel()
				}()
			}
			c := shell(test.script)
			c.Timeout = Duration(test.limit)
			err := c.sender().send(ctx, ingot.Delivery{Message: event(1, 1)}, now)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			data, err := os.ReadFile(child)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the child is gone", func() bool { return isGone(pid) })
		})
	}
}

// isGone reports whether a process has ended; its new parent may not have looked yet.
func isGone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(`{"image":0,"n":`), 0o600); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	f := &File{Path: path}
	function := event(1, 3)
	function.Channel, function.Name = ingot.ChannelFunction, "ask"
	topic := event(1, 2)
	topic.Channel, topic.Name = ingot.ChannelTopic, topicARN
	for _, m := range []ingot.Message{event(1, 1), topic, function} {
		if err := send(t, f, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	want := `{"image":0,"n":
{"image":1,"n":1}
{"Type":"Notification","MessageId":"1-2","TopicArn":"` + topicARN + `","Subject":"event 1-2","Message":"{\"image\":1,\"n\":2}","Timestamp":"2026-09-21T14:13:20.000Z"}
{"Type":"FunctionCall","MessageId":"1-3","FunctionName":"ask","Payload":{"image":1,"n":3}}
`
	if err != nil || string(got) != want {
		t.Errorf("file %q, %v; want %q", got, err, want)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := send(t, f, event(1, 4)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != `{"image":1,"n":4}`+"\n" {
		t.Errorf("after the file was moved away: %q, %v", got, err)
	}
}
