/* SPDX-License-Identifier: MIT */
/*
 * One text file, a line for each bundle that was accepted: the key's id, the
 * sequence, the hash of the contents and the target.
 */
#include "ratchet.h"

#include "ledger.h"
#include "status.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_TEXT_SIZE (2 * HP_HASH_SIZE + 1)

/* More than any: targets are base names. */
#define LINE_SIZE 512

/* Of one key and target; the oldest goes when one more comes. */
#define RECORD_LIMIT 256

static const struct hp_ledger ledger = {
	.name = "sequences",
	.next_name = "sequences.next",
	.first = "hotpatch sequences 1\n",
	.loss = "which bundles are old",
	.damaged = HOTPATCH_E_STORE,
};

/* A line of the file; the texts are not terminated. */
struct record {
	const char *line;
	size_t size; /* with its newline */
	const char *id;
	uint64_t sequence;
	const char *hash;
	const char *target;
	size_t target_size;
};

/* What the file says of one key and target. */
struct history {
	bool any;
	bool recorded; /* exactly these contents */
	uint64_t highest;
	size_t count;
	struct record first; /* the oldest, if there is any */
};

static void hash_text(const unsigned char hash[HP_HASH_SIZE],
		      char text[HASH_TEXT_SIZE])
{
	size_t i;

	for (i = 0; i < HP_HASH_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

/* Reads the first of @lines and passes it. */
static bool read_record(struct hp_words *lines, struct record *record)
{
	struct hp_words line;
	struct hp_words word;

	if (!hp_words_take(lines, '\n', &line))
		return false;
	record->line = line.at;
	record->size = hp_words_size(&line) + 1;
	if (!hp_words_take(&line, ' ', &word) ||
	    hp_words_size(&word) != HOTPATCH_KEY_ID_SIZE - 1)
		return false;
	record->id = word.at;
	if (!hp_words_take(&line, ' ', &word) ||
	    !hp_words_number(&word, &record->sequence) ||
	    !hp_words_take(&line, ' ', &word) ||
	    hp_words_size(&word) != HASH_TEXT_SIZE - 1)
		return false;
	record->hash = word.at;
	record->target = line.at;
	record->target_size = hp_words_size(&line);
	return true;
}

static void note(struct history *history, const struct record *record,
		 const char *hash)
{
	if (!history->count++)
		history->first = *record;
	if (!history->any || record->sequence > history->highest)
		history->highest = record->sequence;
	history->any = true;
	if (!memcmp(record->hash, hash, HASH_TEXT_SIZE - 1))
		history->recorded = true;
}

static enum hotpatch_status read_history(struct hp_words lines,
					 const struct hp_ratchet_item *item,
					 struct history *history,
					 struct hotpatch_error *err)
{
	char id[HOTPATCH_KEY_ID_SIZE];
	char hash[HASH_TEXT_SIZE];
	struct record record;

	memset(history, 0, sizeof(*history));
	hp_key_id(item->voucher->number, id);
	hash_text(item->voucher->hash, hash);
	while (hp_words_size(&lines)) {
		if (!read_record(&lines, &record))
			return hp_ledger_damaged(&ledger, err);
		if (!memcmp(record.id, id, sizeof(id) - 1) &&
		    record.target_size == strlen(item->target) &&
		    !memcmp(record.target, item->target, record.target_size))
			note(history, &record, hash);
	}
	return HOTPATCH_OK;
}

static enum hotpatch_status judge(const struct history *history,
				  const struct hp_ratchet_item *item,
				  struct hotpatch_error *err)
{
	if (!history->any || item->sequence >= history->highest)
		return HOTPATCH_OK;
	if (!item->rollback)
		return hp_error(err, HOTPATCH_E_REPLAYED, 0, item->name,
				"%s has sequence %" PRIu64 ", but %" PRIu64
				" was accepted before; a rollback has to be "
				"asked for",
				item->name, item->sequence, history->highest);
	if (!history->recorded)
		return hp_error(err, HOTPATCH_E_NOT_RECORDED, 0, item->name,
				"%s with sequence %" PRIu64 " was never "
				"accepted here, so there is no way back to it",
				item->name, item->sequence);
	return HOTPATCH_OK;
}

/* The new lines; NULL without memory. The oldest goes if there are too many;
 * the new one has the highest sequence, so no memory of that goes with it. */
static char *compose(const struct hp_words *old, const struct history *history,
		     const struct hp_ratchet_item *item, size_t *size)
{
	size_t cut = hp_words_size(old);
	char id[HOTPATCH_KEY_ID_SIZE];
	char hash[HASH_TEXT_SIZE];
	char line[LINE_SIZE];
	size_t kept = cut;
	size_t gap = 0;
	char *text;
	int length;

	hp_key_id(item->voucher->number, id);
	hash_text(item->voucher->hash, hash);
	if (history->count >= RECORD_LIMIT) {
		cut = (size_t)(history->first.line - old->at);
		gap = history->first.size;
		kept -= gap;
	}
	length = snprintf(line, sizeof(line), "%s %" PRIu64 " %s %s\n", id,
			  item->sequence, hash, item->target);
	if (length >= (int)sizeof(line))
		return NULL;
	*size = kept + (size_t)length;
	text = malloc(*size);
	if (text) {
		if (kept) {
			memcpy(text, old->at, cut);
			memcpy(text + cut, old->at + cut + gap, kept - cut);
		}
		memcpy(text + kept, line, (size_t)length);
	}
	return text;
}

static enum hotpatch_status append(int directory_fd, const struct hp_words *old,
				   const struct history *history,
				   const struct hp_ratchet_item *item,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;
	size_t size = 0;
	char *lines = compose(old, history, item, &size);

	if (!lines)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, ledger.name,
				"no memory to record %s", item->name);
	status = hp_ledger_replace(&ledger, directory_fd, lines, size,
				   item->name, err);
	free(lines);
	return status;
}

static enum hotpatch_status look(const struct hp_ratchet_item *item,
				 bool record, struct hotpatch_error *err)
{
	struct hp_file file = {0};
	struct hp_words lines = {0};
	enum hotpatch_status status;
	struct history history;
	int directory_fd = -1;

	status = hp_store_lock(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_ledger_read(&ledger, directory_fd, &file, &lines, err);
	if (status == HOTPATCH_OK)
		status = read_history(lines, item, &history, err);
	if (status == HOTPATCH_OK)
		status = judge(&history, item, err);
	if (status == HOTPATCH_OK && record && !history.recorded)
		status = append(directory_fd, &lines, &history, item, err);
	hp_store_unlock();
	hp_file_release(&file);
	return status;
}

enum hotpatch_status hp_ratchet_check(const struct hp_ratchet_item *item,
				      struct hotpatch_error *err)
{
	return look(item, false, err);
}

enum hotpatch_status hp_ratchet_record(const struct hp_ratchet_item *item,
				       struct hotpatch_error *err)
{
	return look(item, true, err);
}
