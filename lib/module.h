/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic loader knows of a mapped module: its name, build-id and
 * extent, and where its functions begin. Calls the loader, so never under the
 * engine's lock.
 */
#ifndef HP_MODULE_H
#define HP_MODULE_H

#include <hotpatch/patch.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @name:     base name of the file; of the program's, for the program
 * @build_id: hexadecimal, "" if it has none
 * @start, @stop: addresses from the first to the last segment
 * @base:     what its own addresses count from
 * @tls:      the loader's number of its thread-local block, or 0
 * @tls_size: of that block
 * @unwind:   its .eh_frame_hdr, or 0
 * @unwind_start, @unwind_stop: the segment around that, which is readable
 * @program:  it is the program itself
 */
struct hp_module_facts {
	char name[HOTPATCH_NAME_SIZE];
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	uintptr_t start;
	uintptr_t stop;
	uintptr_t base;
	size_t tls;
	size_t tls_size;
	uintptr_t unwind;
	uintptr_t unwind_start;
	uintptr_t unwind_stop;
	bool program;
};

/* dl_iterate_phdr(), whose names the thread sanitizer takes for a race. */
typedef int (*hp_module_visitor)(struct dl_phdr_info *info, size_t size,
				 void *context);
int hp_module_walk(hp_module_visitor visit, void *context);

/* True if @handle, of dlopen(), is of the module mapped at @base. */
bool hp_module_opened_at(void *handle, uintptr_t base);

/* The loaded segment that @address lies in, or NULL. */
const ElfW(Phdr) *hp_module_segment(const struct dl_phdr_info *info,
				    uintptr_t address);

/* The module that @address lies in; false if there is none. */
bool hp_module_find(const void *address, struct hp_module_facts *facts);

/*
 * Calls @visit for each mapped module until it gives back true; @path is what
 * the loader knows it by, "" for the program. The loader's lock is held.
 */
typedef bool (*hp_module_visit)(void *context,
				const struct hp_module_facts *facts,
				const char *path);
void hp_module_each(hp_module_visit visit, void *context);

/* True if @size bytes at @address lie in one segment of the mapped module
 * around it that has all @flags (PF_R …). */
bool hp_module_maps(const struct hp_module_facts *facts, uintptr_t address,
		    size_t size, uint32_t flags);

/*
 * The function around @address, from the module's unwind table. False if there
 * is none, or the table is of a kind that no linker of today writes. Reads the
 * segment of the table only, whatever the table says.
 */
bool hp_module_function(const struct hp_module_facts *facts, uintptr_t address,
			uintptr_t *start, uintptr_t *stop);

#endif
