// Command ingot-agent is the far end of package guest: it runs in an instance,
// opens its channel to the server and does what it is asked. It is static,
// needs no program of the guest, and imports little (deps_test.go).
//
// Drivers start it as a unit below /run (guest.Install). As the first process
// of a virtual machine it mounts the image and hands over to its init.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/toe"
)

var version = "devel" // set by the linker

func main() {
	log.SetFlags(0)
	handOver()
	dir := flag.String("dir", guest.RunDirectory, "folder with the agent's configuration")
	state := flag.String("state", guest.StateDirectory, "folder on disk for what outlives a reboot")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *dir, *state); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "ingot-agent:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, dir, state string) error {
	cfg, bootID, err := guest.LoadAgentConfig(dir)
	if err != nil {
		return fmt.Errorf("loading the configuration: %w", err)
	}
	srv := &guest.Server{
		Version: version, Token: cfg.Token, BootID: bootID, StateDirectory: state,
		Toe: execute, Logf: log.Printf,
	}
	return srv.Serve(ctx, func(ctx context.Context) (net.Conn, error) {
		return guest.OpenChannel(ctx, cfg.Channel)
	})
}

// execute runs documents and reports what they print.
func execute(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
	return toe.Run(ctx, req, toe.Options{Observer: emit})
}
