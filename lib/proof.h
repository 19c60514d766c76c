/* SPDX-License-Identifier: MIT */
/*
 * Is nobody in a piece of code any more, nor returns to it? Asked when no
 * caller can get there, of bundles and of what redirecting left behind. Owns
 * how each thread and fiber is cleared, not when it is asked and what is done
 * then.
 */
#ifndef HP_PROOF_H
#define HP_PROOF_H

#include "stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Set before it is opened:
 * @ranges:   the code
 * @held:     bits of the images that it is noted as, see held.h
 * @gone:     first generation from which nobody gets there
 * @anywhere: tasks can have got there outside of any section, too
 * Then:
 * @hopeless: nothing can be proven in this process
 * @who:      what was not clear
 */
struct hp_proof {
	const struct hp_stack_range *ranges;
	size_t count;
	uint64_t held;
	uint64_t gone;
	bool anywhere;
	bool hopeless;
	char who[160];
	struct hp_stack_reader *reader;
	int self;
};

/* False, with @hopeless and @who, if threads cannot be looked at now. */
bool hp_proof_open(struct hp_proof *proof);
void hp_proof_close(struct hp_proof *proof);

bool hp_proof_has(const struct hp_proof *proof, uintptr_t address);

/*
 * Sections of views before @gone have to be over already. False, with @who, if
 * a thread or a fiber is in the code or cannot be told to be out of it. Under
 * no lock; calls the dynamic loader.
 */
bool hp_proof_tasks_are_clear(struct hp_proof *proof);

#endif
