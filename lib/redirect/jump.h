/* SPDX-License-Identifier: MIT */
/*
 * Where the jump leads to that a function's first bytes become.
 */
#ifndef HP_REDIRECT_JUMP_H
#define HP_REDIRECT_JUMP_H

#include "code.h"
#include "trampoline.h"

/*
 * Fills the trampoline's jump, and its relays where one is needed, for
 * @function whose first instruction is at @head. A jump through the
 * trampoline's target where there is room, or to its code; if two instructions
 * have to give way, a second one to its moved second instruction. E_NO_ROOM,
 * E_IMMUTABLE, E_TEXT, E_NO_MEMORY; then no relay is left.
 */
enum hotpatch_status hp_jump_place(struct hp_space *space,
				   const struct hp_function *function,
				   uintptr_t head,
				   struct hp_trampoline *trampoline);

void hp_jump_give_back(struct hp_space *space,
		       struct hp_trampoline *trampoline);

/*
 * Writes the beginning of the trampoline's code: the jump through its target,
 * and at HP_DISPATCH_AT the detour, which goes with @slot to the address that
 * is stored at @dispatch. What is left traps. False if something is out of
 * reach.
 */
bool hp_jump_write(const struct hp_trampoline *trampoline,
		   const struct hotpatch_slot *slot, uintptr_t dispatch,
		   uint8_t bytes[HP_TRAMPOLINE_SIZE]);

#endif
