package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// TestFailures gives one server bad input of all kinds. Each ends in a clear
// error in bounded time with nothing left behind, and the server goes on.
func TestFailures(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	p.start()
	p.importBase()
	before := p.holdings()
	for _, c := range []struct {
		name string
		test func(*process)
	}{
		{"requests", testBadRequests},
		{"disks", testBadDisks},
		{"components", testBadComponents},
		{"output", testMuchOutput},
		{"cancellation", testCancellation},
		{"kept instance", testKeptInstance},
		{"mended instance", testMendedInstance},
		{"base that does not boot", testBadBase},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			c.test(p)
			if diff := cmp.Diff(before, p.holdings()); diff != "" {
				t.Errorf("what the installation has (-before +after):\n%s", diff)
			}
		})
	}
	p.t = t
	job := p.recipe("good", model.CreateInfrastructureConfigurationRequest{}, bash("build", "true"))
	if got := p.await(p.createImage(job, false)); got.State.Status != model.ImageStatusAvailable {
		t.Errorf("after all of it a good build is %s: %s", got.State.Status, got.State.Reason)
	}
}

// holdings is all that an installation has on its host but logs and records.
type holdings struct {
	Images []string // AMIs
	Files  []string // of snapshots and instances
	Host   []string // processes, mounts, loop devices, cgroups, network
	Held   []string // namespaces and deleted files that the server keeps open
}

func (p *process) holdings() holdings {
	p.t.Helper()
	h := holdings{Host: p.leftovers(), Held: p.held()}
	images, err := admin.Call[admin.None, []admin.Image](p.t.Context(), p.Admin, "image/list", admin.None{}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, i := range images {
		h.Images = append(h.Images, i.ID)
	}
	for _, f := range computetest.Files(p.t, filepath.Join(p.settings.Data, "regions")) {
		if info, err := os.Stat(f); err != nil || !info.IsDir() { // the folders of blocks stay
			h.Files = append(h.Files, f)
		}
	}
	return h
}

// held lists what only an open descriptor of the server keeps alive.
func (p *process) held() []string {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if strings.HasSuffix(target, " (deleted)") || strings.Contains(target, ":[4026") {
			list = append(list, target)
		}
	}
	return list
}

// bash is a component with one phase of one step.
func bash(phase, script string) string {
	return fmt.Sprintf(`
schemaVersion: 1.0
phases:
  - name: %s
    steps:
      - name: only
        action: ExecuteBash
        inputs: {commands: [%s]}
`, phase, strconv.Quote(script))
}

