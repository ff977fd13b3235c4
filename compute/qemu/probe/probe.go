// Package probe holds the guest that tells whether KVM works on a host.
package probe

import _ "embed"

//go:generate gcc -m32 -c -o probe.o probe.S
//go:generate ld -m elf_i386 -Ttext=0x100000 -z noexecstack --build-id=none -s -e _start -o probe.elf probe.o
//go:generate chmod 644 probe.elf
//go:generate rm probe.o

// Kernel is a multiboot kernel in ELF form; probe.S says what it does.
//
//go:embed probe.elf
var Kernel []byte

// ExitStatus is that of a QEMU in which the guest reached its end.
const ExitStatus = 2*0x10 + 1
