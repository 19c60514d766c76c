/* SPDX-License-Identifier: MIT */
/*
 * Layout of a trampoline's 64 bytes: at 0 the jump through the target, then the
 * detour, then the original. Chunks of them lie near their module, so that
 * jumps reach it both ways, with the targets behind the code.
 */
#include "trampoline.h"

#include "jump.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CODE_SIZE HP_TRAMPOLINE_SIZE
#define ORIGINAL_AT HP_ORIGINAL_AT
#define CHUNK_CODE ((size_t)65536)
#define CHUNK_DATA ((size_t)8192)
#define CHUNK_SIZE (CHUNK_CODE + CHUNK_DATA)
#define CHUNK_COUNT (CHUNK_CODE / CODE_SIZE)
#define CHUNK_REACH HP_JUMP_REACH

_Static_assert(ORIGINAL_AT + HP_RELOCATED_LIMIT <= CODE_SIZE, "layout");
_Static_assert(CHUNK_COUNT * sizeof(void *) <= CHUNK_DATA, "layout");

/*
 * The first place of a chunk holds the address of hotpatch_dispatch.
 * @written: places before that one are written
 * @pending: the code of those that are not yet; NULL if all are
 */
struct chunk {
	struct chunk *next;
	uintptr_t start;
	size_t used;
	size_t written;
	uint8_t *pending;
};

static struct chunk *chunks;

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

/* Writes the address of hotpatch_dispatch and makes the targets writable. */
static bool begin_chunk(const struct hp_space *space, uintptr_t start)
{
	uintptr_t dispatch = (uintptr_t)hotpatch_dispatch;

	return hp_space_write(space, start, &dispatch, sizeof(dispatch)) &&
	       mprotect((void *)(start + CHUNK_CODE), CHUNK_DATA,
			PROT_READ | PROT_WRITE) == 0;
}

static enum hotpatch_status take_chunk(struct hp_space *space, uintptr_t near,
				       struct chunk **result)
{
	uintptr_t low = near > CHUNK_REACH ? near - CHUNK_REACH : 0;
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	int cause;

	if (!chunk)
		return HOTPATCH_E_NO_MEMORY;
	chunk->used = 1;
	chunk->written = 1;
	chunk->start = hp_space_take(space, low, near + CHUNK_REACH, near,
				     CHUNK_SIZE, NULL);
	if (!chunk->start) {
		free(chunk);
		return hp_space_failure(space);
	}
	if (!begin_chunk(space, chunk->start)) {
		cause = errno;
		hp_space_give_back(space, chunk->start, CHUNK_SIZE);
		free(chunk);
		errno = cause;
		return HOTPATCH_E_TEXT;
	}
	chunk->next = chunks;
	chunks = chunk;
	*result = chunk;
	return HOTPATCH_OK;
}

static void give_chunk_back(struct hp_space *space)
{
	struct chunk *chunk = chunks;

	chunks = chunk->next;
	hp_space_give_back(space, chunk->start, CHUNK_SIZE);
	free(chunk->pending);
	free(chunk);
}

static struct chunk *find_chunk(uintptr_t near)
{
	struct chunk *chunk = chunks;

	while (chunk && (chunk->used == CHUNK_COUNT ||
			 distance(chunk->start, near) > CHUNK_REACH))
		chunk = chunk->next;
	return chunk;
}

/* Where the code of the chunk's next place is put together; NULL without
 * memory. */
static uint8_t *next_code(struct chunk *chunk)
{
	if (!chunk->pending)
		chunk->pending = malloc(CHUNK_CODE);
	return chunk->pending ? chunk->pending + chunk->used * CODE_SIZE : NULL;
}

static enum hotpatch_status put_code(const struct hotpatch_slot *slot,
				     struct chunk *chunk,
				     struct hp_trampoline *trampoline)
{
	uint8_t *bytes = next_code(chunk);

