/* SPDX-License-Identifier: MIT */
/*
 * Text files of the private directory that are replaced as a whole: a first
 * line that says what it is, then a line for each thing, then a line with the
 * digest of all before. A new one is written beside, flushed and renamed, under
 * the directory's lock, so that whoever is killed wherever leaves the old one
 * or the new one. Knows nothing of what the lines say, but how to take words
 * from them.
 */
#ifndef HP_LEDGER_H
#define HP_LEDGER_H

#include "file.h"

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * @name:      of the file
 * @next_name: what it is written as
 * @first:     its first line, with the newline
 * @loss:      what nobody knows without it, for errors
 * @damaged:   the status of one that is not as it was written
 */
struct hp_ledger {
	const char *name;
	const char *next_name;
	const char *first;
	const char *loss;
	enum hotpatch_status damaged;
};

/* A stretch of foreign text, not terminated. */
struct hp_words {
	const char *at;
	const char *end;
};

enum hotpatch_status hp_ledger_damaged(const struct hp_ledger *ledger,
				       struct hotpatch_error *err);

/* The lines between the first and the last; false if it is not whole. An empty
 * file has none. */
bool hp_ledger_lines(const struct hp_ledger *ledger, const struct hp_file *file,
		     struct hp_words *lines);

/* Reads it; @lines points into @file, which the caller releases. Empty if it
 * is not there. Called, as the next one, with the directory's lock held. */
enum hotpatch_status hp_ledger_read(const struct hp_ledger *ledger,
				    int directory_fd, struct hp_file *file,
				    struct hp_words *lines,
				    struct hotpatch_error *err);

/* @object is what errors say could not be recorded. E_LIMIT, E_NO_MEMORY,
 * E_STORE. */
enum hotpatch_status hp_ledger_replace(const struct hp_ledger *ledger,
				       int directory_fd, const char *lines,
				       size_t size, const char *object,
				       struct hotpatch_error *err);

/* Removes what somebody wrote who was killed before it counted. */
void hp_ledger_sweep(const struct hp_ledger *ledger, int directory_fd);

/* What is before the next @separator, which is passed; false, and nothing
 * moves, if there is none. */
bool hp_words_take(struct hp_words *words, char separator,
		   struct hp_words *word);

/* A decimal number and nothing else. */
bool hp_words_number(const struct hp_words *word, uint64_t *number);

/* Terminates it in @place; false if it is empty or too long, or has control
 * characters. */
bool hp_words_copy(const struct hp_words *word, char *place, size_t size);

size_t hp_words_size(const struct hp_words *words);

#endif
