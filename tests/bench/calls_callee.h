/* SPDX-License-Identifier: MIT */
/*
 * What is called, as one module sees it.
 */
#ifndef HOTPATCH_BENCH_CALLS_CALLEE_H
#define HOTPATCH_BENCH_CALLS_CALLEE_H

#include "calls.h"

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN int HERE(direct)(int number);
extern HIDDEN int (*HERE(pointer))(int number);
DECLARE(int, HERE(patchable), (int number));
int HERE(exported)(int number);

#endif