func testBadRequests(p *process) {
	parent := "arn:aws:imagebuilder:" + p.settings.Region + ":aws:image/debian-12-x86/x.x.x"
	var greeting model.CreateComponentResponse
	p.call("CreateComponent", model.CreateComponentRequest{
		Name: "greeting", SemanticVersion: "1.0.0", Platform: model.PlatformLinux,
		Data: "parameters:\n  - name: {type: string}\n" + strings.TrimSpace(bash("build", "echo hello")),
	}, &greeting)
	component := func(data string) model.CreateComponentRequest {
		return model.CreateComponentRequest{Name: "bad", SemanticVersion: "1.0.0", Platform: model.PlatformLinux, Data: data}
	}
	recipe := func(parent string, parameters ...model.ComponentParameter) model.CreateImageRecipeRequest {
		return model.CreateImageRecipeRequest{
			Name: "bad", SemanticVersion: "1.0.0", ParentImage: parent,
			Components: []model.ComponentConfiguration{{ComponentArn: greeting.ComponentBuildVersionArn, Parameters: parameters}},
		}
	}
	var windows model.CreateComponentResponse
	p.call("CreateComponent", model.CreateComponentRequest{
		Name: "windows", SemanticVersion: "1.0.0", Platform: model.PlatformWindows,
		Data: strings.NewReplacer("ExecuteBash", "ExecuteBinary", "commands: [\"dir\"]", "path: dir").Replace(bash("build", "dir")),
	}, &windows)
	windowsRecipe := recipe(parent)
	windowsRecipe.Components[0].ComponentArn = windows.ComponentBuildVersionArn
	for _, c := range []struct {
		name, operation string
		in              any
		code            string
		want            []string // in the message
	}{
		{
			"unknown module", "CreateComponent", component(strings.ReplaceAll(bash("build", "true"), "ExecuteBash", "ExecuteBsh")),
			"InvalidParameterValueException",
			[]string{"7:17: phases[0].steps[0].action", "ExecuteBsh", "did you mean 'ExecuteBash'"},
		},
		{
			"misspelt key", "CreateComponent", component(strings.ReplaceAll(bash("build", "true"), "inputs:", "input:")),
			"InvalidParameterValueException",
			[]string{"phases[0].steps[0].input:", "did you mean 'inputs'"},
		},
		{
			"parameter without a value", "CreateImageRecipe", recipe(parent),
			"InvalidParameterValueException",
			[]string{"components[0].parameters", "greeting", "'name'"},
		},
		{
			"undeclared parameter", "CreateImageRecipe", recipe(parent, model.ComponentParameter{Name: "nmae", Value: []string{"x"}}),
			"InvalidParameterValueException",
			[]string{"components[0].parameters[0].name", "greeting", "'nmae'"},
		},
		{
			"parent that does not exist", "CreateImageRecipe",
			recipe("arn:aws:imagebuilder:"+p.settings.Region+":"+p.settings.Account+":image/nothing/1.0.0/1", model.ComponentParameter{Name: "name", Value: []string{"x"}}),
			"ResourceNotFoundException",
			[]string{"image/nothing/1.0.0/1"},
		},
		{
			"wrong platform", "CreateImageRecipe", windowsRecipe,
			"InvalidParameterValueException",
			[]string{"components[0]", "Windows", "Linux"},
		},
		{
			"distribution to another region", "CreateDistributionConfiguration",
			model.CreateDistributionConfigurationRequest{
				Name: "elsewhere", Distributions: []model.Distribution{{
					Region: "eu-west-1", AmiDistributionConfiguration: &model.AmiDistributionConfiguration{Name: "copy"},
				}},
			},
			"InvalidParameterValueException",
			[]string{"distributions[0].region", "eu-west-1"},
		},
	} {
		p.t.Run(c.name, func(t *testing.T) {
			err := p.API.Do(t.Context(), c.operation, c.in, nil)
			var got *client.Error
			if !errors.As(err, &got) || got.Code != c.code {
				t.Fatalf("%s = %v, want %s", c.operation, err, c.code)
			}
			wantAll(t, got.Message, c.want)
		})
	}
}

func wantAll(t *testing.T, text string, parts []string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not mention %q", text, part)
		}
	}
}

