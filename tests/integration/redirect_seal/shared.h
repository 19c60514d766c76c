/* SPDX-License-Identifier: MIT */
/*
 * What the host and the bundle of the test share; the bundle with changes.
 */
#ifndef SHARED_H
#define SHARED_H

#ifndef SIZE_TYPE
#define SIZE_TYPE long
#endif
#ifndef PARAMETER
#define PARAMETER int
#endif

struct item {
	int id;
	SIZE_TYPE size;
};

int weigh(struct item *item, PARAMETER count);
int ready(int value);
int small(int value);
int loops(int value);

#endif
