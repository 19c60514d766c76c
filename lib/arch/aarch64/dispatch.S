/* SPDX-License-Identifier: MIT */
/*
 * Where an entry's detour ends during a transition: chooses, for the task that
 * calls, the body of its own view, and jumps there. Reached by a jump with the
 * slot in x17; x16 and x17 are free, no vector register is touched.
 */
#include "../layout.h"

	.text
	.p2align 5
	.globl	hotpatch_dispatch
	.type	hotpatch_dispatch, %function
hotpatch_dispatch:
	.cfi_startproc
	hint	#34				/* bti c */
	/* The entry's load of the target comes before the loads here: a branch
	 * orders none. Pairs with the release in hp_slot_detour(). */
	dmb	ishld
	stp	x9, x10, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	adrp	x9, :gottprel:hotpatch_self
	ldr	x9, [x9, #:gottprel_lo12:hotpatch_self]
	mrs	x10, tpidr_el0
	ldr	x9, [x10, x9]
	ldr	x9, [x9, #HP_TASK_SEEN]
	/* Neither 0, at rest, nor ~0, no task. */
	sub	x10, x9, #1
	cmn	x10, #2
	b.hs	.Lnewest
	/* The view moves on at @since and, if the transition is turned
	 * round, back and forth with each generation after it. */
	ldr	x16, [x17, #HP_SLOT_VIEW]
	ldr	x10, [x16, #HP_VIEW_SINCE]
	subs	x9, x9, x10
	b.lo	.Lprevious
	tbnz	x9, #0, .Lprevious
	ldr	x16, [x16, #HP_VIEW_NEXT]
	b	.Lgo
.Lprevious:
	ldr	x16, [x16, #HP_VIEW_PREVIOUS]
	b	.Lgo
.Lnewest:
	ldr	x16, [x17, #HP_SLOT_NEWEST]
.Lgo:
	ldp	x9, x10, [sp], #16
	.cfi_adjust_cfa_offset -16
	br	x16
	.cfi_endproc
	.size	hotpatch_dispatch, . - hotpatch_dispatch

	.section .note.GNU-stack, "", %progbits
