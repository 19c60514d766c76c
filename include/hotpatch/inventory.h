/* SPDX-License-Identifier: MIT */
/*
 * What a process is running, in one short text, and what that takes.
 */
#ifndef HOTPATCH_INVENTORY_H
#define HOTPATCH_INVENTORY_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stddef.h>

HOTPATCH_BEGIN_DECLS

/**
 * hotpatch_effective_version() - the build and the patches that are on it
 * @text: of @size bytes, or NULL
 * @size: with room for the NUL
 *
 * The first twelve digits of the program's build-id, "unknown" if it has none,
 * then "+NAME@SEQUENCE" for each patch whose code new sections see, in the
 * order in which they became active: "3f2a91c0b7de+fix-one@1+fix-two@2". Two
 * processes with the same text run the same code.
 *
 * Context: any thread outside a section; not async-signal-safe.
 * Return:  the length of the whole text, as snprintf() does.
 */
HOTPATCH_API size_t hotpatch_effective_version(char *text, size_t size);

/**
 * struct hotpatch_memory_info - what the library takes of this process
 * @size:           sizeof(struct hotpatch_memory_info)
 * @mapped_bytes:   address space of bundles, all of those that are mapped
 * @retained_bytes: of these, what could not be unmapped
 * @file_bytes:     bundles as files, kept to tell whether another is the same
 * @task_bytes:     records of tasks; never given back
 * @record_bytes:   records of patches, their functions, modules and views
 * @redirect_bytes: address space of trampolines and of the pages that lead
 *                  there
 * @redirect_idle_bytes: of the trampolines, those that no function uses any
 *                  more and that are kept because a thread may be in them
 *
 * Shadow data are not in it.
 */
struct hotpatch_memory_info {
	size_t size;
	size_t mapped_bytes;
	size_t retained_bytes;
	size_t file_bytes;
	size_t task_bytes;
	size_t record_bytes;
	size_t redirect_bytes;
	size_t redirect_idle_bytes;
};

/**
 * hotpatch_memory_info() - fill @info; any thread
 *
 * Return: HOTPATCH_OK; HOTPATCH_E_ARGUMENT for an unknown size, and then @info
 *         is as it was.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_memory_info(struct hotpatch_memory_info *info);

HOTPATCH_END_DECLS

#endif
