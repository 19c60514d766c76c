/* SPDX-License-Identifier: MIT */
/*
 * The process's address space: what is mapped, what is free, and taking pages
 * at a wanted place. What is taken for code is readable and executable from its
 * first moment, and is written through /proc, never through a mapping.
 */
#ifndef HP_REDIRECT_SPACE_H
#define HP_REDIRECT_SPACE_H

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HP_PAGE ((uintptr_t)4096)

struct hp_mapping {
	uintptr_t start;
	uintptr_t stop;
	uint64_t offset;  /* in its file */
	uint64_t inode;	  /* 0 if it has no file */
	bool plain_code;  /* readable, executable, private, not writable */
	bool taken;	  /* through the snapshot; neighbours are one */
	uintptr_t growth; /* behind it, for what may still come there */
};

/* A snapshot, kept up by what is taken through it. */
struct hp_space {
	struct hp_mapping *mappings; /* by address */
	size_t count;
	size_t capacity;
	int memory;   /* /proc/self/mem */
	bool crowded; /* see hp_space_crowd() */
	int cause;    /* errno of what was refused, other than a place */
};

/* False, with errno, if /proc does not tell or cannot be opened. */
bool hp_space_open(struct hp_space *space);
void hp_space_close(struct hp_space *space);

/* What is mapped; memory of its own where there is none. */
struct hp_source {
	int file;
	off_t offset;
};

/*
 * Takes @size bytes for code, whole pages, that begin between @low and @high,
 * as near to @near as can be; @source may be NULL. 0 if nothing is free there.
 */
uintptr_t hp_space_take(struct hp_space *space, uintptr_t low, uintptr_t high,
			uintptr_t near, size_t size,
			const struct hp_source *source);

/* Whether the stretch that the heap may grow to can be taken, too: where else
 * nothing is free. The C library then takes its memory from elsewhere. */
void hp_space_crowd(struct hp_space *space, bool crowded);

/* Why nothing could be taken: E_NO_ROOM, E_NO_MEMORY, or E_TEXT with errno. */
enum hotpatch_status hp_space_failure(const struct hp_space *space);

void hp_space_give_back(struct hp_space *space, uintptr_t start, size_t size);

/* Writes where the process itself may only read. False with errno. */
bool hp_space_write(const struct hp_space *space, uintptr_t to,
		    const void *bytes, size_t size);

/* The mapping around @address, or NULL. */
const struct hp_mapping *hp_space_find(const struct hp_space *space,
				       uintptr_t address);

#endif
