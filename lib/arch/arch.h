/* SPDX-License-Identifier: MIT */
/*
 * The C side of what differs between CPUs; each folder beside this file has
 * one arch.c with the same functions.
 */
#ifndef HP_ARCH_H
#define HP_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_ARCH_RESTORERS 8

#if defined(__x86_64__)
#define HP_ARCH_RESTORER_IN_VDSO 0
#else
#define HP_ARCH_RESTORER_IN_VDSO 1
#endif

/*
 * The return addresses that the kernel pushes for the signal handlers of this
 * process, and in @count how many different ones there are. False if they are
 * not all known.
 */
bool hp_arch_restorers(uintptr_t restorers[HP_ARCH_RESTORERS], size_t *count);

/* Where the thread was, of the context that a signal handler gets. */
uintptr_t hp_arch_interrupted(const void *context);

#endif
