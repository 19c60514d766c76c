/* SPDX-License-Identifier: MIT */
/*
 * Who is outside of this process's user namespace. The kernel shows all of
 * them in here as one number, which somebody in here may have, too.
 */
#ifndef HP_OUTSIDE_H
#define HP_OUTSIDE_H

#include <stdbool.h>

/*
 * @number: as which they are shown
 * @any:    there are any: not everybody has a number in here
 * @shared: somebody in here may have it as his own
 */
struct hp_outside {
	unsigned int number;
	bool any;
	bool shared;
};

/* Where /proc does not tell, there may be some, with a shared number. */
void hp_outside_users(struct hp_outside *outside);
void hp_outside_groups(struct hp_outside *outside);

#endif
