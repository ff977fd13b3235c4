package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// The two jobs. W0 says one thing; W2 installs nginx, writes 100 files and
// reboots. Each exists as a component and as provisioners for packer.
const (
	echoComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: say
        action: ExecuteBash
        inputs: {commands: [date]}
`
	nginxComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: install
        action: ExecuteBash
        inputs:
          commands:
            - set -e
            - export DEBIAN_FRONTEND=noninteractive
            - apt-get update -qq
            - apt-get install -y -qq --no-install-recommends nginx-light
            - mkdir -p /srv/files
            - for i in $(seq 100); do head -c 4096 /dev/urandom > /srv/files/$i; done
      - name: reboot
        action: Reboot
      - name: check
        action: ExecuteBash
        inputs:
          commands:
            - systemctl is-active nginx
            - test "$(ls /srv/files | wc -l)" = 100
`
	testComponent = `
schemaVersion: 1.0
phases:
  - name: test
    steps:
      - name: system
        action: ExecuteBash
        inputs: {commands: [systemctl is-active systemd-journald]}
`
)

var (
	packerEcho  = []provisioner{shell("date")}
	packerFiles = []provisioner{shell(
		"set -e", "export DEBIAN_FRONTEND=noninteractive",
		"apt-get update -qq", "apt-get install -y -qq --no-install-recommends nginx-light",
		"mkdir -p /srv/files", "for i in $(seq 100); do head -c 4096 /dev/urandom > /srv/files/$i; done",
	)}
	packerNginx = append(slices.Clip(packerFiles), reboot(shell("systemctl is-active nginx", `test "$(ls /srv/files | wc -l)" = 100`))...)
)

// builds times images against packer on the same base.
func builds(ctx context.Context, o options, dir string, t *table) error {
	if !o.wants("W0") && !o.wants("W0t") && !o.wants("W2") && !o.wants("W2vm") {
		return nil
	}
	s, err := startServer(ctx, o.ingot, filepath.Join(dir, "builds"))
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.importBase(ctx, o.base); err != nil {
		return err
	}
	peerDir := filepath.Join(dir, "packer")
	if err := os.Mkdir(peerDir, 0o700); err != nil {
		return err
	}
	peer, err := newPacker(ctx, o.base, peerDir)
	if err != nil {
		return err
	}
	w0, err := echoRows(ctx, o, s, peer, t)
	if err != nil {
		return err
	}
	if err := testedRow(ctx, o, s, w0, t); err != nil {
		return err
	}
	return nginxRows(ctx, o, s, peer, t)
}

func echoRows(ctx context.Context, o options, s *server, peer *packer, t *table) (time.Duration, error) {
	if !o.wants("W0") && !o.wants("W0t") {
		return 0, nil
	}
	job, err := s.prepare(ctx, "w0", "t3.small", echoComponent)
	if err != nil {
		return 0, err
	}
	w0, err := median(ctx, "W0", o.runs, func() (time.Duration, error) { return s.bake(ctx, job, false) })
	if err != nil {
		return 0, err
	}
	if err := s.explain(ctx, job, t); err != nil {
		return 0, err
	}
	if !o.wants("W0") {
		return w0, nil
	}
	beside, err := median(ctx, "W0 packer", o.runs, func() (time.Duration, error) { return peer.bake(ctx, packerEcho) })
	if err != nil {
		return 0, err
	}
	t.seconds("W0 echo, no test", w0, 2*time.Second)
	t.ratio("W0 echo, no test", w0, "packer", beside, 0.06)
	return w0, nil
}

// testedRow compares a tested build with the untested one and a bare boot.
func testedRow(ctx context.Context, o options, s *server, w0 time.Duration, t *table) error {
	if !o.wants("W0t") {
		return nil
	}
	job, err := s.prepare(ctx, "w0t", "t3.small", echoComponent, testComponent)
	if err != nil {
		return err
	}
	boot, err := median(ctx, "bare cold boot", o.runs, func() (time.Duration, error) { return s.bareBoot(ctx) })
	if err != nil {
		return err
	}
	w0t, err := median(ctx, "W0t", o.runs, func() (time.Duration, error) { return s.bake(ctx, job, true) })
	if err != nil {
		return err
	}
	limit := w0 + time.Duration(1.15*float64(boot))
	t.add("W0t echo, boot check, test", sec(w0t), "cold boot "+sec(boot), "", "<= "+sec(limit), w0t <= limit)
	return nil
}

