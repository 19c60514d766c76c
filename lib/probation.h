/* SPDX-License-Identifier: MIT */
/*
 * What is left of a process that ends while a bundle is on probation: a marker
 * in the configured directory, written before anything of the bundle is
 * visible and removed when probation is over or the process ends by exit().
 * Owns the markers; when probation begins and ends is others' business. One
 * whose process is gone becomes a line of the quarantine.
 */
#ifndef HP_PROBATION_H
#define HP_PROBATION_H

#include "identity.h"
#include "process.h"
#include "quarantine.h"

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>

/* Of bundles that one process has on probation at once. */
#define HP_PROBATION_LIMIT 64

/* What a marker says. @note is what the process said of its end, or "". */
struct hp_probationer {
	struct hp_process process;
	struct hp_identity identity;
	char note[HP_REASON_SIZE];
};

/*
 * Writes the marker, or counts if this process has one. E_STATE
 * without a configured directory: there is nobody to tell, and probation works
 * without. E_LIMIT, E_STORE, E_UNSAFE_PATH, E_NO_MEMORY. Blocks on files and
 * on the directory's lock.
 */
enum hotpatch_status hp_probation_mark(const struct hp_identity *identity,
				       struct hotpatch_error *err);

/* Takes one mark back, and removes the marker with the last; OK if there is
 * none; E_STATE without a configured directory;
 * E_STORE, and then it is tried again at the end of the process. */
enum hotpatch_status hp_probation_clear(const struct hp_identity *identity,
					struct hotpatch_error *err);

/*
 * Adds to every marker of this process why it ends: one line, of which control
 * characters become "?". What is said first counts. For signal handlers: it is
 * async-signal-safe, and leaves errno alone. Does nothing in a forked child,
 * and to a descriptor that is something else by now.
 */
void hp_probation_note(const char *text, size_t size);

/*
 * With the directory's lock held: puts bundles of processes that are gone into
 * quarantine and removes their markers. E_DAMAGED, E_STORE, E_NO_MEMORY and
 * the faults of files, and then the markers stay.
 */
enum hotpatch_status hp_probation_settle(int directory_fd,
					 struct hotpatch_error *err);

/* Reads a marker, which is foreign; false if it is none. */
bool hp_probation_read(const struct hp_file *file,
		       struct hp_probationer *probationer);

/* The process ends as it should: its markers go. */
void hp_probation_finish(void);

/* The markers are the parent's. */
void hp_probation_fork_child(void);

#endif
