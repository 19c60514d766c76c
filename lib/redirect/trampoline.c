/* SPDX-License-Identifier: MIT */
/*
 * Layout of a trampoline's 64 bytes: at 0 the jump through the target, then the
 * detour, then the original. Chunks of them lie near their module, so that
 * jumps reach it both ways, with the targets behind the code.
 */
#include "trampoline.h"

#include "chunk.h"
#include "jump.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CODE_SIZE HP_TRAMPOLINE_SIZE
#define ORIGINAL_AT HP_ORIGINAL_AT

_Static_assert(ORIGINAL_AT + HP_RELOCATED_LIMIT <= CODE_SIZE, "layout");
_Static_assert(CODE_SIZE == HP_CHUNK_PLACE, "layout");

static enum hotpatch_status put_code(const struct hotpatch_slot *slot,
				     struct hp_chunk *chunk,
				     struct hp_trampoline *trampoline)
{
	uint8_t *bytes = hp_chunk_next_code(chunk);

	if (!bytes)
		return HOTPATCH_E_NO_MEMORY;
	if (!hp_jump_write(trampoline, slot, chunk->start, bytes))
		return HOTPATCH_E_NO_ROOM;
	memcpy(bytes + ORIGINAL_AT, trampoline->moved.bytes,
	       trampoline->moved.size);
	*trampoline->target = (void (*)(void))trampoline->original;
	return HOTPATCH_OK;
}

bool hp_trampoline_write(const struct hp_space *space)
{
	return hp_chunks_write(space) && hp_relay_write(space);
}

void hp_trampoline_begin(size_t count)
{
	hp_relay_begin(count);
}

void hp_trampoline_abandon(void)
{
	hp_relay_abandon();
	hp_chunks_abandon();
}

void hp_trampoline_use(const struct hp_trampoline *trampoline)
{
	hp_chunk_of(trampoline->code)->gone = 0;
}

static bool calls(const struct hp_relocated *moved)
{
	return moved->moved[0].calls ||
	       (moved->count > 1 && moved->moved[1].calls);
}

/* Where the heap may grow to comes last. */
static enum hotpatch_status place(struct hp_space *space,
				  const struct hp_function *function,
				  uintptr_t head,
				  struct hp_trampoline *trampoline)
{
	enum hotpatch_status status =
		hp_jump_place(space, function, head, trampoline);

	if (status != HOTPATCH_E_NO_ROOM)
		return status;
	hp_space_crowd(space, true);
	status = hp_jump_place(space, function, head, trampoline);
	hp_space_crowd(space, false);
	return status;
}

enum hotpatch_status hp_trampoline_build(struct hp_space *space,
					 const struct hp_function *function,
					 uintptr_t start,
					 const struct hotpatch_slot *slot,
					 struct hp_trampoline *trampoline)
{
	struct hp_chunk *chunk = hp_chunk_find(start);
	enum hotpatch_status status = HOTPATCH_OK;
	int cause;

	memset(trampoline, 0, sizeof(*trampoline));
	trampoline->took_chunk = !chunk;
	if (!chunk)
		status = hp_chunk_take(space, start, &chunk);
	if (!chunk)
		return status;
	trampoline->code = chunk->start + chunk->used * CODE_SIZE;
	trampoline->dispatch = trampoline->code + HP_DISPATCH_AT;
	trampoline->original = trampoline->code + ORIGINAL_AT;
	trampoline->target =
		(void (**)(void))(chunk->start + HP_CHUNK_CODE) + chunk->used;
	status = place(space, function, start + function->skip, trampoline);
	if (status == HOTPATCH_OK)
		status = put_code(slot, chunk, trampoline);
	if (status == HOTPATCH_OK) {
		chunk->used++;
		chunk->lasting |= calls(&trampoline->moved);
		return HOTPATCH_OK;
	}
	cause = errno;
	hp_jump_give_back(space, trampoline);
	if (trampoline->took_chunk)
		hp_chunk_give_back(space, chunk);
	errno = cause;
	return status;
}

