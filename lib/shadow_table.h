/* SPDX-License-Identifier: MIT */
/*
 * The table of shadows: from <object, id> to data, read without locks by
 * anybody at any time, also in signal handlers. Owns the slots and their
 * growth; knows nothing of what the data is. Changes want the shadow lock.
 */
#ifndef HP_SHADOW_TABLE_H
#define HP_SHADOW_TABLE_H

#include <hotpatch/shadow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses of no object. */
#define HP_SHADOW_FREE ((uintptr_t)0)
#define HP_SHADOW_GONE ((uintptr_t)1)

/* The id above, the hash of size, alignment and tag below. */
static inline uint32_t hp_shadow_key_id(uint64_t key)
{
	return (uint32_t)(key >> 32);
}

/* The key of a type; computed once, async-signal-safe. */
uint64_t hp_shadow_key(struct hotpatch_shadow_type *type);

/* What is attached, wanted under the lock. @data is NULL if nothing is. */
struct hp_shadow_sight {
	uint64_t key;
	void *data;
	uint64_t birth;
};

/* By the id alone: the key may tell of another type. Under the lock. */
struct hp_shadow_sight hp_shadow_table_find(uintptr_t object, uint32_t id);

/* Is anything attached to the object? Without the lock, as a get. */
bool hp_shadow_table_may_have(uintptr_t object);

/* One of the shadows of the object, whatever its id; under the lock. */
struct hp_shadow_sight hp_shadow_table_any(uintptr_t object);

/* Makes sure that @more entries can be put; false without memory. */
bool hp_shadow_table_reserve(size_t more);

/* Wants room that was reserved, and no such entry. @object is neither of the
 * two above. */
void hp_shadow_table_put(uintptr_t object, const struct hp_shadow_sight *entry);

/* Wants that there is one. */
void hp_shadow_table_remove(uintptr_t object, uint32_t id);

/* How many entries there are; under the lock. */
size_t hp_shadow_table_count(void);

/* An event about a shadow whose object was another one when it was attached;
 * async-signal-safe. */
void hp_shadow_tell_stale(const struct hotpatch_shadow_type *type,
			  const void *object);

/* True if births are to be compared. */
bool hp_shadow_debugging(void);

#endif
