package build

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// TestRealManagedComponents builds and tests an image with every component of
// the catalogue, in containers.
func TestRealManagedComponents(t *testing.T) {
	testenv.For(t, testenv.Network)
	l := realLab(t)
	l.materialise()
	l.check(catalog.SyncComponents(t.Context(), l.db, labRegion, time.Now()))
	var arns []string
	for _, c := range catalog.Components() {
		arns = append(arns, "arn:aws:imagebuilder:"+labRegion+":aws:component/"+c.Name+"/x.x.x")
	}
	arn := l.image("managed", func(i *model.Image) { inTmp(i); tested(i) }, arns...)
	l.check(l.builder.StartImage(t.Context(), arn))
	// A mirror is slow at times, and the base may be months old.
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if err := Follow(ctx, filepath.Join(l.dir, "builds", ID(arn)), true, func(Line) {}); err != nil {
		t.Fatalf("following the log: %v\n%s", err, l.log(arn))
	}
	l.wantStatus(l.get(arn), model.ImageStatusAvailable)
	log := l.log(arn)
	for _, line := range []string{
		"Stdout: aws-cli/2.", "Hello World! Build.", "Hello World! Validate.", "Hello World! Test.",
		"Step UpdateOperatingSystem", "System has rebooted successfully", "Step CheckRestarted", "Stdout: The system is running.",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q", line)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}
