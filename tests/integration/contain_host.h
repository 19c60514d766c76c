/* SPDX-License-Identifier: MIT */
/*
 * What the bundle that faults shares with its host.
 */
#ifndef CONTAIN_HOST_H
#define CONTAIN_HOST_H

enum fault {
	FAULT_NONE,
	FAULT_MEMORY,
	FAULT_DIVISION,
	FAULT_INSTRUCTION,
	FAULT_BELOW, /* in the C library, which it calls */
};

#endif
