/* SPDX-License-Identifier: MIT */
/*
 * Which process it is, so that a later one can tell whether it is there still:
 * its number, when it started, and the boot and the namespace in which both
 * mean something. Owns nothing.
 */
#ifndef HP_PROCESS_H
#define HP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#define HP_BOOT_SIZE 40

/* What could not be found out is 0 or "-". */
struct hp_process {
	uint64_t number;
	uint64_t started; /* clock ticks since boot */
	uint64_t space;	  /* of process numbers */
	char boot[HP_BOOT_SIZE];
};

enum hp_process_fate {
	HP_PROCESS_HERE, /* it runs */
	HP_PROCESS_SELF, /* it is the caller, perhaps before an exec */
	HP_PROCESS_GONE,
	HP_PROCESS_GONE_WITH_BOOT, /* the machine was started again since */
	HP_PROCESS_UNKNOWN, /* in another namespace, or /proc is closed */
};

void hp_process_self(struct hp_process *process);
enum hp_process_fate hp_process_look(const struct hp_process *process);

#endif