func testBadDisks(p *process) {
	dir := p.t.TempDir()
	text, empty, backed := filepath.Join(dir, "text"), filepath.Join(dir, "empty"), filepath.Join(dir, "backed.qcow2")
	for file, content := range map[string]string{text: "this is no disk\n", empty: ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	if out, err := exec.Command("qemu-img", "create", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", backed, "1M").CombinedOutput(); err != nil {
		p.t.Fatalf("making a qcow2 with a backing file: %v: %s", err, out)
	}
	for _, c := range []struct {
		file string
		want []string
	}{
		{text, []string{text}},
		{empty, []string{empty, "0 bytes"}},
		{backed, []string{backed, "backing file"}},
		{filepath.Join(dir, "absent"), []string{"absent", "no such file"}},
	} {
		p.t.Run(filepath.Base(c.file), func(t *testing.T) {
			out, err := p.ingot("", "base", "import", "--name", "bad", c.file)
			if err == nil {
				t.Fatalf("ingot base import %s succeeded: %s", c.file, out)
			}
			wantAll(t, out, c.want)
		})
	}
}

// ingot runs a command of the program against the server.
func (p *process) ingot(stdin string, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(p.t.Context(), self, args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.env(), strings.NewReader(stdin), &out, &out
	err = cmd.Run()
	return out.String(), err
}

func testBadComponents(p *process) {
	cases := []struct {
		name  string
		data  string
		tests bool
		want  []string // in the reason
	}{
		{"fails", bash("build", "echo one; echo two >&2; exit 7"), false, []string{"phase build", "step only", "exit code 7", "one", "two"}},
		{"fails after long lines", bash("build", "for i in $(seq 20); do printf '%0200d\\n' 0; done; echo the cause; exit 7"), false, []string{"exit code 7", "the cause"}},
		{"fails its validation", bash("validate", "exit 8"), false, []string{"phase validate", "exit code 8"}},
		{"hangs", strings.ReplaceAll(bash("build", "sleep 1000"), "action:", "timeoutSeconds: 2\n        action:"), false, []string{"phase build", "step only", "timed out after 2 seconds"}},
		{"deletes bin", bash("build", "rm -rf /bin/* /usr/bin/*"), false, []string{"cannot run a shell", "/bin/sh"}},
		{"powers off", bash("build", "systemctl poweroff; sleep 1000"), false, []string{"phase build", "step only", "powered off", "exit code 194"}},
		{"kills all processes", bash("build", "kill -9 -1; sleep 1000"), false, []string{"phase build", "step only", "went down"}},
		{"kills the agent", bash("build", "pkill -9 -x agent; sleep 1000"), false, []string{"phase build", "step only", "went down", "exit code 194"}},
		// Its shell may get the signal of the shutdown before the agent goes.
		{"restarts unasked", bash("build", "systemctl reboot; sleep 1000"), false, []string{"phase build", "step only"}},
		{"removes the boot loader", bash("build", "rm -rf /boot/grub"), true, []string{"booting the new image", "does not boot (bios)", "GRUB has no configuration", "grub>"}},
		{"fails its test", bash("test", "echo not good; exit 4"), true, []string{"phase test", "step only", "exit code 4", "not good"}},
	}
	images := make([]string, len(cases))
	for i, c := range cases {
		name := strings.ReplaceAll(c.name, " ", "-")
		images[i] = p.createImage(p.recipe(name, model.CreateInfrastructureConfigurationRequest{}, c.data), c.tests)
	}
	parent := p.t
	for i, c := range cases {
		parent.Run(c.name, func(t *testing.T) {
			p.t = t
			got := p.await(images[i])
			if got.State.Status != model.ImageStatusFailed {
				t.Errorf("%s is %s, want FAILED", images[i], got.State.Status)
			}
			wantAll(t, got.State.Reason, c.want)
			if c.tests { // its AMI is there for a retry
				p.deleteAMI(images[i])
			}
		})
	}
	p.t = parent
}

// testMuchOutput fails after many lines: all are in the log, and the last in
// the reason. TestOutput prints more.
func testMuchOutput(p *process) {
	const lines = 10_000
	script := fmt.Sprintf("line=$(head -c 999 /dev/zero | tr '\\0' x); yes $line | head -n %d; echo >&2 enough; exit 6", lines)
	image := p.createImage(p.recipe("prints", model.CreateInfrastructureConfigurationRequest{}, bash("build", script)), false)
	got := p.await(image)
	if got.State.Status != model.ImageStatusFailed {
		p.t.Errorf("%s is %s, want FAILED", image, got.State.Status)
	}
	wantAll(p.t, got.State.Reason, []string{"exit code 6", "xxx"})
	n := 0
	err := build.Follow(p.t.Context(), p.logDir(image), false, func(l build.Line) {
		if l.Stream == "stdout" && len(l.Text) >= 999 {
			n++
		}
	})
	if err != nil || n != lines {
		p.t.Errorf("the log has %d lines of the component (%v), want %d", n, err, lines)
	}
}

// memory reads a figure of the server's memory, in KiB.
func (p *process) memory(key string) int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatalf("/proc has no %s", key)
	return 0
}

func testCancellation(p *process) {
	image := p.createImage(p.recipe("cancelled", model.CreateInfrastructureConfigurationRequest{}, bash("build", "echo waiting; sleep 1000")), false)
	p.until(image, "Stdout: waiting")
	cancel := model.CancelImageCreationRequest{ImageBuildVersionArn: image}
	p.call("CancelImageCreation", cancel, nil)
	if got := p.await(image); got.State.Status != model.ImageStatusCancelled {
		p.t.Errorf("%s is %s: %s, want CANCELLED", image, got.State.Status, got.State.Reason)
	}
	var refused *client.Error
	if err := p.API.Do(p.t.Context(), "CancelImageCreation", cancel, nil); !errors.As(err, &refused) || refused.Code != "InvalidParameterValueException" {
		p.t.Errorf("a second CancelImageCreation = %v, want InvalidParameterValueException", err)
	}
	p.call("DeleteImage", model.DeleteImageRequest{ImageBuildVersionArn: image}, nil)
}

func testKeptInstance(p *process) {
	infrastructure := model.CreateInfrastructureConfigurationRequest{TerminateInstanceOnFailure: new(bool)}
	image := p.createImage(p.recipe("kept", infrastructure, bash("build", "echo evidence > /root/evidence; exit 5")), false)
	if got := p.await(image); got.State.Status != model.ImageStatusFailed {
		p.t.Fatalf("%s is %s, want FAILED", image, got.State.Status)
	}
	id := p.keptInstance()
	p.stop()
	p.start()
	if again := p.keptInstance(); again != id {
		p.t.Fatalf("after a restart %q is kept, want %q", again, id)
	}
	out, err := p.ingot("cat /root/evidence\nexit 3\n", "instance", "shell", id)
	if !strings.Contains(out, "evidence") || err == nil {
		p.t.Errorf("the shell printed %q and ended with %v, want the evidence and an exit status", out, err)
	}
	if out, err := p.ingot("", "instance", "stop", id); err != nil {
		p.t.Errorf("ingot instance stop: %v: %s", err, out)
	}
}

// testMendedInstance goes on in the instance that a failure left, after
// somebody has put right there what was wrong.
func testMendedInstance(p *process) {
	infrastructure := model.CreateInfrastructureConfigurationRequest{TerminateInstanceOnFailure: new(bool)}
	component := bash("build", "echo ran >> /root/runs; test -e /root/mended; test $(wc -l < /root/runs) = 2")
	image := p.createImage(p.recipe("mended", infrastructure, component), false)
	if got := p.await(image); got.State.Status != model.ImageStatusFailed {
		p.t.Fatalf("%s is %s, want FAILED", image, got.State.Status)
	}
	if out, err := p.ingot("touch /root/mended\n", "instance", "shell", p.keptInstance()); err != nil {
		p.t.Fatalf("ingot instance shell: %v: %s", err, out)
	}
	out, err := p.ingot("", "retry", image, "--from", "CreateOutputAMI")
	if want := "It failed in 'ApplyBuildComponents'; the steps to go on from are LaunchBuildInstance, ApplyBuildComponents."; err == nil || !strings.Contains(out, want) {
		p.t.Errorf("ingot retry from a step that was not begun = %s, %v; want %q", out, err, want)
	}
	if out, err := p.ingot("", "retry", image, "--from", "ApplyBuildComponents"); err != nil || !strings.Contains(out, image+" AVAILABLE") {
		p.t.Errorf("ingot retry = %s, %v; want the image AVAILABLE", out, err)
	}
	if out, err := p.ingot("", "retry", image); err == nil || !strings.Contains(out, "Only one that has failed or was cancelled can be retried") {
		p.t.Errorf("ingot retry of an AVAILABLE image = %s, %v", out, err)
	}
	p.deleteAMI(image)
}

// keptInstance is the id of the one instance that is there, marked as kept.
func (p *process) keptInstance() string {
	p.t.Helper()
	list, err := admin.Call[admin.None, []admin.Instance](p.t.Context(), p.Admin, "instance/list", admin.None{}, nil)
	if err != nil || len(list) != 1 || !list[0].Kept {
		p.t.Fatalf("the instances are %+v (%v), want one that is kept", list, err)
	}
	return list[0].ID
}

// testBadBase makes a base whose boot loader is gone. It runs in a container;
// the boot check tells that it would not start by itself.
func testBadBase(p *process) {
	if testing.Short() {
		p.t.Skip("takes two minutes: nothing but silence tells that a boot loader is damaged")
	}
	file := filepath.Join(p.t.TempDir(), "noloader.raw")
	if out, err := exec.Command("cp", "--sparse=always", testenv.BaseDisk(), file).CombinedOutput(); err != nil {
		p.t.Fatalf("copying the base: %v: %s", err, out)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, biosBootSize), biosBootStart); err != nil {
		p.t.Fatal(err)
	}
	if out, err := p.ingot("", "base", "import", "--name", "noloader", file); err != nil {
		p.t.Fatalf("ingot base import: %v: %s", err, out)
	}
	image := p.createImage(p.recipeOn("noloader", "noloader", model.CreateInfrastructureConfigurationRequest{}, bash("build", "true")), true)
	got := p.await(image)
	p.deleteAMI(image)
	if got.State.Status != model.ImageStatusFailed {
		p.t.Errorf("%s is %s, want FAILED", image, got.State.Status)
	}
	wantAll(p.t, got.State.Reason, []string{"does not boot (bios)", "nothing was printed for 2m0s", "boot loader"})
	if out, err := p.ingot("", "base", "rm", "noloader"); err != nil {
		p.t.Errorf("ingot base rm: %v: %s", err, out)
	}
}

// The BIOS boot partition of the bases that `ingot base build` makes, in bytes.
const (
	biosBootStart = 1 << 20
	biosBootSize  = 1 << 20
)
