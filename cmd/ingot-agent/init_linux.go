package main

import (
	"log"

	"ingot.dev/ingot/compute/qemu/initramfs"
)

// handOver does not return where the agent is the first process of a virtual
// machine.
func handOver() {
	if initramfs.IsInit() {
		log.Fatal(initramfs.Main())
	}
}
