package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ingot.dev/ingot/client"
)

// server is an ingot serve that this program started.
type server struct {
	cmd   *exec.Cmd
	ingot string
	data  string
	base  string // AMI id of the base
	api   *client.Client
	took  time.Duration // from start to listening
}

func startServer(ctx context.Context, ingot, data string, flags ...string) (*server, error) {
	s := &server{ingot: ingot, data: data}
	s.cmd = exec.CommandContext(ctx, ingot, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			s.took = time.Since(start)
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return s, s.connect(url)
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	return nil, fmt.Errorf("%s serve ended before it listened: %w", ingot, s.cmd.Wait())
}

func (s *server) connect(url string) error {
	out, err := exec.Command(s.ingot, "env", "--data", s.data, "--output", "json").Output()
	if err != nil {
		return fmt.Errorf("ingot env: %w", err)
	}
	env := make(map[string]string)
	if err := json.Unmarshal(out, &env); err != nil {
		return fmt.Errorf("ingot env: %w", err)
	}
	s.api = &client.Client{
		Endpoint: url, Region: env["AWS_REGION"],
		AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
	}
	return nil
}

func (s *server) stop() {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		_ = s.cmd.Wait() // its status does not matter any more
	}
}

func (s *server) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.ingot, append(args, "--data", s.data)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	return out, nil
}

func (s *server) importBase(ctx context.Context, disk string) error {
	_, err := s.run(ctx, "base", "import", disk, "--name", "debian-12-x86")
	if err != nil {
		return err
	}
	out, err := s.run(ctx, "base", "list", "--output", "json")
	if err != nil {
		return err
	}
	var bases []struct{ Name, AMI string }
	if err := json.Unmarshal(out, &bases); err != nil {
		return fmt.Errorf("ingot base list: %w", err)
	}
	for _, b := range bases {
		if b.Name == "debian-12-x86" {
			s.base = b.AMI
		}
	}
	return nil
}

// bareBoot boots the base through its own loader to its agent, and nothing else.
func (s *server) bareBoot(ctx context.Context) (time.Duration, error) {
	out, err := s.run(ctx, "image", "check", s.base, "--output", "json")
	if err != nil {
		return 0, err
	}
	var check struct {
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal(out, &check); err != nil {
		return 0, fmt.Errorf("ingot image check: %w", err)
	}
	return time.Duration(check.Seconds * float64(time.Second)), nil
}

// memory is the resident size of the server, in bytes.
func (s *server) memory() (int64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("no VmRSS in the status of process %d", s.cmd.Process.Pid)
}
