package main

import (
	"strings"
	"testing"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

const (
	slowComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: first
        action: ExecuteBash
        inputs: {commands: [echo first >> /var/lib/trace]}
      - name: slow
        action: ExecuteBash
        inputs: {commands: [echo in the middle, sleep 1, echo second >> /var/lib/trace]}
  - name: validate
    steps:
      - name: once
        action: ExecuteBash
        inputs: {commands: ['test "$(cat /var/lib/trace)" = "$(printf "first\nsecond")"']}
`
	slowTest = `
schemaVersion: 1.0
phases:
  - name: test
    steps:
      - name: slow
        action: ExecuteBash
        inputs: {commands: [test -e /var/lib/trace, echo testing, sleep 1]}
`
)

// TestKilledServer kills the server at points all along a build. After a
// restart the build ends as if nothing had happened: one image, one AMI, every
// step of a component done once, and nothing left on the host.
func TestKilledServer(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	p.start()
	p.importBase()
	job := p.recipe("killed", model.CreateInfrastructureConfigurationRequest{}, slowComponent, slowTest)
	points := []struct {
		at    string // a line of the build's log; empty is at once
		tests bool
	}{
		{"", false},
		{"LaunchBuildInstance began", false},
		{"LaunchBuildInstance: Launched", false},
		{"ApplyBuildComponents began", false},
		{"in the middle", false},
		{"InventoryCollection began", false},
		{"RunSanitizeScript began", false},
		{"CreateOutputAMI began", false},
		{"CreateOutputAMI: Instance", false},
		{"The disk is kept", false},
		{"TerminateBuildInstance began", false},
		{"CheckBoot began", true},
		{"LaunchTestInstance: Launched", true},
		{"Stdout: testing", true},
		{"TerminateTestInstance began", true},
		{"Registered", false},
	}
	for _, point := range points {
		t.Run(strings.ReplaceAll("at "+point.at, ":", ""), func(t *testing.T) {
			p.t = t
			if p.cmd == nil {
				p.start()
			}
			image := p.createImage(job, point.tests)
			if point.at != "" {
				p.until(image, point.at)
			}
			p.kill()
			p.start()
			if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
				t.Errorf("%s is %s: %s; the server's log:\n%s", image, got.State.Status, got.State.Reason, p.log)
			}
			if got := p.amisOf(image); len(got) != 1 {
				t.Errorf("%s has the AMIs %v, want one", image, got)
			}
			p.stop()
			if left := p.leftovers(); len(left) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
		})
	}
	p.t = t
}