void hp_trampoline_undo(struct hp_space *space,
			struct hp_trampoline *trampoline)
{
	struct hp_chunk *chunk = hp_chunk_of(trampoline->code);

	hp_jump_give_back(space, trampoline);
	if (trampoline->took_chunk)
		hp_chunk_give_back(space, chunk);
	else
		chunk->used--;
}

/*
 * Descriptions for unwinders (DWARF 4, 6.4): one common entry, and for each
 * stretch of code where the return address is to be found.
 */
#define COMMON_SIZE 24
#define DESCRIPTION_SIZE 48
#define OP_ADVANCE_1 0x02
#define OP_CFA_OFFSET 0x0e
#define OP_OFFSET 0x80

/* @next: of its chunk; @older: of its batch */
struct hp_description {
	struct hp_description *next;
	struct hp_description *older;
	struct hp_chunk *chunk;
	uint8_t bytes[];
};

static const uint8_t common[COMMON_SIZE] = {
	COMMON_SIZE - 4, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R',
	0,    /* augmentation: with addresses of their own encoding */
	1,    /* code alignment */
	0x78, /* data alignment: -8 */
	HP_FRAME_RETURN, 1, 0, /* encoding: whole addresses */
	0x0c, HP_FRAME_STACK,
	HP_FRAME_DEPTH, /* from there to the caller's frame */
	/* Where the return address is on the stack. */
	HP_FRAME_DEPTH ? OP_OFFSET | HP_FRAME_RETURN : 0, HP_FRAME_DEPTH / 8};

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
	do {
		*at = (uint8_t)(number & 0x7f);
		number >>= 7;
		*at++ |= number ? 0x80 : 0;
	} while (number);
	return at;
}

static uint8_t *put_frame(const uint8_t *begin, uint8_t *record,
			  uintptr_t start, uintptr_t size)
{
	uint32_t length = DESCRIPTION_SIZE - 4;
	uint32_t back = (uint32_t)(record + 4 - begin);

	memset(record, 0, DESCRIPTION_SIZE);
	memcpy(record, &length, 4);
	memcpy(record + 4, &back, 4);
	memcpy(record + 8, &start, 8);
	memcpy(record + 16, &size, 8);
	return record + 25; /* behind an empty augmentation */
}

static bool is_saved(int number)
{
	return number == 3 || number == 6 || number >= 12;
}

/* What changes behind a moved instruction; @frame counts the distance of the
 * caller's frame. */
static uint8_t *put_change(uint8_t *at, const struct hp_moved *moved,
			   size_t advance, uint64_t *frame)
{
	*frame += (uint64_t)(int64_t)moved->stack_depth;
	*at++ = OP_ADVANCE_1;
	*at++ = (uint8_t)advance;
	*at++ = OP_CFA_OFFSET;
	at = put_number(at, *frame);
	if (is_saved(moved->saved)) {
		*at++ = (uint8_t)(OP_OFFSET | moved->saved);
		at = put_number(at, *frame / 8);
	}
	return at;
}

/* Behind an instruction that nothing is known of there is no description. */
static uint8_t *describe(const uint8_t *begin, uint8_t *record,
			 const struct hp_trampoline *trampoline)
{
	const struct hp_relocated *moved = &trampoline->moved;
	size_t size = ORIGINAL_AT + moved->size;
	size_t advanced = 0;
	uint64_t frame = HP_FRAME_DEPTH;
	uint8_t *at;
	size_t i;

	for (i = 0; i < moved->count; i++)
		if (!moved->moved[i].known_stack && size > ORIGINAL_AT + 1)
			size = ORIGINAL_AT + 1;
	at = put_frame(begin, record, trampoline->code, size);
	for (i = 0; i < moved->count && size > ORIGINAL_AT + 1; i++) {
		at = put_change(at, &moved->moved[i],
				ORIGINAL_AT + moved->moved[i].at - advanced,
				&frame);
		advanced = ORIGINAL_AT + moved->moved[i].at;
	}
	record += DESCRIPTION_SIZE;
	if (trampoline->relays[0].start) {
		put_frame(begin, record, trampoline->relays[0].start,
			  trampoline->relays[0].size);
		record += DESCRIPTION_SIZE;
	}
	/* Who comes there has the first instruction behind it. */
	if (trampoline->relays[1].start && moved->moved[0].known_stack) {
		frame = 8;
		at = put_frame(begin, record, trampoline->relays[1].start,
			       trampoline->relays[1].size);
		put_change(at, &moved->moved[0], 0, &frame);
		record += DESCRIPTION_SIZE;
	}
	return record;
}

