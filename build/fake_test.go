package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/toe"
)

// fakeDriver makes instances that are an agent in this process: nothing boots,
// and components are functions of the test. Like real ones, its instances live
// on when the server is stopped.
type fakeDriver struct {
	dir     string // one folder per instance, shared with the lab
	sockets string // a short path: sockets have 107 bytes for theirs
	// execute is what the executor in the guest does; nil succeeds at once.
	execute func(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error)
	// sanitize runs instead of the clean-up, which would clean up this machine.
	sanitize func(i *fakeInstance, emit func(string))

	mu        sync.Mutex
	instances map[string]*fakeInstance
	launches  []string // ids, in order; an adoption is none
}

func newFakeDriver(t *testing.T) *fakeDriver {
	sockets, err := os.MkdirTemp("", "fake")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	d := &fakeDriver{dir: t.TempDir(), sockets: sockets, instances: map[string]*fakeInstance{}}
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), nil); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *fakeDriver) Kind() string { return compute.KindContainer }

func (d *fakeDriver) Probe(context.Context) compute.Report {
	return compute.Report{Kind: d.Kind(), OK: true}
}

func (d *fakeDriver) Launch(_ context.Context, spec compute.Spec) (compute.Instance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.instances[spec.ID]; i != nil && i.phase() == compute.PhaseRunning {
		return i, nil
	}
	if _, err := os.Stat(spec.Disk); err != nil {
		return nil, fmt.Errorf("launching without a disk: %w", err)
	}
	i := &fakeInstance{driver: d, spec: spec, boots: 1, state: compute.PhaseRunning, ended: make(chan struct{})}
	if err := i.boot(); err != nil {
		return nil, err
	}
	d.instances[spec.ID] = i
	d.launches = append(d.launches, spec.ID)
	return i, nil
}

func (d *fakeDriver) Adopt(_ context.Context, id string) (compute.Instance, error) {
	if i := d.find(id); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("adopting %s: %w", id, compute.ErrGone)
}

func (d *fakeDriver) find(id string) *fakeInstance {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.instances[id]
}

func (d *fakeDriver) Sweep(ctx context.Context, keep []string) error {
	var errs []error
	for _, id := range d.live() {
		if !slices.Contains(keep, id) {
			errs = append(errs, d.find(id).Destroy(ctx))
		}
	}
	return errors.Join(errs...)
}

// live lists the instances that were not destroyed.
func (d *fakeDriver) live() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for id := range d.instances {
		ids = append(ids, id)
	}
	return ids
}

// fakeInstance is an agent behind a Unix socket.
type fakeInstance struct {
	driver *fakeDriver
	spec   compute.Spec

	mu     sync.Mutex
	state  compute.Phase
	boots  int
	ended  chan struct{}
	socket string
	server *http.Server
}

// boot starts an agent. Its calls that would change this machine are replaced.
func (i *fakeInstance) boot() error {
	i.socket = filepath.Join(i.driver.sockets, fmt.Sprintf("%s-%d", i.spec.ID, i.boots))
	listener, err := net.Listen("unix", i.socket)
	if err != nil {
		return err
	}
	agent := (&guest.Server{
		BootID: fmt.Sprint("boot-", i.boots), StateDirectory: filepath.Join(i.driver.dir, i.spec.ID, "agent"),
		Toe: i.run, Logf: func(string, ...any) {},
	}).Handler()
	mux := http.NewServeMux()
	mux.Handle("/", agent)
	mux.HandleFunc("POST /v1/power", func(_ http.ResponseWriter, r *http.Request) { go i.leave(guest.Power(r.FormValue("action"))) })
	mux.HandleFunc("POST /v1/sanitize", i.sanitize)
	mux.HandleFunc("GET /v1/inventory", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"os":"Fake 1","format":"dpkg","packages":[{"name":"bash","version":"5.2"},{"name":"zsh","version":"5.9"}]}`)
	})
	mux.HandleFunc("GET /v1/ready", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"state":"running"}`) })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	i.server = &http.Server{Handler: mux, Protocols: protocols}
	go i.server.Serve(listener)
	return nil
}

func (i *fakeInstance) run(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
	if i.driver.execute == nil {
		return toe.Result{Status: "success"}, nil
	}
	return i.driver.execute(ctx, req, emit)
}

func (i *fakeInstance) sanitize(w http.ResponseWriter, _ *http.Request) {
	seq := 1
	if i.driver.sanitize != nil {
		i.driver.sanitize(i, func(line string) {
			fmt.Fprintf(w, `{"seq":%d,"stream":"stdout","line":%q}`+"\n", seq, line)
			seq++
		})
	}
	fmt.Fprintf(w, `{"seq":%d,"exit":0}`+"\n", seq)
}

// leave ends the boot as a guest would.
func (i *fakeInstance) leave(p guest.Power) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.server.Close()
	if p == guest.PowerReboot {
		i.boots++
		if err := i.boot(); err != nil {
			panic(err)
		}
		return
	}
	i.end(compute.PhaseOff)
}

// crash ends the instance as a killed shim would.
func (i *fakeInstance) crash() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.server.Close()
	i.end(compute.PhaseCrashed)
}

func (i *fakeInstance) end(p compute.Phase) {
	if i.state == compute.PhaseRunning {
		i.state = p
		close(i.ended)
	}
}

func (i *fakeInstance) phase() compute.Phase {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}

func (i *fakeInstance) ID() string { return i.spec.ID }

func (i *fakeInstance) State(context.Context) (compute.State, error) {
	return compute.State{ID: i.spec.ID, Kind: compute.KindContainer, Phase: i.phase(), Reason: "as the test wants"}, nil
}

func (i *fakeInstance) Agent(ctx context.Context) (*guest.Client, error) {
	i.mu.Lock()
	state, socket := i.state, i.socket
	i.mu.Unlock()
	if state != compute.PhaseRunning {
		return nil, fmt.Errorf("instance %s is %s", i.spec.ID, state)
	}
	t := guest.Transport(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	})
	return guest.NewClient(t, func() error { t.CloseIdleConnections(); return nil }), ctx.Err()
}

func (i *fakeInstance) Wait(ctx context.Context) (compute.State, error) {
	select {
	case <-i.ended:
		return i.State(ctx)
	case <-ctx.Done():
		return compute.State{}, ctx.Err()
	}
}

func (i *fakeInstance) Stop(ctx context.Context, _ time.Duration) (compute.State, error) {
	if i.phase() == compute.PhaseRunning {
		i.leave(guest.PowerOff)
	}
	return i.State(ctx)
}

func (i *fakeInstance) Destroy(context.Context) error {
	i.crash()
	i.driver.mu.Lock()
	delete(i.driver.instances, i.spec.ID)
	i.driver.mu.Unlock()
	return os.RemoveAll(filepath.Join(i.driver.dir, i.spec.ID))
}

// event is a line of a component.
func event(document, text string) toe.Event {
	return toe.Event{Time: time.Now(), Level: "Info", Document: document, Phase: "build", Step: "Hello", Stream: "stdout", Message: text}
}

// isTest reports whether a run is that of the test workflow.
func isTest(req toe.Request) bool { return strings.Contains(strings.Join(req.Phases, ","), "test") }
