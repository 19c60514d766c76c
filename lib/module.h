/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic loader knows of a mapped module: its name, build-id and
 * extent, and where its functions begin. Calls the loader, so never under the
 * engine's lock.
 */
#ifndef HP_MODULE_H
#define HP_MODULE_H

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @name:     base name of the file; of the program's, for the program
 * @build_id: hexadecimal, "" if it has none
 * @start, @stop: addresses from the first to the last segment
 * @unwind:   its .eh_frame_hdr, or 0
 * @unwind_start, @unwind_stop: the segment around that, which is readable
 * @program:  it is the program itself
 */
struct hp_module_facts {
	char name[HOTPATCH_NAME_SIZE];
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	uintptr_t start;
	uintptr_t stop;
	uintptr_t unwind;
	uintptr_t unwind_start;
	uintptr_t unwind_stop;
	bool program;
};

/* The module that @address lies in; false if there is none. */
bool hp_module_find(const void *address, struct hp_module_facts *facts);

/*
 * The function around @address, from the module's unwind table. False if there
 * is none, or the table is of a kind that no linker of today writes. Reads the
 * segment of the table only, whatever the table says.
 */
bool hp_module_function(const struct hp_module_facts *facts, uintptr_t address,
			uintptr_t *start, uintptr_t *stop);

#endif
