/* SPDX-License-Identifier: MIT */
/*
 * aarch64: handlers return through the vdso, unless a program sets a restorer
 * of its own, which no C library does.
 */
#include "../arch.h"

#include <ucontext.h>

bool hp_arch_restorers(uintptr_t restorers[HP_ARCH_RESTORERS], size_t *count)
{
	(void)restorers;
	*count = 0;
	return true;
}

uintptr_t hp_arch_interrupted(const void *context)
{
	const ucontext_t *thread = context;

	return (uintptr_t)thread->uc_mcontext.pc;
}
