/* SPDX-License-Identifier: MIT */
/*
 * Proof before unmapping: decides whether any task or thread can be in a
 * reverted patch's code or return to it, and unmaps it if none can.
 */
#ifndef HP_UNLOAD_H
#define HP_UNLOAD_H

/*
 * Tries every patch that waits to be unmapped. Context: no lock held; may call
 * the dynamic loader; one thread at a time does it, others return at once.
 * Gives back how many patches wait still and may succeed later.
 */
unsigned int hp_unload_ready(void);

/* In the child of a fork: another thread may have been in the middle. */
void hp_unload_fork_child(void);

#endif
