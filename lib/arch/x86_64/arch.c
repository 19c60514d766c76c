/* SPDX-License-Identifier: MIT */
/*
 * x86-64: the kernel takes the restorer of each signal from sigaction(); the
 * C library hides it, so it is asked for by system call.
 */
#include "../arch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The kernel's own struct sigaction (asm/signal.h), which the C library's
 * differs from. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static bool is_known(const uintptr_t *restorers, size_t count,
		     uintptr_t restorer)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (restorers[i] == restorer)
			return true;
	return false;
}

bool hp_arch_restorers(uintptr_t restorers[HP_ARCH_RESTORERS], size_t *count)
{
	struct kernel_action action;
	int number;

	*count = 0;
	for (number = 1; number <= 64; number++) {
		action.restorer = NULL;
		if (syscall(SYS_rt_sigaction, number, NULL, &action,
			    sizeof(action.mask)) != 0)
			return false;
		if (!action.restorer ||
		    is_known(restorers, *count, (uintptr_t)action.restorer))
			continue;
		if (*count == HP_ARCH_RESTORERS)
			return false;
		restorers[(*count)++] = (uintptr_t)action.restorer;
	}
	return true;
}

uintptr_t hp_arch_interrupted(const void *context)
{
	const ucontext_t *thread = context;

	return (uintptr_t)thread->uc_mcontext.gregs[REG_RIP];
}
