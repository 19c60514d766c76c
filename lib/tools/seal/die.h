/* SPDX-License-Identifier: MIT */
/*
 * Reading single debugging entries: attributes, types as they are written, and
 * places in memory. Bounded also for entries that refer to themselves.
 */
#ifndef HP_SEAL_DIE_H
#define HP_SEAL_DIE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a type that is not there stands for: void. */
struct hp_type {
	bool is_void;
	Dwarf_Die die;
	const char *alias; /* the last typedef on the way, or NULL */
};

bool hp_die_flag(Dwarf_Die *die, unsigned int attribute);
bool hp_die_number(Dwarf_Die *die, unsigned int attribute, uint64_t *number);
bool hp_die_reference(Dwarf_Die *die, unsigned int attribute,
		      Dwarf_Die *target);

/* Walks over children; false at the end, and when an entry leads back. */
bool hp_die_first(Dwarf_Die *parent, Dwarf_Die *die);
bool hp_die_next(Dwarf_Die *die);

/* Where the entry that it is an instance of lies; its own place if none. */
Dwarf_Off hp_die_root(Dwarf_Die *die);
void hp_die_root_die(Dwarf_Die *die, Dwarf_Die *root);

/* The type of an entry, without typedefs and qualifiers. */
struct hp_type hp_die_type(Dwarf_Die *die);
struct hp_type hp_type_peel(Dwarf_Die *die);

/* Struct, union, class or enum. */
bool hp_type_is_tagged(const struct hp_type *type);
bool hp_type_is_complete(struct hp_type *type);

/* Size in bytes, 0 if it is not known. */
uint64_t hp_type_size(struct hp_type *type);

/* The bound of each dimension of an array, 0 for an open one; how many there
 * are. */
size_t hp_type_bounds(struct hp_type *type, uint64_t *bounds, size_t size);

/* As in C: "struct session *", "char [16]". */
void hp_type_spell(const struct hp_type *type, char *text, size_t size);

/* Where in its struct a member begins, and how many bits it has if it is a
 * bit-field, else 0. False for what takes no place. */
bool hp_member_place(Dwarf_Die *die, uint64_t *bit_offset, uint64_t *bit_size);

/* A fixed place in memory, or in each thread's block. */
bool hp_die_place(Dwarf_Die *die, uint64_t *address, bool *is_thread_local);

#endif
