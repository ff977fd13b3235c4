package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
)

// How far a boot check got.
const (
	ReachedAgent = "agent" // the guest's agent answered
	ReachedLogin = "login" // a login prompt stood on the console; the disk could not take an agent
)

// Check is the outcome of a boot check.
type Check struct {
	Boot    compute.Boot  `json:"boot"`
	Reached string        `json:"reached"`           // empty when the guest did not come up
	After   time.Duration `json:"after"`             // from the start of the VM to Reached
	Hello   guest.Hello   `json:"hello"`             // when the agent was reached
	Note    string        `json:"note,omitempty"`    // why there was no agent
	Console []string      `json:"console,omitempty"` // the last lines, when it did not come up
}

// BootError says that an image does not boot, and what its console showed.
type BootError struct {
	Boot    compute.Boot
	Hint    string   // what probably happened, and what to look at
	Console []string // the last lines, oldest first
	Err     error
}

func (e *BootError) Error() string {
	text := fmt.Sprintf("the image does not boot (%s): %s", e.Boot, e.Hint)
	if len(e.Console) > 0 {
		text += "; its console ends with: " + strings.Join(e.Console, " | ")
	}
	return text
}

func (e *BootError) Unwrap() error { return e.Err }

const (
	// checkLimit bounds a check whose context has no deadline: ten times what a
	// Debian guest takes under emulation, and more than systemd's longest wait.
	checkLimit = 5 * time.Minute
	// agentAfterLogin is how long the agent may come later than the prompt, which
	// systemd shows at the end of a boot.
	agentAfterLogin = 20 * time.Second
	// silence is how long a guest that prints nothing is waited for: six times
	// what a Debian guest without a serial console takes under emulation.
	silence     = 2 * time.Minute
	lookEvery   = 100 * time.Millisecond
	consoleTail = 15 // lines
)

