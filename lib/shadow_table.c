/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing, by the object's address alone, so that
 * an object's shadows lie together. What makes it readable without a lock:
 *
 *  - An entry never moves within its table. A slot that it leaves becomes
 *    GONE, over which readers walk, and FREE only if the next slot is FREE, so
 *    that no entry can lie behind it. A reader whose entry is there all the
 *    time therefore meets it.
 *  - A slot's stamp is odd while the slot changes and different afterwards. A
 *    reader that finds its object believes the rest of the slot if the stamp is
 *    even and the same before and after. If not, the slot changed meanwhile,
 *    so it was not there all the time, and may be passed over.
 *  - A table that gets full is not changed but replaced by one that was filled
 *    where nobody looked. Readers go on in the old one, which is what it was
 *    when they began; it is never given back to the system. It may be the next
 *    one to be filled: @fillings then counts up before its first slot changes,
 *    and a reader that found nothing and sees another number starts again.
 *
 * So readers never wait: one that starts again does so because a whole table
 * was filled meanwhile. In a signal handler nobody fills one, and a slot that
 * the interrupted thread is changing is passed over.
 */
#include "shadow_table.h"

#include "atomic.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 6
#define LAST_BITS 48

/* Two to a cache line. @stamp comes first and last in every change. */
struct slot {
	uint64_t stamp;
	uintptr_t object;
	uint64_t key;
	void *data;
};

/*
 * @shift:  of the hash, so that the table's bits are left
 * @births: beside the slots, under their stamps; looked at rarely
 * @twin:   of the same size, to be filled next; or NULL
 * @older:  the one before it grew; kept for readers
 */
struct table {
	struct slot *slots;
	size_t mask;
	unsigned int shift;
	uint64_t *births;
	struct table *twin;
	struct table *older;
};

static struct slot no_slots[2];
static uint64_t no_births[2];
static struct table no_table = {no_slots, 1, 63, no_births, NULL, NULL};

static struct table *current = &no_table;
static uint64_t fillings;
static bool debugging;

/* Under the lock. */
static size_t live;
static size_t gone; /* slots that are GONE */

static size_t home(const struct table *table, uintptr_t object)
{
	return (size_t)(((uint64_t)object * 0x9e3779b97f4a7c15u) >>
			table->shift);
}

bool hp_shadow_debugging(void)
{
	return hp_load_relaxed(&debugging); /* a switch that orders nothing */
}

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	while (size-- > 0)
		hash = (hash ^ *at++) * 16777619u;
	return hash;
}

static uint64_t make_key(const struct hotpatch_shadow_type *type)
{
	uint32_t hash = 2166136261u;

	hash = hash_bytes(hash, &type->data_size, sizeof(type->data_size));
	hash = hash_bytes(hash, &type->alignment, sizeof(type->alignment));
	hash = hash_bytes(hash, type->tag, strlen(type->tag));
	return ((uint64_t)type->id << 32) | hash | 1u; /* never 0 */
}

uint64_t hp_shadow_key(struct hotpatch_shadow_type *type)
{
	/* Relaxed, both: whoever computes it gets the same. */
	uint64_t key = hp_load_relaxed(&type->key);

	if (__builtin_expect(key == 0, 0)) {
		key = make_key(type);
		hp_store_relaxed(&type->key, key);
	}
	return key;
}

/*
 * The reader's half: the entry's slot with its stamp and data, or NULL. A key
 * that was not computed yet is nobody's.
 */
static inline const struct slot *look(const struct table *table, uint64_t key,
				      const void *object, uint64_t *stamp,
				      void **data)
{
	size_t at = home(table, (uintptr_t)object);
	const struct slot *slot;
	uintptr_t found;
	uint64_t here;

	for (;; at = (at + 1) & table->mask) {
		slot = &table->slots[at];
		/* Acquires pair with the releases of write_slot(): who reads
		 * a word that is newer than the stamp reads another stamp
		 * below, and data with what its constructor wrote. */
		*stamp = hp_load_acquire(&slot->stamp);
		found = hp_load_acquire(&slot->object);
		if (found == HP_SHADOW_FREE)
			return NULL;
		if (found != (uintptr_t)object)
			continue;
		here = hp_load_acquire(&slot->key);   /* as above */
		*data = hp_load_acquire(&slot->data); /* as above */
		/* Relaxed: ordered by the acquires above. */
		if (here == key && !(*stamp & 1) &&
		    hp_load_relaxed(&slot->stamp) == *stamp)
			return slot;
	}
}

