package admin_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
)

type greeting struct {
	Name string `json:"name"`
}

func newClient(t *testing.T, h http.Handler) *admin.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	c := admin.NewClient(path)
	t.Cleanup(c.Close)
	return c
}

func TestCall(t *testing.T) {
	var h admin.Handler
	admin.Handle(&h, "greet", func(_ context.Context, in greeting, send admin.Send) (greeting, error) {
		send(admin.Message{Progress: "thinking"})
		return greeting{Name: "hello " + in.Name}, nil
	})
	admin.Handle(&h, "fail", func(context.Context, greeting, admin.Send) (greeting, error) {
		return greeting{}, ingot.Errorf(ingot.CodeNotFound, "no such thing")
	})
	c := newClient(t, &h)

	var progress []string
	got, err := admin.Call[greeting, greeting](t.Context(), c, "greet", greeting{Name: "you"}, func(m admin.Message) {
		progress = append(progress, m.Progress)
	})
	if err != nil || got.Name != "hello you" {
		t.Errorf("greet = %+v, %v; want hello you", got, err)
	}
	if diff := cmp.Diff([]string{"thinking"}, progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	_, err = admin.Call[greeting, greeting](t.Context(), c, "fail", greeting{}, nil)
	if code := ingot.ErrorCode(err); code != ingot.CodeNotFound {
		t.Errorf("fail = %v, code %s; want code %s", err, code, ingot.CodeNotFound)
	}
	if _, err = admin.Call[greeting, greeting](t.Context(), c, "unknown", greeting{}, nil); err == nil {
		t.Error("an unknown operation succeeded")
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	var h admin.Handler
	entered := make(chan struct{})
	left := make(chan struct{})
	admin.Handle(&h, "hang", func(ctx context.Context, _ greeting, _ admin.Send) (greeting, error) {
		close(entered)
		<-ctx.Done()
		close(left)
		return greeting{}, ctx.Err()
	})
	c := newClient(t, &h)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := admin.Call[greeting, greeting](ctx, c, "hang", greeting{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("hang = %v, want the context's error", err)
	}
	<-left // the operation was told
}
