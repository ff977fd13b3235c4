package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bars of the component executor.
const (
	maxSteps    = 1.5 // times a bash script that runs bash -c on the same lines
	maxDownload = 1.2 // times curl
	maxValidate = time.Second
	maxOutput   = 64 << 20 // bytes resident

	steps         = 1000
	validated     = 1000 // documents
	documentLines = 200
	downloadSize  = 512 << 20
	outputMiB     = 1024
)

// executor measures what `ingot toe` costs beside plain programs.
func executor(ctx context.Context, o options, dir string, t *table) error {
	dir = filepath.Join(dir, "executor")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, row := range []struct {
		name    string
		measure func(context.Context, options, string, *table) error
	}{{"steps", manySteps}, {"download", download}, {"validate", validate}, {"output", output}} {
		if !o.wants(row.name) {
			continue
		}
		if err := row.measure(ctx, o, dir, t); err != nil {
			return fmt.Errorf("measuring %s: %w", row.name, err)
		}
	}
	return nil
}

// toeRun is the command line that executes a list of steps, given in YAML.
func toeRun(o options, dir, name, list string) ([]string, error) {
	document := filepath.Join(dir, name+".yml")
	text := "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n" + list
	return []string{o.executor, "run", "--documents", document, "--log-directory", dir}, os.WriteFile(document, []byte(text), 0o600)
}

// beside adds the row of a program and its peer. They run in turn, so that both
// see what else the machine does.
func beside(ctx context.Context, o options, t *table, row string, ours []string, peerName string, peer []string, limit float64) error {
	var values, others []time.Duration
	for range o.runs {
		value, err := timeProgram(ctx, ours)
		if err != nil {
			return err
		}
		other, err := timeProgram(ctx, peer)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%-28s %8.2f s, %s %.2f s\n", row, value.Seconds(), peerName, other.Seconds())
		values, others = append(values, value), append(others, other)
	}
	slices.Sort(values)
	slices.Sort(others)
	t.ratio(row, values[len(values)/2], peerName, others[len(others)/2], limit)
	return nil
}

// timeProgram runs a program. What earlier ones left to be written to the disk
// does not count.
func timeProgram(ctx context.Context, argv []string) (time.Duration, error) {
	if err := exec.CommandContext(ctx, "sync").Run(); err != nil {
		return 0, fmt.Errorf("running sync: %w", err)
	}
	start := time.Now()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("running %s: %w: %s", argv[0], err, out)
	}
	return time.Since(start), nil
}

func manySteps(ctx context.Context, o options, dir string, t *table) error {
	var document, script strings.Builder
	for i := range steps {
		fmt.Fprintf(&document, "  - {name: s%d, action: ExecuteBash, inputs: {commands: ['echo %d']}}\n", i, i)
		fmt.Fprintf(&script, "bash -c 'echo %d; exit'\n", i) // exit: or bash would not be what runs the line
	}
	file := filepath.Join(dir, "steps.sh")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		return err
	}
	ours, err := toeRun(o, dir, "steps", document.String())
	if err != nil {
		return err
	}
	return beside(ctx, o, t, "1,000 steps of bash", ours, "bash -c", []string{"bash", file}, maxSteps)
}

func download(ctx context.Context, o options, dir string, t *table) error {
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(filepath.Join(dir, "file"), downloadSize); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = downloadFrom(ctx, o, dir, fmt.Sprintf("http://%s/file", listener.Addr()), t)
	err = errors.Join(err, server.Close())
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

func downloadFrom(ctx context.Context, o options, dir, url string, t *table) error {
	target := filepath.Join(dir, "downloaded")
	ours, err := toeRun(o, dir, "download", fmt.Sprintf("  - {name: s, action: WebDownload, inputs: [{source: '%s', destination: '%s'}]}\n", url, target))
	if err != nil {
		return err
	}
	// Both keep the old file until the new one is there.
	curl := []string{"sh", "-c", `curl -sf -o "$1.new" "$0" && mv "$1.new" "$1"`, url, target}
	return beside(ctx, o, t, "WebDownload, 512 MiB", ours, "curl", curl, maxDownload)
}

func validate(ctx context.Context, o options, dir string, t *table) error {
	text := documentOf(documentLines)
	var paths []string
	for i := range validated {
		path := filepath.Join(dir, fmt.Sprintf("%04d.yml", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		paths = append(paths, path)
	}
	argv := []string{o.executor, "validate", "--documents", strings.Join(paths, ",")}
	took, err := median(ctx, "validate", o.runs, func() (time.Duration, error) { return timeProgram(ctx, argv) })
	if err != nil {
		return err
	}
	t.seconds("validate 1,000 documents", took, maxValidate)
	return nil
}

// documentOf is a document of so many lines with something of everything.
func documentOf(lines int) string {
	var b strings.Builder
	b.WriteString("name: bench\nschemaVersion: 1.0\nparameters:\n- Version: {type: string, default: 1.2.3}\nphases:\n- name: build\n  steps:\n  - {name: s0, action: ExecuteBash, inputs: {commands: [echo]}}\n")
	n := 8
	for i := 1; n+10 <= lines; i, n = i+1, n+10 {
		fmt.Fprintf(&b, `  - name: s%[1]d
    action: ExecuteBash
    timeoutSeconds: 600
    onFailure: Continue
    if: {not: {folderExists: '/opt/{{ Version }}'}}
    inputs:
      commands:
      - curl -fsSL https://example.com/{{ Version }}/file-%[1]d.tar.gz | tar -xz -C /opt/{{ Version }}
      - echo "{{ build.s%[2]d.outputs.stdout }}" >> /var/log/install.log
      - test -x /opt/{{ Version }}/bin/tool-%[1]d
`, i, i-1)
	}
	b.WriteString(strings.Repeat("# a comment\n", lines-n))
	return b.String()
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// output lets a step print, and the next one look at what that took.
func output(ctx context.Context, o options, dir string, t *table) error {
	argv, err := toeRun(o, dir, "output", fmt.Sprintf(`  - {name: print, action: ExecuteBash, inputs: {commands: ['head -c %dM /dev/zero | tr "\0" x | fold -w 1000']}}
  - {name: look, action: ExecuteBash, inputs: {commands: ['cat /proc/$PPID/status']}}
`, outputMiB))
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", argv[0], err, out)
	}
	var result struct{ LogURL string }
	if err := json.Unmarshal(out, &result); err != nil {
		return err
	}
	record, err := os.ReadFile(filepath.Join(result.LogURL, "detailedoutput.json"))
	if err != nil {
		return err
	}
	match := peak.FindStringSubmatch(strings.ReplaceAll(string(record), `\\t`, " "))
	if match == nil {
		return errors.New("the step did not see the executor's VmHWM")
	}
	kib, err := strconv.Atoi(match[1])
	if err != nil {
		return err
	}
	t.add("memory, 1 GiB of output", fmt.Sprintf("%d MiB", kib>>10), "", "", "<= 64 MiB", kib<<10 <= maxOutput)
	return os.RemoveAll(result.LogURL)
}
