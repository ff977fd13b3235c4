//go:build unix

package startup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemd is the service manager.
type systemd struct {
	dir       string // of the administrator's units
	systemctl string
}

func (s systemd) add(ctx context.Context, c Command) error {
	text, err := unit(c)
	if err != nil {
		return err
	}
	path := s.path(c.State)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, s.systemctl, "enable", filepath.Base(path))); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (s systemd) remove(ctx context.Context, state string) error {
	path := s.path(state)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := output(exec.CommandContext(ctx, s.systemctl, "disable", filepath.Base(path))); err != nil {
		return err
	}
	return os.Remove(path)
}

func (s systemd) path(state string) string { return filepath.Join(s.dir, entryName(state)+".service") }

// unit is the service of a command. The processes that its steps leave behind
// live on, as they do after a run that somebody starts by hand.
func unit(c Command) (string, error) {
	for _, path := range []string{c.Dir, c.State} {
		if strings.ContainsAny(path, "\n\r\x00") {
			return "", fmt.Errorf("%q cannot be in a unit, which is made of lines", path)
		}
	}
	words := make([]string, len(c.Args))
	for i, arg := range c.Args {
		words[i] = unitWord(arg)
	}
	return fmt.Sprintf(`[Unit]
Description=Component documents, continued after a reboot
ConditionPathExists=%s
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory=%s
ExecStart=%s
KillMode=process
SuccessExitStatus=194

[Install]
WantedBy=multi-user.target
`, escapeSpecifiers(c.State), escapeSpecifiers(c.Dir), strings.Join(words, " ")), nil
}

// unitWord is one word of a command line. Source: systemd.service(5).
func unitWord(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "$", "$$", "%", "%%").Replace(s) + `"`
}

func escapeSpecifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }
