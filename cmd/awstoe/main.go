// Command awstoe is the component executor alone: static and small enough to
// be carried to any machine, by the name that scripts of the vendor's users
// call. Everything is in package toe/command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ingot.dev/ingot/toe/command"
)

var version = "devel" // set by the linker

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := command.Main(ctx, "awstoe", version, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
