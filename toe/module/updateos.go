package module

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

var updateOS = Module{
	Name:        "UpdateOS",
	Description: "Installs updates: of the packages of Linux with dnf, yum, apt-get or zypper; of Windows from the source the machine is set to, with restarts until nothing is left.",
	Platforms:   []string{"linux", "windows"},
	Optional:    true,
	Inputs: []Input{
		{Name: "include", Type: Strings, Default: "everything", Description: "Packages to update. Windows: KB numbers, or titles with *."},
		{Name: "exclude", Type: Strings, Description: "What not to update, in the same form."},
	},
	Run: func(ctx context.Context, c *Call) ([]Values, error) {
		include, exclude := c.Inputs[0].Strings("include"), c.Inputs[0].Strings("exclude")
		if runtime.GOOS == "windows" {
			return nil, updateWindows(ctx, c, include, exclude)
		}
		for _, m := range packageManagers {
			if _, err := c.lookPath(m.program); err == nil {
				return nil, m.update(ctx, c, include, exclude)
			}
		}
		return nil, errors.New("no package manager is in PATH: UpdateOS needs dnf, yum, apt-get or zypper")
	},
}

// packageManager is how a distribution updates its packages; the first one
// found is used.
type packageManager struct {
	program   string
	refresh   []string // arguments of the command that fetches the package lists; nil: none needed
	all       []string // arguments that update everything
	some      []string // arguments that update the packages that follow
	exclude   string   // option that leaves a package out, with = and its name; empty: hold
	hold      []string // command that protects the packages that follow
	unhold    []string
	held      []string // command that lists the protected packages
	installed []string // command that succeeds for an installed package
	fine      []int    // exit codes besides 0 that are no failure
}

// aptOptions let no question stop the update (changed configuration files are
// kept), and wait for another apt, such as the daily one of a fresh instance.
var aptOptions = slices.Clip([]string{
	"-y", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=-1",
})

var packageManagers = []packageManager{
	{
		program: "dnf", all: []string{"-y", "upgrade"}, some: []string{"-y", "upgrade"},
		exclude: "--exclude", installed: []string{"rpm", "-q"},
	},
	{
		program: "yum", all: []string{"-y", "update"}, some: []string{"-y", "update"},
		exclude: "--exclude", installed: []string{"rpm", "-q"},
	},
	{
		program: "apt-get", refresh: []string{"update"}, all: append(aptOptions, "upgrade"),
		some: append(aptOptions, "install", "--only-upgrade"),
		hold: []string{"apt-mark", "hold"}, unhold: []string{"apt-mark", "unhold"}, held: []string{"apt-mark", "showhold"},
		installed: []string{"dpkg-query", "-s"},
	},
	{
		program: "zypper", refresh: []string{"--non-interactive", "refresh"}, all: []string{"--non-interactive", "update", "--auto-agree-with-licenses"},
		some: []string{"--non-interactive", "update", "--auto-agree-with-licenses"},
		hold: []string{"zypper", "addlock"}, unhold: []string{"zypper", "removelock"}, held: []string{"zypper", "locks"},
		installed: []string{"rpm", "-q"},
		fine:      []int{102, 103}, // a restart of the machine or of zypper is advised
	},
}

// update refreshes the lists and installs what include names, or everything,
// without what exclude names.
func (m packageManager) update(ctx context.Context, c *Call, include, exclude []string) (err error) {
	for _, p := range slices.Concat(include, exclude) {
		if p == "" || strings.HasPrefix(p, "-") {
			return fmt.Errorf("'%s' is not the name of a package", p)
		}
	}
	quiet := *c
	quiet.Env = append(slices.Clip(c.Env), "DEBIAN_FRONTEND=noninteractive")
	if m.refresh != nil {
		if err := m.tolerate(quiet.discard(ctx, m.program, m.refresh...)); err != nil {
			return err
		}
	}
	named := len(include) > 0
	include = m.present(ctx, &quiet, without(include, exclude))
	if named && len(include) == 0 {
		c.Console.Printf(Info, "UpdateOS: none of the packages to include is installed")
		return nil
	}
	unhold, err := m.protect(ctx, &quiet, exclude)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unhold()) }()
	return m.tolerate(quiet.discard(ctx, m.program, m.arguments(include, exclude)...))
}

// arguments are those of the updating command.
func (m packageManager) arguments(include, exclude []string) []string {
	args := slices.Clone(m.all)
	if len(include) > 0 {
		args = slices.Clone(m.some)
	}
	if m.exclude != "" {
		for _, p := range exclude {
			args = append(args, m.exclude+"="+p)
		}
	}
	return append(args, include...)
}

// protect holds the packages that are installed and not held already, and
// returns what undoes it, also after ctx has ended.
func (m packageManager) protect(ctx context.Context, c *Call, packages []string) (undo func() error, err error) {
	if m.hold == nil {
		return func() error { return nil }, nil
	}
	var already []string
	if m.held != nil {
		out, err := c.run(ctx, m.held[0], m.held[1:]...)
		if err != nil {
			return nil, fmt.Errorf("listing held packages: %w", err)
		}
		already = strings.Fields(out)
	}
	packages = m.present(ctx, c, without(packages, already))
	if len(packages) == 0 {
		return func() error { return nil }, nil
	}
	if err := c.discard(ctx, m.hold[0], append(slices.Clip(m.hold[1:]), packages...)...); err != nil {
		return nil, fmt.Errorf("holding %s: %w", strings.Join(packages, ", "), err)
	}
	return func() error {
		ctx := context.WithoutCancel(ctx)
		return c.discard(ctx, m.unhold[0], append(slices.Clip(m.unhold[1:]), packages...)...)
	}, nil
}

// present keeps the packages that are installed: another entry is no error.
func (m packageManager) present(ctx context.Context, c *Call, packages []string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		found := c.succeeds(ctx, append(slices.Clip(m.installed), p))
		if !found {
			c.Console.Printf(Info, "UpdateOS: the package %s is not installed", p)
		}
		return !found
	})
}

// without is the packages that are not among the others.
func without(packages, others []string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return slices.Contains(others, p) })
}

// tolerate drops the exit codes that are no failure.
func (m packageManager) tolerate(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && slices.Contains(m.fine, exit.ExitCode()) {
		return nil
	}
	return err
}

// discard runs a program whose output matters to the log only.
func (c *Call) discard(ctx context.Context, program string, args ...string) error {
	_, err := c.run(ctx, program, args...)
	return err
}

// succeeds asks a program a question whose answer is its exit code.
func (c *Call) succeeds(ctx context.Context, argv []string) bool {
	silent := *c
	silent.Console = nowhere{}
	_, err := silent.run(ctx, argv[0], argv[1:]...)
	return err == nil
}

// nowhere is a console without readers.
type nowhere struct{}

func (nowhere) Printf(Level, string, ...any) {}
func (nowhere) Output(Stream, []byte)        {}
