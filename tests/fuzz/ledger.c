/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of what lies in the private directory: the lists of
 * bundles that shall be on and of those in quarantine, and markers of bundles
 * on probation. The first byte chooses.
 */
#include "../../lib/desired.h"
#include "../../lib/probation.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
	if (!good)
		abort();
}

static bool is_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	return length && length < size && !memchr(text, '\n', length) &&
	       !memchr(text, '\t', length);
}

/* What is written of it is read as the same. */
static void check_identity(const struct hp_identity *identity)
{
	char line[HP_IDENTITY_LINE_SIZE];
	struct hp_identity again;
	struct hp_words words;
	size_t length;

	demand(is_text(identity->program, sizeof(identity->program)));
	demand(is_text(identity->contents, sizeof(identity->contents)));
	demand(!strchr(identity->contents, '/') &&
	       !strchr(identity->contents, '.'));
	demand(is_text(identity->name, sizeof(identity->name)));
	length = hp_identity_write(identity, line);
	demand(length < sizeof(line));
	words = (struct hp_words){line, line + length};
	demand(hp_identity_take(&words, &again) && !hp_words_size(&words));
	demand(hp_identity_equals(identity, &again) &&
	       identity->sequence == again.sequence &&
	       hp_identity_answers(&again, identity->name));
}

static void read_quarantine(struct hp_words lines)
{
	struct hp_quarantined quarantined;

	while (hp_quarantine_take(&lines, &quarantined)) {
		check_identity(&quarantined.identity);
		demand(is_text(quarantined.reason, HP_REASON_SIZE));
	}
}

static void read_desired(struct hp_words lines)
{
	char line[HP_IDENTITY_LINE_SIZE];
	struct hp_desired desired;

	while (hp_desired_take(&lines, &desired)) {
		check_identity(&desired.identity);
		demand(hp_desired_write(&desired, line) <= sizeof(line));
	}
}

static void read_marker(const struct hp_file *file)
{
	struct hp_probationer probationer;

	if (!hp_probation_read(file, &probationer))
		return;
	check_identity(&probationer.identity);
	demand(is_text(probationer.process.boot, HP_BOOT_SIZE));
	demand(strnlen(probationer.note, HP_REASON_SIZE) < HP_REASON_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_file file = {0};
	struct hp_words lines;

	if (!size || !(file.bytes = malloc(size)))
		return 0;
	file.size = size - 1;
	if (file.size)
		memcpy(file.bytes, data + 1, file.size);
	lines.at = file.bytes;
	lines.end = lines.at + file.size;
	if (data[0] == 'm') {
		read_marker(&file);
	} else if (data[0] == 'd') {
		read_desired(lines);
	} else {
		/* A digest that fits is found by nobody: go past it. */
		if (hp_ledger_lines(&hp_quarantine_ledger, &file, &lines))
			read_quarantine(lines);
		lines.at = file.bytes;
		lines.end = lines.at + file.size;
		read_quarantine(lines);
	}
	free(file.bytes);
	return 0;
}
