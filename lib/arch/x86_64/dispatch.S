/* SPDX-License-Identifier: MIT */
/*
 * Where an entry's detour ends during a transition: chooses, for the task that
 * calls, the body of its own view, and jumps there. Reached by a jump with the
 * slot in r11, which is the only free register; no vector register is touched,
 * so arguments of every kind arrive untouched.
 */
#include "../layout.h"
#include "step.h"

	.text
	.p2align 5
	.globl	hotpatch_dispatch
	.type	hotpatch_dispatch, @function
hotpatch_dispatch:
	.cfi_startproc
	endbr64
	HP_STEP_DISPATCH
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	pushq	%rcx
	.cfi_adjust_cfa_offset 8
	movq	hotpatch_self@gottpoff(%rip), %rax
	movq	%fs:(%rax), %rax
	movq	HP_TASK_SEEN(%rax), %rax
	/* Neither 0, at rest, nor ~0, no task. */
	leaq	-1(%rax), %rcx
	cmpq	$-2, %rcx
	jae	.Lnewest
	movq	HP_SLOT_VIEW(%r11), %r11
	HP_STEP_DISPATCH
	/* The view moves on at @since and, if the transition is turned
	 * round, back and forth with each generation after it. */
	subq	HP_VIEW_SINCE(%r11), %rax
	jb	.Lprevious
	testb	$1, %al
	jnz	.Lprevious
	HP_STEP_DISPATCH
	movq	HP_VIEW_NEXT(%r11), %r11
	jmp	.Lgo
.Lprevious:
	HP_STEP_DISPATCH
	movq	HP_VIEW_PREVIOUS(%r11), %r11
	jmp	.Lgo
.Lnewest:
	movq	HP_SLOT_NEWEST(%r11), %r11
.Lgo:
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	popq	%rax
	.cfi_adjust_cfa_offset -8
	jmp	*%r11
	.cfi_endproc
	.size	hotpatch_dispatch, . - hotpatch_dispatch

	.section .note.GNU-stack, "", @progbits
#if defined(__CET__)
	.section .note.gnu.property, "a", @note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	/* Indirect branch tracking and shadow stack. */
	.long	0xc0000002, 4, 3, 0
#endif
