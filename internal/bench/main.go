// Command bench prints the table of what Ingot costs, with Debian's packer
// beside it: medians of several runs, and ratios, because absolute times move
// with the machine. It starts a server of its own in a temporary directory,
// talks to it as any client does, and ends everything it started.
//
//	go run ./internal/bench --ingot bin/ingot --executor bin/awstoe --base BASE.raw [--runs 5] [--only W0,W2]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.ingot, "ingot", "bin/ingot", "the program to measure")
	flag.StringVar(&o.executor, "executor", "bin/awstoe", "the executor alone, for its rows")
	flag.StringVar(&o.base, "base", "", "raw disk of the Debian base that both bake from")
	flag.IntVar(&o.runs, "runs", 5, "runs of each row; the median counts")
	flag.StringVar(&o.only, "only", "", "comma-separated rows to run: W0, W0t, W2, W2vm, memory, start, schedules, queue, ten, copy, steps, download, validate, output, lookup, create, filter, load (default: all)")
	flag.StringVar(&o.data, "data", "", "folder for the records of create, filter and load, which are kept and used again (default: a temporary one)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	ingot, executor, base, only, data string
	runs                              int
}

func (o options) wants(row string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), row)
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "ingot-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &table{}
	if err := builds(ctx, o, dir, t); err != nil {
		return err
	}
	if err := serverCosts(ctx, o, dir, t); err != nil {
		return err
	}
	if err := pipelines(ctx, o, dir, t); err != nil {
		return err
	}
	if err := copies(ctx, o, dir, t); err != nil {
		return err
	}
	if err := executor(ctx, o, dir, t); err != nil {
		return err
	}
	if o.wants("lookup") {
		if err := lookups(ctx, t); err != nil {
			return err
		}
	}
	if err := loads(ctx, o, dir, t); err != nil {
		return err
	}
	t.print(os.Stdout)
	return nil
}

// median of n timings of f, with each printed as it comes.
func median(ctx context.Context, name string, n int, f func() (time.Duration, error)) (time.Duration, error) {
	var all []time.Duration
	for range n {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		d, err := f()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(os.Stderr, "%-28s %8.2f s\n", name, d.Seconds())
		all = append(all, d)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