/*
 * The unwinder's library, where the program has none: the C library loads it
 * when a thread is cancelled, and then it has to know. @description_count says
 * how often something was told to it.
 */
static void *library;
static size_t description_count;

static void (*find_unwinder(const char *name))(void *)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	void (*function)(void *) = NULL;

	if (!symbol && !library)
		library = dlopen("libgcc_s.so.1", RTLD_NOW);
	if (!symbol && library)
		symbol = dlsym(library, name);
	memcpy(&function, &symbol, sizeof(symbol));
	return function;
}

static void drop_unwinder(void)
{
	if (description_count || !library)
		return;
	dlclose(library);
	library = NULL;
}

/* How many from the first on are in its chunk. */
static size_t run_of(struct hp_trampoline *const *trampolines, size_t count)
{
	const struct hp_chunk *chunk = hp_chunk_of(trampolines[0]->code);
	size_t run = 1;

	while (run < count && hp_chunk_of(trampolines[run]->code) == chunk)
		run++;
	return run;
}

static bool describe_run(struct hp_trampoline *const *trampolines, size_t count,
			 void (*enlist)(void *),
			 struct hp_description **descriptions)
{
	size_t size = COMMON_SIZE + count * 3 * DESCRIPTION_SIZE + 4;
	struct hp_description *description =
		calloc(1, sizeof(*description) + size);
	uint8_t *at;
	size_t i;

	if (!description)
		return false;
	memcpy(description->bytes, common, sizeof(common));
	at = description->bytes + COMMON_SIZE;
	for (i = 0; i < count; i++)
		at = describe(description->bytes, at, trampolines[i]);
	enlist(description->bytes);
	description_count++;
	description->chunk = hp_chunk_of(trampolines[0]->code);
	description->next = description->chunk->descriptions;
	description->chunk->descriptions = description;
	description->older = *descriptions;
	*descriptions = description;
	return true;
}

bool hp_trampoline_describe(struct hp_trampoline *const *trampolines,
			    size_t count, struct hp_description **descriptions)
{
	void (*enlist)(void *) = NULL;
	size_t run;

	*descriptions = NULL;
	if (count)
		enlist = find_unwinder("__register_frame");
	if (!enlist) /* nobody unwinds here */
		return true;
	for (; count; trampolines += run, count -= run) {
		run = run_of(trampolines, count);
		if (!describe_run(trampolines, run, enlist, descriptions)) {
			hp_trampoline_forget(*descriptions);
			*descriptions = NULL;
			return false;
		}
	}
	return true;
}

static void forget(struct hp_description *description, void (*delist)(void *))
{
	struct hp_description **place = &description->chunk->descriptions;

	while (*place != description)
		place = &(*place)->next;
	*place = description->next;
	delist(description->bytes);
	free(description);
	description_count--;
}

void hp_trampoline_forget(struct hp_description *descriptions)
{
	void (*delist)(void *) = NULL;
	struct hp_description *older;

	if (descriptions)
		delist = find_unwinder("__deregister_frame");
	for (; delist && descriptions; descriptions = older) {
		older = descriptions->older;
		forget(descriptions, delist);
	}
	drop_unwinder();
}

bool hp_trampoline_forget_chunk(struct hp_chunk *chunk)
{
	struct hp_description *description = chunk->descriptions;
	void (*delist)(void *) = NULL;
	struct hp_description *next;

	if (description)
		delist = find_unwinder("__deregister_frame");
	for (; delist && description; description = next) {
		next = description->next;
		forget(description, delist);
	}
	drop_unwinder();
	return !chunk->descriptions;
}
