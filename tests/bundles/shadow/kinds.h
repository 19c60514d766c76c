/* SPDX-License-Identifier: MIT */
/* What the host and its bundles share: objects, and a note of what ran. */
#ifndef KINDS_H
#define KINDS_H

struct object {
	int number;
};

struct extra {
	struct object *owner;
	int uses;
};

/* Counts for the test: constructors, and destructors of either bundle. */
extern unsigned int made;
extern unsigned int destroyed_by_one;
extern unsigned int destroyed_by_two;

/* How often the object was used, as far as the code that runs knows. */
int use(struct object *object);
void forget(struct object *object);
unsigned int forget_all(void);
/* Calls @work with what a get finds, inside the bundle. */
void with(struct object *object, void (*work)(struct extra *extra));

#endif
