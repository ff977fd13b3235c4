package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/sanitize"
	"ingot.dev/ingot/model"
)

// markCleanUp asks for the clean-up, as the service's own user data does.
func (w *work) markCleanUp(ctx context.Context, c *guest.Client) error {
	return c.PutFile(ctx, path.Join(w.Plan.Directory, sanitize.Marker), 0o644, strings.NewReader(""))
}

// runUserData runs the script that replaces the service's user data. Its exit
// status does not matter, as with cloud-init.
func (w *work) runUserData(ctx context.Context, c *guest.Client) error {
	const script = "/run/ingot-user-data"
	if err := c.PutFile(ctx, script, 0o700, strings.NewReader(w.Plan.UserData)); err != nil {
		return err
	}
	w.log.note("Running the user data of the recipe")
	cmd := guest.Command{ID: "user-data-" + w.Instance.InstanceID, Args: []string{script}}
	exit, err := c.Exec(ctx, cmd, nil, w.logCommand)
	if err != nil {
		return fmt.Errorf("running the user data: %w", err)
	}
	w.log.note("The user data ended with status %d", exit)
	return nil
}

func (w *work) logCommand(e guest.Event) error {
	if e.Exit != nil {
		return nil
	}
	return w.log.write(Line{Time: w.Now(), Stream: e.Stream, Text: e.Line})
}

// inventory keeps the packages and the operating system of the instance.
func (w *work) inventory(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"instanceId": w.Instance.InstanceID}
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := w.checkShell(ctx, c); err != nil {
		return nil, w.orLost(ctx, err)
	}
	inv, err := c.Inventory(ctx)
	if err != nil {
		return nil, w.orLost(ctx, err)
	}
	system := w.Plan.Parent.OSVersion
	if system == "" {
		system = inv.OS
	}
	packages := make([]ingot.ImagePackage, 0, len(inv.Packages))
	for _, p := range inv.Packages {
		packages = append(packages, ingot.ImagePackage{PackageName: p.Name, PackageVersion: p.Version})
	}
	err = w.Records.Write(ctx, func(tx ingot.Tx) error {
		_, err := w.advanceIn(ctx, tx, w.image, model.ImageStatusBuilding, func(i *model.Image) { i.OsVersion = system })
		return errors.Join(err, tx.PutImagePackages(ctx, w.image, packages))
	})
	if err != nil {
		return nil, fmt.Errorf("keeping the packages of %s: %w", w.image, err)
	}
	w.log.note("Found %d packages on %s", len(packages), inv.OS)
	return reported{shown: map[string]string{"osVersion": system, "associationId": derived(w.Plan.Image, "inventory")}}, nil
}

// checkShell refuses an instance in which nobody can do anything any more. Its
// kernel, init and agent may well go on without a single program of its own.
func (w *work) checkShell(ctx context.Context, c *guest.Client) error {
	cmd := guest.Command{ID: "shell-" + w.Instance.InstanceID, Args: []string{"/bin/sh", "-c", ":"}}
	said := ""
	exit, err := c.Exec(ctx, cmd, nil, func(e guest.Event) error {
		if e.Line != "" {
			said = e.Line
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("trying a shell in the instance: %w", err)
	}
	if exit != 0 {
		return fmt.Errorf("the instance cannot run a shell any more (exit code %d: %s); did a component remove its programs?", exit, said)
	}
	return nil
}

// sanitize cleans the guest up. The clean-up takes its own marker away first,
// so one that was cut off is asked for again.
func (w *work) sanitize(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"instanceId": w.Instance.InstanceID}
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	begun := filepath.Join(w.dir(w.Plan.Image), "sanitize-"+w.Instance.InstanceID)
	if err := w.remark(ctx, c, begun); err != nil {
		return nil, w.orLost(ctx, err)
	}
	skippedAll := false
	err = c.Sanitize(ctx, w.Plan.Directory, func(line string) error {
		skippedAll = skippedAll || line == sanitize.Skipped
		return w.log.write(Line{Time: w.Now(), Stream: "stdout", Text: line})
	})
	if err != nil {
		return nil, w.orLost(ctx, err)
	}
	text := "Cleaned up"
	if skippedAll {
		text = sanitize.Skipped
	}
	return reported{shown: map[string]string{"runCommandId": derived(w.Plan.Image, "sanitize"), "status": "Success", "output": text}}, nil
}

// remark remembers in the file begun that the marker was there, and puts it
// back when the clean-up begins once more.
func (w *work) remark(ctx context.Context, c *guest.Client, begun string) error {
	if _, err := os.Stat(begun); err == nil {
		return w.markCleanUp(ctx, c)
	}
	var discard strings.Builder
	_, err := c.GetFile(ctx, path.Join(w.Plan.Directory, sanitize.Marker), 1<<10, &discard)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil && !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	return os.WriteFile(begun, nil, 0o600)
}

// connect finds this attempt's instance and its agent.
func (w *work) connect(ctx context.Context) (*guest.Client, error) {
	inst, err := w.adopt(ctx)
	if err != nil {
		return nil, err
	}
	return w.agent(ctx, inst)
}

// orLost turns an error into the loss of the instance, if that is its cause.
func (w *work) orLost(ctx context.Context, err error) error {
	if !errors.Is(err, guest.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	inst, gone := w.adopt(ctx)
	if gone != nil {
		return gone
	}
	if lost := w.lostBy(ctx, inst); lost != nil {
		return lost
	}
	return err
}