	if (!bytes)
		return HOTPATCH_E_NO_MEMORY;
	if (!hp_jump_write(trampoline, slot, chunk->start, bytes))
		return HOTPATCH_E_NO_ROOM;
	memcpy(bytes + ORIGINAL_AT, trampoline->moved.bytes,
	       trampoline->moved.size);
	*trampoline->target = (void (*)(void))trampoline->original;
	return HOTPATCH_OK;
}

static bool write_chunk(const struct hp_space *space, struct chunk *chunk)
{
	size_t from = chunk->written * CODE_SIZE;
	size_t to = chunk->used * CODE_SIZE;

	if (to > from && !hp_space_write(space, chunk->start + from,
					 chunk->pending + from, to - from))
		return false;
	free(chunk->pending);
	chunk->pending = NULL;
	chunk->written = chunk->used;
	return true;
}

bool hp_trampoline_write(const struct hp_space *space)
{
	struct chunk *chunk = chunks;

	while (chunk && (!chunk->pending || write_chunk(space, chunk)))
		chunk = chunk->next;
	return !chunk && hp_relay_write(space);
}

void hp_trampoline_begin(size_t count)
{
	hp_relay_begin(count);
}

void hp_trampoline_abandon(void)
{
	struct chunk *chunk;

	hp_relay_abandon();
	for (chunk = chunks; chunk; chunk = chunk->next) {
		free(chunk->pending);
		chunk->pending = NULL;
		if (chunk->written > chunk->used)
			chunk->written = chunk->used;
	}
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
	struct chunk *chunk = find_chunk(start);
	enum hotpatch_status status = HOTPATCH_OK;

	memset(trampoline, 0, sizeof(*trampoline));
	trampoline->took_chunk = !chunk;
	if (!chunk)
		status = take_chunk(space, start, &chunk);
	if (!chunk)
		return status;
	trampoline->code = chunk->start + chunk->used * CODE_SIZE;
	trampoline->dispatch = trampoline->code + HP_DISPATCH_AT;
	trampoline->original = trampoline->code + ORIGINAL_AT;
	trampoline->target =
		(void (**)(void))(chunk->start + CHUNK_CODE) + chunk->used;
	status = place(space, function, start + function->skip, trampoline);
	if (status == HOTPATCH_OK)
		status = put_code(slot, chunk, trampoline);
	if (status == HOTPATCH_OK)
		chunk->used++;
	else
		hp_jump_give_back(space, trampoline);
	if (status != HOTPATCH_OK && trampoline->took_chunk)
		give_chunk_back(space);
	return status;
}

void hp_trampoline_undo(struct hp_space *space,
			struct hp_trampoline *trampoline)
{
	struct chunk *chunk = chunks;

	hp_jump_give_back(space, trampoline);
	if (trampoline->took_chunk) {
		give_chunk_back(space);
		return;
	}
	while (trampoline->code - chunk->start >= CHUNK_CODE)
		chunk = chunk->next;
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
 * when a thread is cancelled, and then it has to know. @descriptions counts what
 * was told to it.
 */
static void *library;
static size_t descriptions;

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
	if (descriptions || !library)
		return;
	dlclose(library);
	library = NULL;
}

bool hp_trampoline_describe(struct hp_trampoline *const *trampolines,
			    size_t count, void **description)
{
	size_t size = COMMON_SIZE + count * 3 * DESCRIPTION_SIZE + 4;
	void (*enlist)(void *);
	uint8_t *begin;
	uint8_t *at;
	size_t i;

	*description = NULL;
	if (!count)
		return true;
	begin = calloc(1, size);
	if (!begin)
		return false;
	enlist = find_unwinder("__register_frame");
	if (!enlist) { /* nobody unwinds here */
		free(begin);
		return true;
	}
	memcpy(begin, common, sizeof(common));
	at = begin + COMMON_SIZE;
	for (i = 0; i < count; i++)
		at = describe(begin, at, trampolines[i]);
	enlist(begin);
	descriptions++;
	*description = begin;
	return true;
}

void hp_trampoline_forget(void *description)
{
	void (*delist)(void *) = find_unwinder("__deregister_frame");

	if (description && delist) {
		delist(description);
		free(description);
		descriptions--;
	}
	drop_unwinder();
}
