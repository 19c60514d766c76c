/* SPDX-License-Identifier: MIT */
/*
 * x86-64: the kernel takes the restorer of each signal from sigaction(); the
 * C library hides it, so it is asked for by system call.
 */
#include "../arch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
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

size_t hp_arch_restorers(uintptr_t restorers[HP_ARCH_RESTORERS])
{
	struct kernel_action action;
	size_t count = 0;
	int number;

	for (number = 1; number <= 64 && count < HP_ARCH_RESTORERS; number++) {
		action.restorer = NULL;
		if (syscall(SYS_rt_sigaction, number, NULL, &action,
			    sizeof(action.mask)) != 0 ||
		    !action.restorer ||
		    is_known(restorers, count, (uintptr_t)action.restorer))
			continue;
		restorers[count++] = (uintptr_t)action.restorer;
	}
	return count;
}
