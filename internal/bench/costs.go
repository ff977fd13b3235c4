package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/sqlite"
)

// Bars of the idle server.
const (
	maxIdle    = 60 << 20 // bytes resident
	manyImages = 10_000
	maxStart   = time.Second // to ready, with manyImages stored
)

// serverCosts measures a server that stores many images and does nothing.
func serverCosts(ctx context.Context, o options, dir string, t *table) error {
	if !o.wants("memory") && !o.wants("start") {
		return nil
	}
	data := filepath.Join(dir, "idle")
	s, err := startServer(ctx, o.ingot, data)
	if err != nil {
		return err
	}
	s.stop()
	if err := seed(ctx, filepath.Join(data, "ingot.db"), manyImages, func(i int) (ingot.Record, error) { return seedImage(s.api.Region, i) }); err != nil {
		return err
	}
	var memory int64
	start, err := median(ctx, "start with 10,000 images", o.runs, func() (time.Duration, error) {
		s, err := startServer(ctx, o.ingot, data)
		if err != nil {
			return 0, err
		}
		defer s.stop()
		used, err := s.memory()
		memory = max(memory, used)
		return s.took, err
	})
	if err != nil {
		return err
	}
	t.seconds("start, 10,000 images", start, maxStart)
	t.add("idle memory, the same", fmt.Sprintf("%d MiB", memory>>20), "", "", "<= 60 MiB", memory <= maxIdle)
	return nil
}

// seed stores n records the way the API does, in one transaction per thousand.
func seed(ctx context.Context, path string, n int, record func(int) (ingot.Record, error)) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	for from := 0; from < n; from += 1000 {
		err := db.Write(ctx, func(tx ingot.Tx) error {
			for i := from; i < min(from+1000, n); i++ {
				r, err := record(i)
				if err != nil {
					return err
				}
				if err := tx.Create(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func seedImage(region string, i int) (ingot.Record, error) {
	name := fmt.Sprintf("seed-%06d", i)
	arn, err := ingot.ParseARN(fmt.Sprintf("arn:aws:imagebuilder:%s:000000000000:image/%s/1.0.0/1", region, name))
	if err != nil {
		return ingot.Record{}, err
	}
	now := time.Now()
	document, err := json.Marshal(model.Image{
		Arn: arn.String(), Name: name, Type: model.ImageTypeAmi, Version: "1.0.0/1", Platform: model.PlatformLinux,
		State: &model.ImageState{Status: model.ImageStatusAvailable}, DateCreated: now.UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	return ingot.Record{
		ARN: arn, Name: name, Status: string(model.ImageStatusAvailable), Created: now, Updated: now,
		Attributes: map[string][]string{"platform": {"Linux"}, "type": {"AMI"}}, Document: document,
	}, err
}

// lookups runs the store's benchmarks at 100 and 100,000 images.
func lookups(ctx context.Context, t *table) error {
	cmd := exec.CommandContext(ctx, "go", "test", "./sqlite", "-run", "^$", "-bench", "Store/images=[0-9]+$/(Get|List)$", "-benchtime", "500x")
	cmd.Env = append(os.Environ(), "INGOT_BENCH_LARGE=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	perOp := make(map[string]float64) // nanoseconds
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) >= 4 && f[3] == "ns/op" {
			if perOp[strings.SplitN(f[0], "-", 2)[0]], err = strconv.ParseFloat(f[2], 64); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"Get", "List"} {
		few, many := perOp["BenchmarkStore/images=100/"+name], perOp["BenchmarkStore/images=100000/"+name]
		if few == 0 || many == 0 {
			return fmt.Errorf("the benchmarks of the store have no rows for %s of 100 and of 100,000 images:\n%s", name, out)
		}
		ratio := many / few
		// The same but for the noise of the machine and one more level of the index.
		t.add(name+" image, of 100,000", fmt.Sprintf("%.0f us", many/1000), fmt.Sprintf("of 100: %.0f us", few/1000), fmt.Sprintf("%.2f", ratio), "<= 1.5 x", ratio <= 1.5)
	}
	return nil
}
