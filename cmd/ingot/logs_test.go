package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/build"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// outputDocument prints so many lines of many lengths and characters; then the
// most memory that the agent has taken.
const outputDocument = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Print
        action: ExecuteBash
        inputs:
          commands:
            - |
              awk -v lines=%d 'BEGIN {
                pad = "a -> b & <c> \"quoted\" \\ back\tslash "; while (length(pad) < 2048) pad = pad pad
                for (i = 0; i < lines; i++) { n = (i * 7919) %% 2000; if (n %% 10) print i " " substr(pad, 1, n) " é €|"; else print "" }
              }'
      - name: Memory
        action: ExecuteBash
        inputs:
          commands:
            - |
              pid=$$
              while [ $pid -gt 1 ]; do
                echo $(cat /proc/$pid/comm) $(grep VmHWM /proc/$pid/status)
                pid=$(awk '/^PPid/ {print $2}' /proc/$pid/status)
              done
`

// wantOutput is the digest of what outputDocument prints, and its size in bytes.
func wantOutput(lines int) (digest string, size int64) {
	pad := strings.Repeat("a -> b & <c> \"quoted\" \\ back\tslash ", 64)
	sum := newOutput()
	for i := range lines {
		n, text := i*7919%2000, ""
		if n%10 != 0 {
			text = fmt.Sprintf("%d %s é €|", i, pad[:n])
		}
		sum.add(text)
	}
	return sum.digest(), sum.size
}

// output is the standard output of the step Print, as a log has it.
type output struct {
	hash  hash.Hash
	size  int64
	agent int // KiB, as the step Memory says
}

func newOutput() *output { return &output{hash: sha256.New()} }

func (o *output) add(text string) {
	n, _ := io.WriteString(o.hash, text+"\n") // a hash takes everything
	o.size += int64(n)
}

func (o *output) digest() string { return hex.EncodeToString(o.hash.Sum(nil)) }

func (o *output) line(l build.Line) {
	text, printed := strings.CutPrefix(l.Text, "CmdExecution: Stdout: ")
	switch {
	case !printed:
	case l.DocumentStep == "Print":
		o.add(text)
	case l.DocumentStep == "Memory":
		if fields := strings.Fields(text); len(fields) == 4 {
			kib, _ := strconv.Atoi(fields[2])
			o.agent = max(o.agent, kib)
		}
	}
}

// TestOutput: nothing of what a component prints is cut, in the log or for
// those who follow it over a kill of the server, and nobody's memory grows with
// it. INGOT_TEST_OUTPUT is how much it prints, in MiB.
func TestOutput(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	mib := 64
	if testing.Short() {
		mib = 8
	}
	if text := os.Getenv("INGOT_TEST_OUTPUT"); text != "" {
		var err error
		if mib, err = strconv.Atoi(text); err != nil {
			t.Fatalf("INGOT_TEST_OUTPUT=%q: must be a number of MiB", text)
		}
	}
	lines := mib << 20 / 900 // bytes of a line on average
	want, size := wantOutput(lines)
	p := newProcess(t)
	p.start()
	p.importBase()
	image := p.createImage(p.recipe("prints", model.CreateInfrastructureConfigurationRequest{}, fmt.Sprintf(outputDocument, lines)), false)
	followed := p.followOutput(image)
	p.until(image, fmt.Sprintf("Stdout: %d ", lines/4/10*10+1))
	first := p.memory("VmHWM")
	p.kill()
	p.start()
	stalled := p.stall(image)
	defer stalled.Close()
	f := <-followed
	if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
		t.Fatalf("%s is %s: %s; the server's log:\n%s", image, got.State.Status, got.State.Reason, p.log)
	}
	kept := newOutput()
	begun := time.Now()
	if err := build.Follow(t.Context(), p.logDir(image), false, kept.line); err != nil || kept.digest() != want {
		t.Errorf("the log has %d bytes with the digest %s (%v), want %d with %s", kept.size, kept.digest(), err, size, want)
	}
	reading := time.Since(begun)
	if f.err != nil || f.digest() != want {
		t.Errorf("who followed got %d bytes with the digest %s (%v: %s), want %d with %s", f.size, f.digest(), f.err, f.stderr, size, want)
	}
	t.Logf("%.1f MiB: at its peak the server took %d and %d KiB before and after the kill, the agent %d, `ingot logs -f` %d; the log was read in %s",
		float64(size)/(1<<20), first, p.memory("VmHWM"), kept.agent, f.memory, reading.Round(time.Millisecond))
	for who, peak := range map[string]int{"the server": max(first, p.memory("VmHWM")), "the agent": kept.agent, "ingot logs -f": f.memory} {
		if peak == 0 || peak > 200<<10 {
			t.Errorf("%s took %d KiB of memory at its peak, want at most 200 MiB", who, peak)
		}
	}
}

// followed is what `ingot logs -f` printed of the component's output.
type followed struct {
	*output
	memory int // KiB at its peak
	stderr string
	err    error
}

func (p *process) followOutput(image string) <-chan followed {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), self, "logs", "-f", "--output", "json", image)
	stderr := new(bytes.Buffer)
	cmd.Env, cmd.Stderr = p.env(), stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	result := make(chan followed, 1)
	go func() {
		f := followed{output: newOutput()}
		for lines := bufio.NewReader(out); ; {
			text, err := lines.ReadBytes('\n')
			if err != nil {
				break
			}
			var l build.Line
			if f.err = json.Unmarshal(text, &l); f.err != nil {
				break
			}
			f.line(l)
		}
		if err := cmd.Wait(); f.err == nil {
			f.err = err
		}
		f.memory, f.stderr = int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss), stderr.String()
		result <- f
	}()
	return result
}

// stall begins to follow a log and reads nothing of it.
func (p *process) stall(image string) io.Closer {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	began, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begin := sync.OnceFunc(func() { close(began) })
		err := p.API.Events(ctx, "/logs/events", map[string][]string{"image": {image}}, "", func(client.Event) error {
			begin()
			<-ctx.Done()
			return ctx.Err()
		})
		if ctx.Err() == nil {
			p.t.Errorf("following %s without reading: %v", image, err)
		}
	}()
	<-began
	return closer(func() { cancel(); <-ended })
}

type closer func()

func (c closer) Close() error { c(); return nil }

// TestS3Logs sends the logs of real builds to a real S3 server of another make,
// which is away for one of them.
func TestS3Logs(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	bucket := cloudtest.StartS3(t)
	road := newRoad(t, strings.TrimPrefix(bucket.Environment["AWS_ENDPOINT_URL_S3"], "http://"))
	road.open()
	p := newProcess(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, config, fmt.Sprintf("s3: {endpoint: 'http://%s', credentials: %s}\n", road.address, filepath.Join(filepath.Dir(config), "key")))
	writeFile(t, filepath.Join(filepath.Dir(config), "key"), fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		bucket.Environment["AWS_ACCESS_KEY_ID"], bucket.Environment["AWS_SECRET_ACCESS_KEY"]))
	p.flags = []string{"--config", config}
	p.start()
	p.importBase()
	logged := func(name, prefix string) string {
		image := p.createImage(p.recipe(name, model.CreateInfrastructureConfigurationRequest{
			Logging: &model.Logging{S3Logs: &model.S3Logs{S3BucketName: bucket.Bucket, S3KeyPrefix: prefix}},
		}, bash("build", "echo hello from "+name)), false)
		if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
			t.Fatalf("%s is %s: %s; the server's log:\n%s", image, got.State.Status, got.State.Reason, p.log)
		}
		return image
	}
	delivered := func(image, prefix string) {
		t.Helper()
		want := p.localLogs(image)
		p.eventually("the logs of "+image+" are in the bucket", func() bool { return len(keysBelow(t, bucket, prefix)) == len(want) })
		got := map[string]string{}
		for _, key := range keysBelow(t, bucket, prefix) {
			got[key] = string(bucket.Get(t, key))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the objects of %s (-local +bucket):\n%s", image, diff)
		}
	}

	up := logged("near", "team/builds")
	execution := "team/builds/near/1.0.0/1/" + p.buildExecution(up) + "/ApplyBuildComponents/TOE_"
	delivered(up, execution)
	console := 0
	for key, text := range p.localLogs(up) {
		if strings.HasSuffix(key, "/console.log") && strings.Contains(text, "hello from near") {
			console++
		}
	}
	if console != 1 {
		t.Errorf("%d console logs have the component's output, want one", console)
	}

	road.close()
	away := logged("away", "/") // adds no part to the key
	said := new(strings.Builder)
	if err := build.Follow(t.Context(), p.logDir(away), false, func(l build.Line) { said.WriteString(l.Text + "\n") }); err != nil {
		t.Fatal(err)
	}
	wantAll(t, said.String(), []string{"The logs for s3://" + bucket.Bucket + "/away/1.0.0/1/wf-", "have not been sent yet"})
	if keys := keysBelow(t, bucket, "away/"); len(keys) > 0 {
		t.Errorf("the bucket was away and has %q", keys)
	}
	p.kill() // the parcel outlives it
	road.open()
	p.start()
	delivered(away, "away/1.0.0/1/"+p.buildExecution(away)+"/ApplyBuildComponents/TOE_")
}

func keysBelow(t *testing.T, s *cloudtest.S3, prefix string) []string {
	t.Helper()
	return slices.DeleteFunc(s.Keys(t), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// localLogs are the executor's logs in the folder of a build, by their keys.
func (p *process) localLogs(image string) map[string]string {
	p.t.Helper()
	root := filepath.Join(p.logDir(image), "logs")
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root+"/")] = string(data)
		return err
	})
	if err != nil || len(all) == 0 {
		p.t.Fatalf("the logs of %s: %d files, %v", image, len(all), err)
	}
	return all
}

// buildExecution is the id of the BUILD workflow of an image.
func (p *process) buildExecution(image string) string {
	p.t.Helper()
	var list model.ListWorkflowExecutionsResponse
	p.call("ListWorkflowExecutions", model.ListWorkflowExecutionsRequest{ImageBuildVersionArn: image}, &list)
	for _, e := range list.WorkflowExecutions {
		if e.Type == model.WorkflowTypeBuild {
			return e.WorkflowExecutionId
		}
	}
	p.t.Fatalf("%s has no execution of a BUILD workflow", image)
	return ""
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// road leads to a server, or to nobody.
type road struct {
	t           *testing.T
	address, to string
	listener    net.Listener
	ways        sync.WaitGroup
}

func newRoad(t *testing.T, to string) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := &road{t: t, address: l.Addr().String(), to: to}
	t.Cleanup(r.close)
	return r
}

func (r *road) open() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.listener = l
	ctx, cancel := context.WithCancel(context.Background())
	r.ways.Go(func() {
		defer cancel()
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", r.to)
			if err != nil {
				near.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
			r.ways.Go(func() { io.Copy(far, near); far.Close(); stop() })
			r.ways.Go(func() { io.Copy(near, far); near.Close() })
		}
	})
}

func (r *road) close() {
	if r.listener != nil {
		r.listener.Close()
		r.listener = nil
		r.ways.Wait()
	}
}
