/* SPDX-License-Identifier: MIT */
/*
 * Which functions the unwind table (.eh_frame) of a file describes; it names
 * them also in a stripped one.
 */
#ifndef HP_REDIRECT_FRAMES_H
#define HP_REDIRECT_FRAMES_H

#include "file.h"

/*
 * @entry:  at @start the return address is on top of the stack, as at the
 *          entry of a function; else it is a part of one, or a linkage table
 * @signal: the kernel returns to it from a signal handler
 */
struct hp_frame {
	uint64_t start;
	uint64_t stop;
	bool entry;
	bool signal;
};

typedef bool (*hp_frame_visitor)(const struct hp_frame *frame, void *argument);

/* Calls @visit for each description until it returns false; false then. What
 * is of an unusual kind is left out. */
bool hp_frames_each(const struct hp_elf *elf, hp_frame_visitor visit,
		    void *argument);

#endif
