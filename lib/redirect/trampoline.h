/* SPDX-License-Identifier: MIT */
/*
 * The code that stands behind a redirected function: the jump through its
 * slot's target, the detour for transitions, the original's first instruction,
 * and, where the function has room for less than a whole jump, a relay at
 * the very address that the jump's given bytes lead to.
 *
 * All of it is written before anybody can come there and never changed after.
 * reclaim.c gives back what nobody can be in any more.
 */
#ifndef HP_REDIRECT_TRAMPOLINE_H
#define HP_REDIRECT_TRAMPOLINE_H

#include "chunk.h"
#include "code.h"
#include "decode.h"
#include "relay.h"
#include "text.h"

#include <hotpatch/function.h>
#include <hotpatch/status.h>

#define HP_TRAMPOLINE_SIZE 64u

/*
 * @code:   its bytes begin here; 64 belong to it
 * @relays: of the first instruction's jump, and of the second's; or none
 * @target: what it jumps through; lies apart, because it is written
 * @moved:  what was overwritten of the original, at @original
 * @jump:   what the first @jump_size of the function's bytes become, behind its
 *          landing pad; those up to @extent stay, and have to
 */
struct hp_trampoline {
	uintptr_t code;
	struct hp_relay relays[2];
	bool took_chunk;
	void (**target)(void);
	uintptr_t original;
	uintptr_t dispatch;
	struct hp_relocated moved;
	uint8_t jump[HP_EDIT_SIZE];
	uint8_t jump_size;
	uint8_t extent;
};

/* For a batch that builds up to @count. */
void hp_trampoline_begin(size_t count);

/*
 * Builds one for @function, which is loaded at @start, and for @slot.
 * E_NO_ROOM, E_IMMUTABLE, E_TEXT, E_NO_MEMORY; then nothing is left of it. Its
 * code is put together only: hp_trampoline_write() follows, or
 * hp_trampoline_abandon().
 */
enum hotpatch_status hp_trampoline_build(struct hp_space *space,
					 const struct hp_function *function,
					 uintptr_t start,
					 const struct hotpatch_slot *slot,
					 struct hp_trampoline *trampoline);

/* Writes the code of all that were built. False with errno; then those have to
 * be undone. */
bool hp_trampoline_write(const struct hp_space *space);

/* Takes back the one that was built last, to which no jump was ever visible. */
void hp_trampoline_undo(struct hp_space *space,
			struct hp_trampoline *trampoline);

/* After the last that was undone. */
void hp_trampoline_abandon(void);

/* Somebody may get there from now on. */
void hp_trampoline_use(const struct hp_trampoline *trampoline);

struct hp_description;

/*
 * Tells the unwinder of C++ exceptions and of cancellation about @count
 * trampolines; until their chunks go, or until
 * hp_trampoline_forget(*@descriptions). All of these call the dynamic loader.
 * False without memory.
 */
bool hp_trampoline_describe(struct hp_trampoline *const *trampolines,
			    size_t count, struct hp_description **descriptions);
void hp_trampoline_forget(struct hp_description *descriptions);

/* Tells it to forget what is in there; false if it cannot be told. */
bool hp_trampoline_forget_chunk(struct hp_chunk *chunk);

#endif
