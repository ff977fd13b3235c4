package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const greeting = `{"QMP":{"version":{"qemu":{"major":7}},"capabilities":[]}}` + "\n"

// fakeQEMU greets and answers each command by its name, in order of arrival.
func fakeQEMU(t *testing.T, answers map[string]string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		io.WriteString(theirs, greeting)
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			var c struct {
				Execute string `json:"execute"`
				ID      int64  `json:"id"`
			}
			if json.Unmarshal(lines.Bytes(), &c) != nil {
				return
			}
			id, _ := json.Marshal(c.ID)
			io.WriteString(theirs, strings.ReplaceAll(answers[c.Execute], "ID", string(id)))
		}
	}()
	t.Cleanup(func() { ours.Close(); <-done })
	return ours
}

const okAnswer = `{"return":{},"id":ID}` + "\n"

func TestMonitor(t *testing.T) {
	conn := fakeQEMU(t, map[string]string{
		"qmp_capabilities": okAnswer,
		"quit":             `{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}` + "\n" + okAnswer,
		"system_powerdown": `{"return":{},"id":99}` + "\n" + `{"error":{"class":"GenericError","desc":"no button"},"id":ID}` + "\n",
	})
	events := make(chan event, 10)
	m, err := openMonitor(t.Context(), conn, func(e event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	if err := m.execute(t.Context(), "quit"); err != nil {
		t.Errorf("quit: %v", err)
	}
	want := event{Name: "SHUTDOWN", Data: json.RawMessage(`{"guest":true,"reason":"guest-reset"}`)}
	if diff := cmp.Diff(want, <-events); diff != "" {
		t.Errorf("event: -want +got\n%s", diff)
	}
	if err := m.execute(t.Context(), "system_powerdown"); err == nil || !strings.Contains(err.Error(), "no button") {
		t.Errorf("system_powerdown = %v, want QEMU's own words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.execute(ctx, "unknown"); !errors.Is(err, context.Canceled) {
		t.Errorf("a command without an answer = %v, want canceled", err)
	}
	if err := m.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := m.execute(t.Context(), "quit"); err == nil {
		t.Error("a command after close succeeds")
	}
}

func TestMonitorRefusesGarbage(t *testing.T) {
	for name, text := range map[string]string{
		"no greeting":     `{"return":{}}` + "\n",
		"no JSON":         "hello\n",
		"nothing":         "",
		"endless line":    strings.Repeat("x", 2*maxMessage),
		"garbage after":   greeting + "garbage\n",
		"end after":       greeting,
		"noise for ever":  greeting + strings.Repeat("{\"id\":7}\n", 2*maxIgnored),
		"negative number": greeting + "{\"id\":-1e99}\n",
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go func() {
				go io.Copy(io.Discard, theirs)
				io.WriteString(theirs, text)
				theirs.Close()
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := openMonitor(ctx, ours, func(event) {}); err == nil || ctx.Err() != nil {
				t.Errorf("openMonitor = %v, want an error at once", err)
			}
		})
	}
}

func TestMonitorGivesUpWithItsContext(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openMonitor(ctx, ours, func(event) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("openMonitor = %v, want canceled", err)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(greeting))
	f.Add([]byte(`{"return":{"status":"running"},"id":1}`))
	f.Add([]byte(`{"error":{"class":"GenericError","desc":"no"},"id":2}`))
	f.Add([]byte(`{"timestamp":{"seconds":1,"microseconds":2},"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parseMessage(line)
		if err != nil {
			return
		}
		p := process{shutdown: make(chan struct{})}
		p.event(m.event)
		p.event(m.event) // a second one must do no harm
	})
}
