/* SPDX-License-Identifier: MIT */
/*
 * Facts for debuggers. Each module tells its own, once, when the library
 * starts.
 */
#ifndef HP_DESCRIPTOR_H
#define HP_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

void hp_describe(const char *name, uint64_t value);

#define hp_describe_variable(name, variable)                                   \
	hp_describe((name), (uintptr_t) & (variable))
#define hp_describe_member(name, type, member)                                 \
	hp_describe((name), offsetof(type, member))

#endif