// BootCheck boots a disk through its own loader and waits for a sign of life.
// The disk, spec.Disk, is written to and removed in the end. A disk that does
// not come up is a *BootError, within the deadline of ctx or five minutes; any
// other error says that the check could not be made.
func BootCheck(ctx context.Context, d compute.Driver, spec compute.Spec) (c Check, err error) {
	c.Boot = spec.Boot
	if spec.Boot != compute.BootBIOS && spec.Boot != compute.BootUEFI {
		return c, fmt.Errorf("checking the boot of %s: boot %q: must be %s or %s", spec.ID, spec.Boot, compute.BootBIOS, compute.BootUEFI)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	start := time.Now()
	instance, err := d.Launch(ctx, spec)
	if err != nil {
		return c, fmt.Errorf("checking the boot of %s: %w", spec.ID, err)
	}
	defer func() {
		err = errors.Join(err, instance.Destroy(context.WithoutCancel(ctx)))
	}()
	state, err := instance.State(ctx)
	if err != nil {
		return c, fmt.Errorf("checking the boot of %s: %w", spec.ID, err)
	}
	w := watcher{instance: instance, console: state.Console}
	err = w.watch(ctx, &c)
	c.After = time.Since(start)
	if err == nil {
		return c, nil // the disk is thrown away: no reason to wait for a power-off
	}
	text, readErr := readTail(state.Console)
	c.Console = lastLines(text, consoleTail)
	return c, errors.Join(explain(spec.Boot, text, c.Console, err), readErr)
}

// watcher waits for the first of: the agent, a login prompt, a line that says
// that nothing will come, the guest's end.
type watcher struct {
	instance compute.Instance
	console  string // path
}

// agentAnswer is what the wait for the agent ended with.
type agentAnswer struct {
	hello guest.Hello
	err   error
}

func (w watcher) watch(ctx context.Context, c *Check) error {
	ctx, cancel := context.WithCancel(ctx)
	answer := make(chan agentAnswer, 1)
	go func() { answer <- w.hello(ctx) }()
	joined := false
	defer func() {
		cancel()
		if !joined {
			<-answer
		}
	}()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var login time.Time
	seen, changed := "", time.Now()
	for {
		select {
		case a := <-answer:
			joined = true
			if a.err != nil {
				return a.err
			}
			c.Reached, c.Hello = ReachedAgent, a.hello
			return nil
		case now := <-tick.C:
			text, err := readTail(w.console)
			if err != nil {
				return err
			}
			if hint := hopeless(text); hint != "" {
				return errors.New(hint)
			}
			if login.IsZero() && loginPrompt.MatchString(text) {
				login = now
			}
			if text != seen {
				seen, changed = text, now
			}
			if now.Sub(changed) > silence {
				return fmt.Errorf("nothing was printed for %s: the boot loader is damaged, or the image hangs and its kernel has no console=ttyS0", silence)
			}
			reason := noteOf(text)
			if !login.IsZero() && (reason != "" || now.Sub(login) > agentAfterLogin) {
				c.Reached, c.Note = ReachedLogin, orElse(reason, "the agent did not answer")
				return nil
			}
		}
	}
}

func (w watcher) hello(ctx context.Context) agentAnswer {
	client, err := w.instance.Agent(ctx)
	if err != nil {
		return agentAnswer{err: err}
	}
	defer client.Close()
	h, err := client.Hello(ctx)
	return agentAnswer{hello: h, err: err}
}

// What a console shows in the end, by the one who wrote it. The fatal ones end
// a check at once; the others explain one that ran out of time.
var (
	loginPrompt = regexp.MustCompile(`(?m)^\S* ?login: *$`)
	symptoms    = []struct {
		sign  *regexp.Regexp
		hint  string
		fatal bool
	}{
		{regexp.MustCompile(`No bootable device`), "the firmware found no boot loader on the disk: install GRUB (grub-install) or give the base image a BIOS boot partition", true},
		{regexp.MustCompile(`UEFI Interactive Shell|BdsDxe: No bootable option`), "UEFI found no boot loader on the disk: the EFI system partition needs EFI/BOOT/BOOTX64.EFI", true},
		{regexp.MustCompile(`grub rescue>|error: no such (partition|device)`), "GRUB does not find its files or its partition: run grub-install and update-grub in the image", true},
		{regexp.MustCompile(`you need to load the kernel first`), "GRUB's configuration names a kernel that is not there: run update-grub in the image", true},
		{regexp.MustCompile(`error: file .* not found`), "GRUB's configuration names a kernel or initrd that is not there: run update-grub in the image", false},
		{regexp.MustCompile(`(?m)^grub>`), "GRUB has no configuration: run update-grub in the image", true},
		{regexp.MustCompile(`VFS: Unable to mount root|ALERT! .* does not exist|Gave up waiting for root`), "the kernel does not find its root file system: compare root= in the boot loader's configuration with the file system's UUID", true},
		{regexp.MustCompile(`Kernel panic`), "the kernel panicked", true},
		{regexp.MustCompile(`You are in (emergency|rescue) mode|\(initramfs\)|Enter root password`), "the boot stopped in an emergency shell: a file system of /etc/fstab or a required unit failed", true},
		{regexp.MustCompile(`Dependency failed for`), "a unit that the boot depends on failed", false},
	}
)

// hopeless tells when nothing more will come.
func hopeless(console string) string {
	for _, s := range symptoms {
		if s.fatal && s.sign.MatchString(console) {
			return s.hint
		}
	}
	return ""
}

// explain makes the error of a boot that did not come up.
func explain(boot compute.Boot, console string, tail []string, cause error) error {
	e := &BootError{Boot: boot, Console: tail, Err: cause}
	for _, s := range symptoms {
		if s.sign.MatchString(console) {
			e.Hint = s.hint
			return e
		}
	}
	e.Hint = "there was no sign of life in time"
	if len(tail) == 0 || strings.HasPrefix(tail[len(tail)-1], notePrefix) {
		e.Hint = "the console stayed empty: there is no boot loader, or its kernel has no console=ttyS0"
	}
	if !errors.Is(cause, context.DeadlineExceeded) {
		e.Hint = cause.Error()
	}
	return e
}

// tailBytes is as much of a console as is looked at.
const tailBytes = 64 << 10

// readTail reads the end of a console as text without control sequences.
func readTail(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tailBytes), tailBytes))
	return plain(text), err
}

// controls are terminal sequences and control characters but the line feed.
var controls = regexp.MustCompile(`\x1b\[[0-9;?=]*[A-Za-z]|\x1b[^\[]|[\x00-\x09\x0b-\x1f\x7f]`)

func plain(text []byte) string {
	return controls.ReplaceAllString(strings.ToValidUTF8(string(text), "?"), "")
}

// lastLines returns the last n lines that are not empty.
func lastLines(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// noteOf finds why the shim could not give the guest an agent.
func noteOf(console string) string {
	_, rest, found := strings.Cut(console, notePrefix+"no agent: ")
	if !found {
		return ""
	}
	reason, _, _ := strings.Cut(rest, "\n")
	return reason
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