static bool is_stale(const struct hotpatch_shadow_type *type,
		     const struct table *table, const struct slot *slot,
		     uint64_t stamp, const void *object)
{
	/* Acquire pairs with write_slot(), as in look(). */
	uint64_t birth = hp_load_acquire(&table->births[slot - table->slots]);

	/* Relaxed: ordered by the acquire above. */
	if (hp_load_relaxed(&slot->stamp) != stamp ||
	    birth == type->birth(object))
		return false;
	hp_shadow_tell_stale(type, object);
	return true;
}

/* All that a get may have to do. */
__attribute__((noinline)) static void *
get_carefully(struct hotpatch_shadow_type *type, const void *object)
{
	uint64_t key = hp_shadow_key(type);
	const struct table *table;
	const struct slot *slot;
	void *data = NULL;
	uint64_t filling;
	uint64_t stamp;

	do {
		/* Acquire pairs with fill(): who meets a slot of a later
		 * filling sees another number below. */
		filling = hp_load_acquire(&fillings);
		/* Acquire pairs with replace(): the table is whole. */
		table = hp_load_acquire(&current);
		slot = look(table, key, object, &stamp, &data);
		/* Relaxed: ordered by the acquires of the slots. */
	} while (!slot && hp_load_relaxed(&fillings) != filling);
	if (!slot)
		return NULL;
	if (hp_shadow_debugging() && type->birth &&
	    is_stale(type, table, slot, stamp, object))
		return NULL;
	return data;
}

/* Nearly always one look is enough. */
void *hotpatch_shadow_get(struct hotpatch_shadow_type *type, const void *object)
{
	/* Relaxed: as in hp_shadow_key(). */
	uint64_t key = hp_load_relaxed(&type->key);
	/* Acquires pair as in get_carefully(). */
	uint64_t filling = hp_load_acquire(&fillings);
	const struct table *table = hp_load_acquire(&current);
	void *data = NULL;
	uint64_t stamp;

	if (look(table, key, object, &stamp, &data)) {
		if (__builtin_expect(!hp_shadow_debugging(), 1))
			return data;
	} else if (key != 0 && hp_load_relaxed(&fillings) == filling) {
		return NULL; /* relaxed: as there */
	}
	return get_carefully(type, object);
}

static bool has(const struct table *table, uintptr_t object)
{
	size_t at = home(table, object);
	uintptr_t found;

	for (;; at = (at + 1) & table->mask) {
		/* Acquire pairs with write_slot(), as in look(). */
		found = hp_load_acquire(&table->slots[at].object);
		if (found == HP_SHADOW_FREE || found == object)
			return found == object;
	}
}

bool hp_shadow_table_may_have(uintptr_t object)
{
	uint64_t filling;
	bool found;

	do {
		/* As in hotpatch_shadow_get(), which pairs with the same. */
		filling = hp_load_acquire(&fillings);
		found = has(hp_load_acquire(&current), object);
	} while (!found && hp_load_relaxed(&fillings) != filling);
	return found;
}

/* The writer's half, under the lock: its loads need no order. */
static void write_slot(struct table *table, struct slot *slot, uintptr_t object,
		       const struct hp_shadow_sight *entry)
{
	uint64_t stamp = slot->stamp;

	/* Relaxed: the releases below order it before every other word. They
	 * pair with the acquires of look(). */
	hp_store_relaxed(&slot->stamp, stamp + 1);
	hp_store_release(&slot->object, object);
	hp_store_release(&slot->key, entry->key);
	hp_store_release(&slot->data, entry->data);
	hp_store_release(&table->births[slot - table->slots], entry->birth);
	hp_store_release(&slot->stamp, stamp + 2); /* the words come first */
}

static struct slot *next_slot(const struct table *table, struct slot *slot)
{
	size_t at = (size_t)(slot - table->slots);

	return &table->slots[(at + 1) & table->mask];
}

/* The entry's slot, or NULL. */
static struct slot *find(const struct table *table, uintptr_t object,
			 uint32_t id, bool any)
{
	struct slot *slot = &table->slots[home(table, object)];

	for (; slot->object != HP_SHADOW_FREE; slot = next_slot(table, slot))
		if (slot->object == object &&
		    (any || hp_shadow_key_id(slot->key) == id))
			return slot;
	return NULL;
}

static struct hp_shadow_sight sight_of(const struct table *table,
				       const struct slot *slot)
{
	struct hp_shadow_sight sight = {0, NULL, 0};

	if (!slot)
		return sight;
	sight.key = slot->key;
	sight.data = slot->data;
	sight.birth = table->births[slot - table->slots];
	return sight;
}

struct hp_shadow_sight hp_shadow_table_find(uintptr_t object, uint32_t id)
{
	return sight_of(current, find(current, object, id, false));
}

