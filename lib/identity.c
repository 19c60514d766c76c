/* SPDX-License-Identifier: MIT */
/*
 * Writes and reads identities.
 */
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_DIGITS 16

void hp_identity_contents(const struct hp_file *file,
			  char contents[HP_CONTENTS_SIZE])
{
	snprintf(contents, HP_CONTENTS_SIZE, "%016" PRIx64 "-%zu", file->digest,
		 file->size);
}

bool hp_identity_equals(const struct hp_identity *one,
			const struct hp_identity *other)
{
	return !strcmp(one->contents, other->contents) &&
	       !strcmp(one->program, other->program);
}

bool hp_identity_answers(const struct hp_identity *identity, const char *what)
{
	return !strcmp(identity->name, what) ||
	       !strcmp(identity->contents, what);
}

size_t hp_identity_write(const struct hp_identity *identity,
			 char line[HP_IDENTITY_LINE_SIZE])
{
	return (size_t)snprintf(line, HP_IDENTITY_LINE_SIZE,
				"%s %" PRIu64 " %s %s\t", identity->contents,
				identity->sequence, identity->name,
				identity->program);
}

/* It becomes the name of a file. */
static bool are_contents(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return digits == DIGEST_DIGITS && text[digits] == '-' &&
	       text[digits + 1] &&
	       !text[digits + 1 + strspn(text + digits + 1, "0123456789")];
}

bool hp_identity_take(struct hp_words *line, struct hp_identity *identity)
{
	struct hp_words word;

	return hp_words_take(line, ' ', &word) &&
	       hp_words_copy(&word, identity->contents, HP_CONTENTS_SIZE) &&
	       are_contents(identity->contents) &&
	       hp_words_take(line, ' ', &word) &&
	       hp_words_number(&word, &identity->sequence) &&
	       hp_words_take(line, ' ', &word) &&
	       hp_words_copy(&word, identity->name, HOTPATCH_NAME_SIZE) &&
	       hp_words_take(line, '\t', &word) &&
	       hp_words_copy(&word, identity->program, HOTPATCH_NAME_SIZE);
}
