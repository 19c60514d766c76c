/* SPDX-License-Identifier: MIT */
/*
 * The list of bundles that are kept out of a program because a process ended
 * while they were on probation, kept in the configured directory for all
 * processes that share it. Before anything is said of it, what was left by
 * processes that ended is added; see probation.h.
 */
#ifndef HP_QUARANTINE_H
#define HP_QUARANTINE_H

#include "identity.h"

#include <hotpatch/status.h>
#include <stddef.h>
#include <stdint.h>

#define HP_REASON_SIZE 192

/* Of all programs. */
#define HP_QUARANTINE_LIMIT 256

/* @time_s: since 1970, when it was added */
struct hp_quarantined {
	struct hp_identity identity;
	uint64_t time_s;
	char reason[HP_REASON_SIZE];
};

/*
 * Adds it, or gives it another @reason; control characters of that become "?".
 * Of too many the oldest goes. E_STATE without a configured directory;
 * E_DAMAGED, E_STORE, E_NO_MEMORY, and the faults of files.
 */
enum hotpatch_status hp_quarantine_add(const struct hp_identity *identity,
				       const char *reason,
				       struct hotpatch_error *err);

/* E_QUARANTINED, with the reason in the sentence, and in @found unless that is
 * NULL; OK if it is not there, also without a configured directory; and the
 * faults of hp_quarantine_add(). */
enum hotpatch_status hp_quarantine_find(const struct hp_identity *identity,
					struct hp_quarantined *found,
					struct hotpatch_error *err);

/*
 * Takes out of @program's what has the name or the contents @what, or all if
 * that is NULL; E_ALREADY if nothing was there; the faults of
 * hp_quarantine_add().
 */
enum hotpatch_status hp_quarantine_forgive(const char *program,
					   const char *what,
					   struct hotpatch_error *err);

/* Those of @program, or of all if it is NULL, the oldest first: @count there
 * are, of which the first @size are written. None without a configured
 * directory. */
enum hotpatch_status hp_quarantine_list(const char *program,
					struct hp_quarantined *list,
					size_t size, size_t *count,
					struct hotpatch_error *err);

/* ---- With the directory's lock held ---- */

enum hotpatch_status
hp_quarantine_add_locked(int directory_fd, const struct hp_identity *identity,
			 const char *reason, struct hotpatch_error *err);

/* Reads a line of the list; false if it is none. */
bool hp_quarantine_take(struct hp_words *lines,
			struct hp_quarantined *quarantined);

/* The list as a file, for whoever reads foreign bytes. */
extern const struct hp_ledger hp_quarantine_ledger;

#endif