struct hp_shadow_sight hp_shadow_table_any(uintptr_t object)
{
	return sight_of(current, find(current, object, 0, true));
}

static void put(struct table *table, uintptr_t object,
		const struct hp_shadow_sight *entry)
{
	struct slot *slot = &table->slots[home(table, object)];

	while (slot->object != HP_SHADOW_FREE && slot->object != HP_SHADOW_GONE)
		slot = next_slot(table, slot);
	gone -= slot->object == HP_SHADOW_GONE;
	write_slot(table, slot, object, entry);
}

void hp_shadow_table_put(uintptr_t object, const struct hp_shadow_sight *entry)
{
	put(current, object, entry);
	live++;
}

/* Slots before a FREE one keep nobody on their way. */
static void free_gone(struct table *table, struct slot *slot)
{
	static const struct hp_shadow_sight nothing;
	size_t at = (size_t)(slot - table->slots);

	if (next_slot(table, slot)->object != HP_SHADOW_FREE)
		return;
	while (table->slots[at].object == HP_SHADOW_GONE) {
		write_slot(table, &table->slots[at], HP_SHADOW_FREE, &nothing);
		gone--;
		at = (at - 1) & table->mask;
	}
}

void hp_shadow_table_remove(uintptr_t object, uint32_t id)
{
	static const struct hp_shadow_sight nothing;
	struct slot *slot = find(current, object, id, false);

	write_slot(current, slot, HP_SHADOW_GONE, &nothing);
	live--;
	gone++;
	free_gone(current, slot);
}

static struct table *make_table(unsigned int bits)
{
	struct table *table = calloc(1, sizeof(*table));
	size_t size = (size_t)1 << bits;

	if (!table)
		return NULL;
	table->mask = size - 1;
	table->shift = 64 - bits;
	table->slots = calloc(size, sizeof(*table->slots));
	table->births = calloc(size, sizeof(*table->births));
	if (table->slots && table->births)
		return table;
	free(table->slots);
	free(table->births);
	free(table);
	return NULL;
}

static void clear(struct table *table)
{
	static const struct hp_shadow_sight nothing;
	size_t i;

	for (i = 0; i <= table->mask; i++)
		if (table->slots[i].object != HP_SHADOW_FREE)
			write_slot(table, &table->slots[i], HP_SHADOW_FREE,
				   &nothing);
}

/* Fills a table that nobody starts to look at, but some may not have left. */
static void fill(struct table *table)
{
	struct hp_shadow_sight entry;
	size_t i;

	/* Relaxed: the releases of write_slot() order it before the first slot
	 * that changes; pairs with hotpatch_shadow_get(). */
	hp_store_relaxed(&fillings, fillings + 1);
	clear(table);
	gone = 0;
	for (i = 0; i <= current->mask; i++) {
		if (current->slots[i].object == HP_SHADOW_FREE ||
		    current->slots[i].object == HP_SHADOW_GONE)
			continue;
		entry = sight_of(current, &current->slots[i]);
		put(table, current->slots[i].object, &entry);
	}
}

static void replace(struct table *table)
{
	fill(table);
	/* Release pairs with the acquire in hotpatch_shadow_get(): the slots
	 * come first. */
	hp_store_release(&current, table);
}

static bool grow(unsigned int bits)
{
	struct table *table = bits <= LAST_BITS ? make_table(bits) : NULL;

	if (!table)
		return false;
	table->older = current;
	replace(table);
	return true;
}

/* The same number of slots, without the GONE ones. */
static bool sweep(unsigned int bits)
{
	struct table *twin = current->twin;

	if (!twin) {
		twin = make_table(bits);
		if (!twin)
			return false;
		twin->twin = current;
		twin->older = current->older;
		current->twin = twin;
	}
	replace(twin);
	return true;
}

/* Half of the slots stay FREE, so that walks are short and end. */
static unsigned int bits_for(size_t entries)
{
	unsigned int bits = FIRST_BITS;

	while (entries > ((size_t)1 << bits) / 2)
		bits++;
	return bits;
}

bool hp_shadow_table_reserve(size_t more)
{
	size_t slots = current->mask + 1;
	unsigned int bits = 64 - current->shift;
	unsigned int wanted;

	if (current != &no_table && live + gone + more <= slots / 2)
		return true;
	if (live + more <= slots / 4)
		return sweep(bits);
	wanted = bits_for(live + more);
	return grow(wanted > bits ? wanted : bits + 1);
}

size_t hp_shadow_table_count(void)
{
	return live;
}

void hotpatch_shadow_debug(bool enable)
{
	hp_store_relaxed(&debugging, enable); /* likewise */
}
