/* SPDX-License-Identifier: MIT */
/*
 * A step of hotpatch_dispatch, in the torture's build of the library alone
 * (lib/step.h). All registers that can carry an argument are kept, except for
 * vectors, which the torture's functions do not take. The stack is aligned for
 * a call where hotpatch_dispatch has pushed an even number of words.
 */
#ifndef HP_ARCH_X86_64_STEP_H
#define HP_ARCH_X86_64_STEP_H

#ifdef HP_TORTURE
/* clang-format off */
#define HP_STEP_DISPATCH                                                       \
	pushq %rax; pushq %rcx; pushq %rdx; pushq %rsi; pushq %rdi;            \
	pushq %r8; pushq %r9; pushq %r10; pushq %r11;                          \
	.cfi_adjust_cfa_offset 72;                                             \
	call *hp_step_dispatch@GOTPCREL(%rip);                                 \
	popq %r11; popq %r10; popq %r9; popq %r8;                              \
	popq %rdi; popq %rsi; popq %rdx; popq %rcx; popq %rax;                 \
	.cfi_adjust_cfa_offset -72
/* clang-format on */
#else
#define HP_STEP_DISPATCH
#endif

#endif
