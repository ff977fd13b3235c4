// Package qemu runs build instances as virtual machines.
//
// Command is a VM as data; Cmdline turns it into arguments and touches nothing.
// The rest is what a boot needs around it:
//
//	Driver   in the server: probes the host, launches, adopts, sweeps
//	Machine  in the shim: prepares the disk once, then starts QEMU for every boot
//	kvm.go   does KVM work? answered by a guest of 300 bytes, once per host boot
//	ext4.go  files in and out of the guest's root file system, without a mount
//	kernel.go, initrd.go   direct boot: the image's kernel, its virtio modules, the agent as /init
//	firmware.go, inject.go boot through the image's own loader: the agent is put into the overlay first
//	qmp.go   QEMU's control channel
//
// How an instance boots and where its agent comes from:
//
//	BootDirect        kernel and modules of the image, agent in the initrd; the disk stays untouched
//	BootBIOS/BootUEFI the image's loader; agent and unit written into the overlay, so that
//	                  overlay must be thrown away: a test, never a build
//
// A direct boot needs an ext4 root and a kernel with virtio. A guest without an
// agent (another file system, no systemd) can still be booted by its firmware:
// BootCheck then waits for the login prompt on the console.
//
// QEMU runs without privileges of its own, in its seccomp sandbox, and dies with
// its shim. User-mode networking lets the guest out and nobody in, but it does
// reach services on the host's loopback as 10.0.2.2.
package qemu
