/* SPDX-License-Identifier: MIT */
/*
 * The lines of a log and the chain that their hashes make: writing one after
 * another, reading one, and following a whole log. Knows no events.
 */
#ifndef HP_OBSERVE_CHAIN_H
#define HP_OBSERVE_CHAIN_H

#include "../signature.h"
#include "text.h"

#include <hotpatch/status.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_CHAIN_HASH_SIZE (2 * HP_HASH_SIZE + 1) /* in hexadecimal */

/* The longest line that is written, and read, with its newline. */
#define HP_CHAIN_LINE_LIMIT 4096

/* Where a chain has got to: the last line's number and hash; before the first
 * line 0 and zeros. */
struct hp_link {
	uint64_t number;
	char hash[HP_CHAIN_HASH_SIZE];
};

void hp_chain_begin(struct hp_link *link);

/*
 * A line is {"number":N, members, "previous":"...","hash":"..."} and a newline.
 * Open it, add members that each begin with a comma, close it: that makes
 * @link the new one.
 */
void hp_chain_open_line(const struct hp_link *link, struct hp_text *line);
void hp_chain_close_line(struct hp_link *link, struct hp_text *line);

/*
 * Reads a line of @size bytes without its newline. False if it is not one, or
 * its hash is not that of its bytes. @previous receives the hash of the line
 * before it.
 */
bool hp_chain_read_line(const char *line, size_t size, struct hp_link *link,
			char previous[HP_CHAIN_HASH_SIZE]);

/*
 * @path:   of the file in which it stops: "PATH.2", "PATH.1" or PATH
 * @line:   in that file, from 1; 0 if nothing is wrong
 * @first:  number of the first line; 1 unless older files are gone
 * @last:   the last line that is right
 * @count:  of lines that are right, in @files files
 */
struct hp_chain_report {
	char path[PATH_MAX];
	uint64_t line;
	uint64_t first;
	struct hp_link last;
	uint64_t count;
	unsigned int files;
};

/* Follows the log at @path from the oldest of its files on. E_LOG_BROKEN with
 * @report telling where; E_UNSUPPORTED without signatures; what reading the
 * files gives. */
enum hotpatch_status hp_chain_verify(const char *path,
				     struct hp_chain_report *report,
				     struct hotpatch_error *err);

#endif
