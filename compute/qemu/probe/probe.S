# The guest that tells whether KVM works: a multiboot kernel that enters long
# mode, runs a loop of 50 million turns and leaves through isa-debug-exit.
# It prints P, L and D on the first serial port as it gets there.
#
# A guest in real mode proves nothing: a host that emulates each instruction
# (nested, without support of the outer one) still prints its letter in the end.
# The loop takes 0.03 s on a processor and half a second under TCG, and does
# not end where KVM is present in name only.
#
# go generate assembles it; the result is committed, for ingot needs no compiler.

	.section .text
	.code32
	.align	4
	.long	0x1BADB002, 0, -0x1BADB002	# multiboot magic, flags, checksum
	.org	0x40
	.globl	_start
_start:
	mov	$0x3f8, %dx
	mov	$'P', %al
	out	%al, %dx

	mov	$0x200000, %edi			# three empty page tables at 2 MiB
	xor	%eax, %eax
	mov	$3072, %ecx
	rep stosl
	movl	$0x201003, 0x200000		# level 4 -> level 3
	movl	$0x202003, 0x201000		# level 3 -> level 2
	movl	$0x83, 0x202000			# first 2 MiB, one large page, identity

	mov	%cr4, %eax
	or	$0x20, %eax			# PAE
	mov	%eax, %cr4
	mov	$0x200000, %eax
	mov	%eax, %cr3
	mov	$0xC0000080, %ecx		# EFER
	rdmsr
	or	$0x100, %eax			# LME
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax		# PG, PE
	mov	%eax, %cr0
	lgdt	gdtr
	ljmp	$8, $long

	.code64
long:
	mov	$0x3f8, %dx
	mov	$'L', %al
	out	%al, %dx
	mov	$50000000, %rcx
1:	dec	%rcx
	jnz	1b
	mov	$'D', %al
	out	%al, %dx
	mov	$0xf4, %dx			# isa-debug-exit: QEMU's exit status is 2*n+1
	mov	$0x10, %al
	out	%al, %dx
2:	hlt
	jmp	2b

	.align	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	.word	23
	.long	gdt
