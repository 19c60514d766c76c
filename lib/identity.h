/* SPDX-License-Identifier: MIT */
/*
 * Which bundle it is, and in which program: what is remembered of bundles in
 * the private directory, and how that is written on a line.
 */
#ifndef HP_IDENTITY_H
#define HP_IDENTITY_H

#include "ledger.h"

#include <hotpatch/patch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_CONTENTS_SIZE 40

/* Longer than any that hp_identity_write() makes. */
#define HP_IDENTITY_LINE_SIZE 256

/*
 * @program:  that the bundle was opened in
 * @contents: equal for equal bytes: a digest and the size, as text. It proves
 *            nothing to whoever wants to cheat; that is the signature's
 *            business.
 * @name, @sequence: as the bundle says
 */
struct hp_identity {
	char program[HOTPATCH_NAME_SIZE];
	char contents[HP_CONTENTS_SIZE];
	char name[HOTPATCH_NAME_SIZE];
	uint64_t sequence;
};

void hp_identity_contents(const struct hp_file *file,
			  char contents[HP_CONTENTS_SIZE]);

/* The same contents in the same program? */
bool hp_identity_equals(const struct hp_identity *one,
			const struct hp_identity *other);

/* Is @what its name or its contents? */
bool hp_identity_answers(const struct hp_identity *identity, const char *what);

/* "CONTENTS SEQUENCE NAME PROGRAM\t"; gives the length. */
size_t hp_identity_write(const struct hp_identity *identity,
			 char line[HP_IDENTITY_LINE_SIZE]);

/* Takes as much from @line, which is foreign. */
bool hp_identity_take(struct hp_words *line, struct hp_identity *identity);

#endif
