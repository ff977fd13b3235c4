package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

// message is one about the image demo 1.0.0 of a build number.
func message(t testing.TB, id string, build int) ingot.Message {
	return ingot.Message{
		ID: id, Channel: ingot.ChannelEvents, Name: string(ingot.EventImageState), Subject: "subject of " + id,
		About: arn(t, fmt.Sprintf("image/demo/1.0.0/%d", build)).String(), Time: noon, Body: []byte(`{"id":"` + id + `"}`),
	}
}

func put(t testing.TB, s ingot.Store, messages ...ingot.Message) {
	t.Helper()
	write(t, s, func(tx ingot.Tx) error {
		for _, m := range messages {
			if err := tx.PutMessage(t.Context(), m); err != nil {
				return err
			}
		}
		return nil
	})
}

// routed puts messages and routes them to endpoints.
func routed(t testing.TB, s ingot.Store, to []string, messages ...ingot.Message) {
	t.Helper()
	put(t, s, messages...)
	n, err := s.RouteMessages(t.Context(), 100, noon, func(ingot.Message) []string { return to })
	if err != nil || n != len(messages) {
		t.Fatalf("RouteMessages = %d, %v; want %d", n, err, len(messages))
	}
}

func due(t testing.TB, s ingot.Store, endpoint string) []ingot.Delivery {
	t.Helper()
	list, err := s.DueDeliveries(t.Context(), endpoint, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func settle(t testing.TB, s ingot.Store, outcomes ...ingot.Outcome) {
	t.Helper()
	if err := s.SettleDeliveries(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}

func messageIDs(list []ingot.Delivery) string {
	var ids []string
	for _, d := range list {
		ids = append(ids, d.Message.ID)
	}
	return strings.Join(ids, " ")
}

func wantDue(t testing.TB, s ingot.Store, endpoint, want string) {
	t.Helper()
	if got := messageIDs(due(t, s, endpoint)); got != want {
		t.Errorf("due at %s: %q, want %q", endpoint, got, want)
	}
}

func isWritten(s ingot.Store) bool {
	select {
	case <-s.Written():
		return true
	default:
		return false
	}
}

// outboxIsTransactional: a message is there exactly when its change is.
func outboxIsTransactional(t *testing.T, s ingot.Store) {
	failure := errors.New("no")
	if err := s.Write(t.Context(), func(tx ingot.Tx) error {
		return errors.Join(tx.PutMessage(t.Context(), message(t, "a", 1)), failure)
	}); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if isWritten(s) {
		t.Error("Written receives for a message that was rolled back")
	}
	put(t, s, message(t, "b", 1), message(t, "c", 2))
	if !isWritten(s) {
		t.Error("Written does not receive after a message was committed")
	}
	var got []ingot.Message
	route := func(m ingot.Message) []string {
		got = append(got, m)
		return nil
	}
	for _, limit := range []int{1, 1, 1} {
		if _, err := s.RouteMessages(t.Context(), limit, noon, route); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]ingot.Message{message(t, "b", 1), message(t, "c", 2)}, got); diff != "" {
		t.Errorf("routed messages (-want +got):\n%s", diff)
	}
}

// outboxKeepsOrder: at most one delivery about a resource is due at an endpoint.
func outboxKeepsOrder(t *testing.T, s ingot.Store) {
	routed(t, s, []string{"x", "y", "x"}, message(t, "a1", 1), message(t, "b1", 2), message(t, "a2", 1), message(t, "a3", 1))
	wantDue(t, s, "x", "a1 b1")
	wantDue(t, s, "y", "a1 b1")
	wantDue(t, s, "z", "")

	first := due(t, s, "x")[0]
	settle(t, s, ingot.Outcome{ID: first.ID, Retry: noon.Add(time.Hour), Problem: "busy", Time: noon})
	wantDue(t, s, "x", "b1 a1") // by time
	again := due(t, s, "x")[1]
	if again.Attempts != 1 || again.Problem != "busy" || !again.Due.Equal(noon.Add(time.Hour)) || again.Endpoint != "x" {
		t.Errorf("after a failed attempt: %+v", again)
	}

	settle(t, s, ingot.Outcome{ID: first.ID, Delivered: true, Time: noon.Add(time.Minute)})
	settle(t, s, ingot.Outcome{ID: first.ID, Delivered: true, Time: noon.Add(time.Minute)}) // gone: passed over
	wantDue(t, s, "x", "b1 a2")
	settle(t, s, ingot.Outcome{ID: due(t, s, "x")[1].ID, Problem: "no such host", Time: noon.Add(time.Minute)})
	wantDue(t, s, "x", "b1 a3")
	wantDue(t, s, "y", "a1 b1")
	routed(t, s, []string{"x"}, message(t, "b2", 2))
	wantDue(t, s, "x", "b1 a3")

	got, err := s.Endpoints(t.Context())
	if diff := cmp.Diff([]string{"x", "y"}, got); diff != "" || err != nil {
		t.Errorf("endpoints (-want +got): %v\n%s", err, diff)
	}
}

// deadDeliveries are shown, and go to the end of their line when asked for.
func deadDeliveries(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	routed(t, s, []string{"x"}, message(t, "a", 1), message(t, "b", 1))
	id := due(t, s, "x")[0].ID
	settle(t, s, ingot.Outcome{ID: id, Problem: "refused", Time: noon.Add(time.Second)})
	wantBacklog(t, s, ingot.Backlog{Waiting: 1, Dead: 1})
	dead, err := s.Deliveries(ctx, true, 0, 10)
	if err != nil || len(dead) != 1 || dead[0].Problem != "refused" || dead[0].Attempts != 1 || !dead[0].Died.Equal(noon.Add(time.Second)) || !dead[0].Due.IsZero() {
		t.Fatalf("dead deliveries: %+v, %v", dead, err)
	}
	wantCode(t, "retrying an unknown delivery", s.RetryDelivery(ctx, id+1000, noon), ingot.CodeNotFound)
	wantCode(t, "retrying a live delivery", s.RetryDelivery(ctx, due(t, s, "x")[0].ID, noon), ingot.CodeNotFound)
	isWritten(s)
	if err := s.RetryDelivery(ctx, id, noon); err != nil {
		t.Fatal(err)
	}
	if !isWritten(s) {
		t.Error("Written does not receive after a dead delivery was revived")
	}
	wantDue(t, s, "x", "b")
	settle(t, s, ingot.Outcome{ID: due(t, s, "x")[0].ID, Delivered: true, Time: noon})
	wantDue(t, s, "x", "a")
	wantBacklog(t, s, ingot.Backlog{Waiting: 1})
	if d := due(t, s, "x")[0]; d.Attempts != 0 {
		t.Errorf("a revived delivery has %d attempts, want 0", d.Attempts)
	}
}

func wantBacklog(t *testing.T, s ingot.Store, want ingot.Backlog) {
	t.Helper()
	if got, err := s.Backlog(t.Context()); err != nil || got != want {
		t.Errorf("Backlog() = %+v, %v, want %+v", got, err, want)
	}
}

// outboxPages lists from the newest on.
func outboxPages(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	routed(t, s, []string{"x"}, message(t, "a", 1), message(t, "b", 2), message(t, "c", 3))
	put(t, s, message(t, "d", 4))
	var got []string
	for before := int64(0); ; {
		page, err := s.Messages(ctx, before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, fmt.Sprintf("%s %d", m.ID, m.Open))
		}
		before = page[len(page)-1].Row
	}
	if diff := cmp.Diff([]string{"d -1", "c 1", "b 1", "a 1"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	alive, err := s.Deliveries(ctx, false, 0, 2)
	if err != nil || messageIDs(alive) != "c b" {
		t.Errorf("deliveries: %q, %v", messageIDs(alive), err)
	}
	alive, err = s.Deliveries(ctx, false, alive[1].ID, 2)
	if err != nil || messageIDs(alive) != "a" {
		t.Errorf("deliveries of the second page: %q, %v", messageIDs(alive), err)
	}
}

// dropMessages removes what nobody waits for any more.
func dropMessages(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	routed(t, s, nil, message(t, "nobody", 1))
	routed(t, s, []string{"x"}, message(t, "dead", 2), message(t, "waits", 3), message(t, "got", 4))
	put(t, s, message(t, "new", 5))
	deliveries := due(t, s, "x")
	settle(t, s,
		ingot.Outcome{ID: deliveries[0].ID, Problem: "gone", Time: noon.Add(time.Hour)},
		ingot.Outcome{ID: deliveries[2].ID, Delivered: true, Time: noon.Add(time.Hour)})
	for _, step := range []struct {
		delivered, died time.Duration
		want            string
	}{
		{0, 0, "new got waits dead nobody"},
		{time.Minute, 0, "new got waits dead"},
		{2 * time.Hour, 0, "new waits dead"},
		{2 * time.Hour, 2 * time.Hour, "new waits"},
	} {
		for {
			n, err := s.DropMessages(ctx, noon.Add(step.delivered), noon.Add(step.died), 1)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		list, err := s.Messages(ctx, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range list {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != step.want {
			t.Errorf("after dropping what was delivered %s and dead %s past noon: %q, want %q", step.delivered, step.died, got, step.want)
		}
	}
	wantBacklog(t, s, ingot.Backlog{Waiting: 1})
}
