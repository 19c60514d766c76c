/* SPDX-License-Identifier: MIT */
/*
 * Threads of the library's own that serve in a loop, are no tasks, and may
 * never sleep for long enough to be looked at: at the top of their loop they
 * have no frame of anybody's code on their stack, and say so.
 */
#ifndef HP_LOOP_H
#define HP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Around the calling thread's loop; at its top. */
void hp_loop_begin(void);
void hp_loop_pass(void);
void hp_loop_end(void);

/* Has @thread passed the top of its loop since @generation was made? Then it is
 * in no code that no caller could reach any more from that generation on. */
bool hp_loop_has_passed(int thread, uint64_t generation);

void hp_loop_fork_child(void);

#endif
