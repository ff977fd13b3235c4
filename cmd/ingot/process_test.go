package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/server"
)

// process is an ingot serve that a test started.
type process struct {
	t        *testing.T
	settings settings
	flags    []string // of ingot serve
	temp     string   // its folder for temporary files
	cmd      *exec.Cmd
	log      *bytes.Buffer
	*connection
}

// newProcess prepares a data directory; start starts the server on it.
func newProcess(t *testing.T) *process {
	t.Helper()
	runtime, err := os.MkdirTemp("", "ingot") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	s := defaultSettings()
	s.Data, s.Runtime, s.Listen = t.TempDir(), runtime, "127.0.0.1:0"
	p := &process{t: t, settings: s, temp: t.TempDir()}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.stop()
		}
	})
	return p
}

func (p *process) env() []string {
	return append(os.Environ(), asProgram+"=1", "INGOT_DATA="+p.settings.Data,
		"INGOT_RUNTIME="+p.settings.Runtime, "INGOT_LISTEN="+p.settings.Listen, "TMPDIR="+p.temp)
}

func (p *process) start() {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	endpoint := filepath.Join(p.settings.Data, "endpoint")
	if err := os.RemoveAll(endpoint); err != nil {
		p.t.Fatal(err)
	}
	p.log = new(bytes.Buffer)
	p.cmd = exec.Command(self, append([]string{"serve"}, p.flags...)...)
	p.cmd.Env, p.cmd.Stderr = p.env(), p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the server listens", func() bool {
		_, err := os.Stat(endpoint)
		return err == nil
	})
	if p.connection, err = connect(p.settings); err != nil {
		p.t.Fatal(err)
	}
	p.API.HTTP = nil
}

// eventually polls a condition that another process brings about.
func (p *process) eventually(what string, is func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !is() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited too long until %s; the server's log:\n%s", what, p.log)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// kill ends the server as a power cut would, its shims aside.
func (p *process) kill() {
	p.t.Helper()
	p.end(syscall.SIGKILL)
}

// stop ends the server in order.
func (p *process) stop() {
	p.t.Helper()
	p.end(syscall.SIGTERM)
}

func (p *process) end(how syscall.Signal) {
	p.t.Helper()
	p.Admin.Close()
	if err := p.cmd.Process.Signal(how); err != nil {
		p.t.Errorf("ending the server: %v; its log:\n%s", err, p.log)
	}
	_ = p.cmd.Wait() // a killed process has no status to check
	p.cmd = nil
}

func (p *process) call(operation string, in, out any) {
	p.t.Helper()
	if err := p.API.Do(p.t.Context(), operation, in, out); err != nil {
		p.t.Fatalf("%v; the server's log:\n%s", err, p.log)
	}
}

// leftovers is what the host still has of this installation.
func (p *process) leftovers() []string {
	p.t.Helper()
	list := computetest.Leftovers(p.t, server.Tag(p.settings.Data), p.settings.Data, p.settings.Runtime)
	list = append(list, computetest.Files(p.t, filepath.Join(p.settings.Data, "instances"))...)
	return append(list, computetest.Files(p.t, p.temp)...)
}

// importBase makes the test machine's Debian disk the base of the recipes.
func (p *process) importBase() {
	p.t.Helper()
	_, err := admin.Call[admin.BaseAdd, admin.Base](p.t.Context(), p.Admin, "base/add",
		admin.BaseAdd{Name: "debian-12-x86", Path: testenv.BaseDisk()}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
}

// recipe stores components, a recipe of them and an infrastructure configuration.
func (p *process) recipe(name string, infrastructure model.CreateInfrastructureConfigurationRequest, documents ...string) model.CreateImageRequest {
	p.t.Helper()
	return p.recipeOn("debian-12-x86", name, infrastructure, documents...)
}

// recipeOn is recipe with another base.
func (p *process) recipeOn(base, name string, infrastructure model.CreateInfrastructureConfigurationRequest, documents ...string) model.CreateImageRequest {
	p.t.Helper()
	in := model.CreateImageRecipeRequest{
		Name: name, SemanticVersion: "1.0.0",
		ParentImage: "arn:aws:imagebuilder:" + p.settings.Region + ":aws:image/" + base + "/x.x.x",
	}
	for i, text := range documents {
		var c model.CreateComponentResponse
		p.call("CreateComponent", model.CreateComponentRequest{
			Name: fmt.Sprintf("%s-%d", name, i), SemanticVersion: "1.0.0", Platform: model.PlatformLinux, Data: text,
		}, &c)
		in.Components = append(in.Components, model.ComponentConfiguration{ComponentArn: c.ComponentBuildVersionArn})
	}
	var r model.CreateImageRecipeResponse
	p.call("CreateImageRecipe", in, &r)
	infrastructure.Name, infrastructure.InstanceProfileName = name, "test"
	var i model.CreateInfrastructureConfigurationResponse
	p.call("CreateInfrastructureConfiguration", infrastructure, &i)
	return model.CreateImageRequest{ImageRecipeArn: r.ImageRecipeArn, InfrastructureConfigurationArn: i.InfrastructureConfigurationArn}
}

func (p *process) createImage(in model.CreateImageRequest, tests bool) string {
	p.t.Helper()
	in.ImageTestsConfiguration = &model.ImageTestsConfiguration{ImageTestsEnabled: &tests}
	var out model.CreateImageResponse
	p.call("CreateImage", in, &out)
	return out.ImageBuildVersionArn
}

// until follows the log of a build and returns at the first line that holds text.
func (p *process) until(image, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	found := false
	err := build.Follow(ctx, p.logDir(image), true, func(l build.Line) {
		if !found && strings.Contains(l.Step+": "+l.Text, text) {
			found = true
			cancel()
		}
	})
	if !found {
		p.t.Fatalf("the log of %s ended without %q (%v); the server's log:\n%s", image, text, err, p.log)
	}
}

func (p *process) await(image string) *model.Image {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	got, err := awaitEnd(ctx, p.API, image)
	if err != nil {
		p.t.Fatalf("waiting for %s: %v; the server's log:\n%s", image, err, p.log)
	}
	return got
}

// deleteAMI removes the one AMI of an image.
func (p *process) deleteAMI(image string) {
	p.t.Helper()
	p.deleteAMIs(image, 1)
}

// deleteAMIs removes the AMIs of an image, of which there must be n.
func (p *process) deleteAMIs(image string, n int) {
	p.t.Helper()
	ids := p.amisOf(image)
	if len(ids) != n {
		p.t.Fatalf("%s has the AMIs %v, want %d", image, ids, n)
	}
	for _, id := range ids {
		if _, err := admin.Call[admin.ImageName, admin.None](p.t.Context(), p.Admin, "image/remove", admin.ImageName{Image: id}, nil); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *process) amisOf(image string) (ids []string) {
	p.t.Helper()
	all, err := admin.Call[admin.None, []admin.Image](p.t.Context(), p.Admin, "image/list", admin.None{}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, i := range all {
		if i.ImageARN == image {
			ids = append(ids, i.ID)
		}
	}
	return ids
}
