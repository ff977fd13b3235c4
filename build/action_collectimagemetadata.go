package build

import (
	"context"
	"errors"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/model"
)

// collectImageMetadata keeps the packages and the operating system of the
// instance. Source: workflows.md §7.4.
func (w *work) collectImageMetadata(ctx context.Context) (map[string]any, error) {
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
		_, err := w.advanceIn(ctx, tx, w.image, stageOf[w.Workflow.Type], func(i *model.Image) { i.OsVersion = system })
		return errors.Join(err, tx.PutImagePackages(ctx, w.image, packages))
	})
	if err != nil {
		return nil, fmt.Errorf("keeping the packages of %s: %w", w.image, err)
	}
	w.log.note("Found %d packages on %s", len(packages), inv.OS)
	return map[string]any{"osVersion": system, "associationId": w.commandID()}, nil
}

// checkShell refuses an instance in which nobody can do anything any more. Its
// kernel, init and agent may well go on without a single program of its own.
func (w *work) checkShell(ctx context.Context, c *guest.Client) error {
	cmd := guest.Command{ID: "shell-" + w.Instance.ID, Args: []string{"/bin/sh", "-c", ":"}}
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

// undoMetadata forgets the packages that the step has found: they are the
// association that it made.
func (w *work) undoMetadata(ctx context.Context) (model.WorkflowStepExecutionRollbackStatus, error) {
	err := w.Records.Write(ctx, func(tx ingot.Tx) error { return tx.PutImagePackages(ctx, w.image, nil) })
	if err != nil {
		return "", fmt.Errorf("forgetting the packages of %s: %w", w.image, err)
	}
	return model.WorkflowStepExecutionRollbackStatusCompleted, nil
}
