package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/sqlite"
)

// openStore opens a store in a folder; the caller closes it.
func openStore(t rapid.TB, dir string) *sqlite.DB {
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newStore(t testing.TB) *sqlite.DB {
	db := openStore(t, t.TempDir())
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

const topicARN = "arn:aws:sns:us-east-1:111122223333:builds"

// event is a message about an image of a number, the n-th one about it.
func event(image, n int) ingot.Message {
	id := fmt.Sprintf("%d-%d", image, n)
	return ingot.Message{
		ID: id, Channel: ingot.ChannelEvents, Name: string(ingot.EventImageState), Subject: "event " + id,
		About: fmt.Sprintf("arn:aws:imagebuilder:us-east-1:111122223333:image/demo/1.0.0/%d", image), Time: time.Unix(1_790_000_000, 0),
		Body: []byte(fmt.Sprintf(`{"image":%d,"n":%d}`, image, n)),
	}
}

func put(t rapid.TB, db *sqlite.DB, messages ...ingot.Message) {
	t.Helper()
	err := db.Write(context.Background(), func(tx ingot.Tx) error {
		for _, m := range messages {
			if err := tx.PutMessage(context.Background(), m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// settings send all events to the endpoints.
func settings(endpoints map[string]Endpoint) Settings {
	s := Default()
	s.Endpoints = endpoints
	s.Events = []Rule{{To: slices.Sorted(maps.Keys(endpoints))}}
	return s
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// quick is a backoff for tests.
var quick = Backoff{First: time.Millisecond, Most: 4 * time.Millisecond}

// start starts a notifier that the test closes.
func start(t *testing.T, db *sqlite.DB, s Settings) *Notifier {
	t.Helper()
	n, err := Start(Config{Outbox: db, Settings: s, Log: quiet(), Backoff: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// eventually polls what other goroutines bring about.
func eventually(t rapid.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// waiting is how many deliveries are not dead, of the first hundred.
func waiting(t rapid.TB, db *sqlite.DB) int {
	t.Helper()
	list, err := db.Deliveries(context.Background(), false, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func routedAll(t rapid.TB, db *sqlite.DB) bool {
	t.Helper()
	list, err := db.Messages(context.Background(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(list, func(m ingot.StoredMessage) bool { return m.Open < 0 })
}

func drained(t rapid.TB, db *sqlite.DB) func() bool {
	return func() bool { return routedAll(t, db) && waiting(t, db) == 0 }
}

func deadOnes(t rapid.TB, db *sqlite.DB) []ingot.Delivery {
	t.Helper()
	list, err := db.Deliveries(context.Background(), true, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// inbox is a web server that writes down what it takes.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	taken  []map[string]any // bodies of the requests that were answered with 2xx
	answer func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

// newInbox takes everything, or what answer returns true for, once it has answered.
func newInbox(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, body []byte) bool) *inbox {
	i := &inbox{answer: answer}
	i.Server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func (i *inbox) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var v map[string]any
	if json.Unmarshal(body, &v) != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	if i.answer != nil && !i.answer(w, r, body) {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.taken = append(i.taken, v)
}

// got is what was taken about an image, in order.
func (i *inbox) got(image int) (list []int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, v := range i.taken {
		if v["image"] == float64(image) {
			list = append(list, int(v["n"].(float64)))
		}
	}
	return list
}

// wantInOrder wants 0 to n-1 in order; one may come several times in a row.
func wantInOrder(t rapid.TB, endpoint string, image int, got []int, n int) {
	t.Helper()
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	if once := slices.Compact(slices.Clone(got)); !slices.Equal(once, want) {
		t.Errorf("%s got %v about image %d, want 0 to %d in order", endpoint, got, image, n-1)
	}
}

// TestOrderOverFailuresAndRestarts: whatever an endpoint answers, and however
// often the notifier is started again, each one gets all messages, and those
// about one image in order.
func TestOrderOverFailuresAndRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var chance sync.Mutex
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		roll := func(n int) int {
			chance.Lock()
			defer chance.Unlock()
			return random.IntN(n)
		}
		failing := rapid.IntRange(0, 6).Draw(rt, "failing in ten")
		answer := func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if roll(10) >= failing {
				return true
			}
			switch roll(3) {
			case 0:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 1:
				panic(http.ErrAbortHandler) // the connection breaks
			case 2:
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
				return true // taken, and nobody heard of it
			}
			return false
		}
		first, second := newInbox(t, answer), newInbox(t, answer)
		db := openStore(rt, t.TempDir())
		defer db.Close()
		s := settings(map[string]Endpoint{"first": {Webhook: &Webhook{URL: first.URL}}, "second": {Webhook: &Webhook{URL: second.URL}}})
		s.Attempts = 1000
		n := run(rt, db, s)
		written := map[int]int{}
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 12).Draw(rt, "messages") {
				image := roll(3)
				put(rt, db, event(image, written[image]))
				written[image]++
			}
			if rapid.Bool().Draw(rt, "restart") {
				n.Close()
				n = run(rt, db, s)
			}
		}
		eventually(rt, "everything is delivered", drained(rt, db))
		n.Close()
		for image, count := range written {
			wantInOrder(rt, "first", image, first.got(image), count)
			wantInOrder(rt, "second", image, second.got(image), count)
		}
	})
}

func run(t rapid.TB, db *sqlite.DB, s Settings) *Notifier {
	n, err := Start(Config{Outbox: db, Settings: s, Log: quiet(), Backoff: quick})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNobodyWaitsForAnother: an endpoint that never answers holds up none
// other, and a message that an endpoint refuses none about another image.
func TestNobodyWaitsForAnother(t *testing.T) {
	over := make(chan struct{})
	silent := newInbox(t, func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return false
	})
	defer close(over)
	picky := newInbox(t, func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if strings.Contains(string(body), `"image":1`) {
			w.WriteHeader(http.StatusTeapot)
			return false
		}
		return true
	})
	db := newStore(t)
	start(t, db, settings(map[string]Endpoint{"silent": {Webhook: &Webhook{URL: silent.URL}}, "picky": {Webhook: &Webhook{URL: picky.URL}}}))
	for n := range 30 {
		put(t, db, event(1, n), event(2, n))
	}
	eventually(t, "the picky endpoint has got what it takes", func() bool { return len(picky.got(2)) == 30 })
	wantInOrder(t, "picky", 2, picky.got(2), 30)
	if got := silent.got(2); len(got) != 0 {
		t.Errorf("the silent endpoint has taken %v", got)
	}
}

// TestDeadLetter: after its attempts a delivery is dead and shown; the next one
// goes on, and a retry brings it.
func TestDeadLetter(t *testing.T) {
	var mu sync.Mutex
	refuse := true
	hook := newInbox(t, func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if refuse && strings.Contains(string(body), `"n":0`) {
			http.Error(w, "no room for\n  "+strings.Repeat("x", 9000), http.StatusInsufficientStorage)
			return false
		}
		return true
	})
	db := newStore(t)
	s := settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: hook.URL}}})
	s.Attempts = 3
	start(t, db, s)
	put(t, db, event(1, 0), event(1, 1))
	eventually(t, "the second message is delivered", func() bool { return len(hook.got(1)) == 1 })
	eventually(t, "nothing waits", drained(t, db))
	dead := deadOnes(t, db)
	if len(dead) != 1 || dead[0].Message.ID != "1-0" || dead[0].Attempts != 3 || dead[0].Endpoint != "hook" {
		t.Fatalf("dead: %+v", dead)
	}
	if p := dead[0].Problem; !strings.Contains(p, "answered 507 Insufficient Storage: no room for xxx") || len(p) > 500 {
		t.Errorf("problem: %q", p)
	}
	mu.Lock()
	refuse = false
	mu.Unlock()
	if err := db.RetryDelivery(t.Context(), dead[0].ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first one is delivered", func() bool { return slices.Equal(hook.got(1), []int{1, 0}) })
}

// TestRoutes: topics by ARN and name, functions by ARN and name, events by type.
func TestRoutes(t *testing.T) {
	s := Default()
	s.Events = []Rule{{To: []string{"all"}}, {Types: []ingot.EventType{ingot.EventCVE}, To: []string{"cve", "all"}}}
	s.Topics = map[string][]string{"builds": {"a"}, "arn:aws:sns:us-east-1:1:builds": {"b"}}
	s.Functions = map[string]string{"ask": "f"}
	for _, test := range []struct {
		channel ingot.Channel
		name    string
		want    string
		ok      bool
	}{
		{ingot.ChannelEvents, string(ingot.EventCVE), "all cve all", true},
		{ingot.ChannelEvents, string(ingot.EventImageState), "all", true},
		{ingot.ChannelTopic, "arn:aws:sns:us-east-1:1:builds", "b", true},
		{ingot.ChannelTopic, "arn:aws:sns:us-east-1:2:builds", "a", true},
		{ingot.ChannelTopic, "arn:aws:sns:us-east-1:2:other", "", false},
		{ingot.ChannelFunction, "ask", "f", true},
		{ingot.ChannelFunction, "arn:aws:lambda:us-east-1:1:function:ask", "f", true},
		{ingot.ChannelFunction, "arn:aws:lambda:us-east-1:1:function:ask:3", "f", true},
		{ingot.ChannelFunction, "arn:aws:lambda:us-east-1:1:function:no", "", false},
	} {
		to, ok := s.route(ingot.Message{Channel: test.channel, Name: test.name})
		if got := strings.Join(to, " "); got != test.want || ok != test.ok {
			t.Errorf("%s %s goes to %q, %v; want %q, %v", test.channel, test.name, got, ok, test.want, test.ok)
		}
	}
	if !s.HasFunction("ask") || s.HasFunction("no") {
		t.Error("HasFunction does not know the functions")
	}
}

// TestNobodySubscribed: a message to nobody is logged once and over.
func TestNobodySubscribed(t *testing.T) {
	db := newStore(t)
	var log strings.Builder
	n, err := Start(Config{Outbox: db, Settings: Default(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	m := event(1, 0)
	m.Channel, m.Name = ingot.ChannelTopic, topicARN
	put(t, db, m, m, event(1, 1))
	eventually(t, "everything is routed", drained(t, db))
	n.Close()
	if got := strings.Count(log.String(), "goes to nobody"); got != 1 || !strings.Contains(log.String(), topicARN) {
		t.Errorf("%d warnings, want 1 that names the topic:\n%s", got, &log)
	}
}

// TestRemovedEndpoint: what waits for an endpoint that is gone is dead, not lost.
func TestRemovedEndpoint(t *testing.T) {
	hook := newInbox(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusBadGateway)
		return false
	})
	db := newStore(t)
	s := settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: hook.URL}}})
	n := run(t, db, s)
	for i := range 150 {
		put(t, db, event(i%3, i))
	}
	eventually(t, "all is routed", func() bool { return routedAll(t, db) })
	n.Close()
	start(t, db, Default())
	eventually(t, "nothing waits", drained(t, db))
	if dead := deadOnes(t, db); len(dead) != 100 || dead[0].Problem != "the endpoint is not configured" {
		t.Errorf("%d dead, the first of which says %q", len(dead), dead[0].Problem)
	}
}

// TestClose lets an attempt end and saves that it did.
func TestClose(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	hook := newInbox(t, func(http.ResponseWriter, *http.Request, []byte) bool {
		close(arrived)
		<-answer
		return true
	})
	db := newStore(t)
	n := run(t, db, settings(map[string]Endpoint{"hook": {Webhook: &Webhook{URL: hook.URL}}}))
	put(t, db, event(1, 0))
	<-arrived
	closed := make(chan struct{})
	go func() { n.Close(); close(closed) }()
	close(answer)
	<-closed
	if n := waiting(t, db); n != 0 {
		t.Errorf("%d deliveries wait after a close that let them end", n)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{First: time.Second, Most: 15 * time.Minute}
	for _, test := range []struct {
		failures int
		chance   float64
		want     time.Duration
	}{
		{1, 0, time.Second},
		{1, 1, 500 * time.Millisecond},
		{4, 0, 8 * time.Second},
		{11, 0, 15 * time.Minute},
		{1 << 40, 0.5, 675 * time.Second},
	} {
		if got := b.after(test.failures, test.chance); got != test.want {
			t.Errorf("after %d failures, chance %v: %s, want %s", test.failures, test.chance, got, test.want)
		}
	}
}