func nginxRows(ctx context.Context, o options, s *server, peer *packer, t *table) error {
	if !o.wants("W2") && !o.wants("W2vm") {
		return nil
	}
	// Packer finds its guest again only after minutes, so that one run says
	// enough. What it takes without the reboot is the figure to watch.
	beside, err := median(ctx, "W2 packer", 1, func() (time.Duration, error) { return peer.bake(ctx, packerNginx) })
	if err != nil {
		return err
	}
	unbooted, err := median(ctx, "W2 packer, no reboot", o.runs, func() (time.Duration, error) { return peer.bake(ctx, packerFiles) })
	if err != nil {
		return err
	}
	for _, row := range []struct {
		name, title, instanceType string
		limit                     float64
	}{
		{"W2", "W2 nginx, files, reboot", "ct.small", 0.12},
		{"W2vm", "W2 the same in a VM", "vm.small", 0.7},
	} {
		if !o.wants(row.name) {
			continue
		}
		job, err := s.prepare(ctx, row.name, row.instanceType, nginxComponent)
		if err != nil {
			return err
		}
		took, err := median(ctx, row.name, o.runs, func() (time.Duration, error) { return s.bake(ctx, job, false) })
		if err != nil {
			return err
		}
		t.ratio(row.title, took, "packer, 1 run", beside, row.limit)
		t.compare(row.title, took, "packer without the reboot", unbooted)
	}
	return nil
}

// job is a recipe and infrastructure that are ready to build.
type job struct {
	recipe, infrastructure string
	last                   string // image of the last bake
}

func (s *server) prepare(ctx context.Context, name, instanceType string, documents ...string) (*job, error) {
	recipe := model.CreateImageRecipeRequest{
		Name: "bench-" + name, SemanticVersion: "1.0.0",
		ParentImage: "arn:aws:imagebuilder:" + s.api.Region + ":aws:image/debian-12-x86/x.x.x",
	}
	for i, text := range documents {
		var c model.CreateComponentResponse
		err := s.api.Do(ctx, "CreateComponent", model.CreateComponentRequest{
			Name: fmt.Sprintf("%s-%d", name, i), SemanticVersion: "1.0.0", Platform: model.PlatformLinux, Data: text,
		}, &c)
		if err != nil {
			return nil, err
		}
		recipe.Components = append(recipe.Components, model.ComponentConfiguration{ComponentArn: c.ComponentBuildVersionArn})
	}
	var r model.CreateImageRecipeResponse
	if err := s.api.Do(ctx, "CreateImageRecipe", recipe, &r); err != nil {
		return nil, err
	}
	var i model.CreateInfrastructureConfigurationResponse
	err := s.api.Do(ctx, "CreateInfrastructureConfiguration", model.CreateInfrastructureConfigurationRequest{
		Name: "bench-" + name, InstanceProfileName: "bench", InstanceTypes: []string{instanceType},
	}, &i)
	return &job{recipe: r.ImageRecipeArn, infrastructure: i.InfrastructureConfigurationArn}, err
}

// bake builds an image and returns the time from the request to AVAILABLE.
func (s *server) bake(ctx context.Context, j *job, tests bool) (time.Duration, error) {
	start := time.Now()
	var out model.CreateImageResponse
	err := s.api.Do(ctx, "CreateImage", model.CreateImageRequest{
		ImageRecipeArn: j.recipe, InfrastructureConfigurationArn: j.infrastructure,
		ImageTestsConfiguration: &model.ImageTestsConfiguration{ImageTestsEnabled: &tests},
	}, &out)
	if err != nil {
		return 0, err
	}
	j.last = out.ImageBuildVersionArn
	for {
		var got model.GetImageResponse
		if err := s.api.Do(ctx, "GetImage", model.GetImageRequest{ImageBuildVersionArn: j.last}, &got); err != nil {
			return 0, err
		}
		switch state := got.Image.State; state.Status {
		case model.ImageStatusAvailable:
			return time.Since(start), nil
		case model.ImageStatusFailed, model.ImageStatusCancelled:
			return 0, fmt.Errorf("image %s: %s: %s", j.last, state.Status, state.Reason)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// explain adds a line for each step of the last bake: where the time goes.
func (s *server) explain(ctx context.Context, j *job, t *table) error {
	var executions model.ListWorkflowExecutionsResponse
	if err := s.api.Do(ctx, "ListWorkflowExecutions", model.ListWorkflowExecutionsRequest{ImageBuildVersionArn: j.last}, &executions); err != nil {
		return err
	}
	for _, e := range executions.WorkflowExecutions {
		var steps model.ListWorkflowStepExecutionsResponse
		if err := s.api.Do(ctx, "ListWorkflowStepExecutions", model.ListWorkflowStepExecutionsRequest{WorkflowExecutionId: e.WorkflowExecutionId}, &steps); err != nil {
			return err
		}
		for _, step := range steps.Steps {
			from, err1 := time.Parse(time.RFC3339, step.StartTime)
			to, err2 := time.Parse(time.RFC3339, step.EndTime)
			if err1 == nil && err2 == nil {
				t.rows = append(t.rows, []string{"   " + step.Name, sec(to.Sub(from)), "", "", "", ""})
			}
		}
	}
	return nil
}
