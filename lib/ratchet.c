/* SPDX-License-Identifier: MIT */
/*
 * One text file, a line for each bundle that was accepted: the key's id, the
 * sequence, the hash of the contents and the target; then a line with the
 * digest of all before. It is written beside,
 * flushed and renamed, all under the directory's lock, so that whoever is
 * killed wherever leaves the old one or the new one.
 */
#include "ratchet.h"

#include "path.h"
#include "status.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "sequences"
#define NEXT_NAME "sequences.next"
#define FIRST "hotpatch sequences 1\n"
#define LAST "end "
#define LAST_SIZE (sizeof(LAST "0123456789abcdef\n") - 1)
#define FILE_LIMIT ((size_t)1 << 20)
#define HASH_TEXT_SIZE (2 * HP_HASH_SIZE + 1)

/* More than any: targets are base names. */
#define LINE_SIZE 512

/* Of one key and target; the oldest goes when one more comes. */
#define RECORD_LIMIT 256

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

static enum hotpatch_status damaged(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_STORE, 0, NAME,
			"the file " NAME " of the private directory is "
			"damaged; without it nobody knows which bundles are "
			"old");
}

static void hash_text(const unsigned char hash[HP_HASH_SIZE],
		      char text[HASH_TEXT_SIZE])
{
	size_t i;

	for (i = 0; i < HP_HASH_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

/* Up to the next @separator, which is passed; false if it is not there. */
static bool take_word(const char **at, const char *end, char separator,
		      const char **word, size_t *size)
{
	const char *stop = memchr(*at, separator, (size_t)(end - *at));

	if (!stop)
		return false;
	*word = *at;
	*size = (size_t)(stop - *at);
	*at = stop + 1;
	return true;
}

static bool read_number(const char *text, size_t size, uint64_t *number)
{
	char copy[24];
	char *end;

	if (!size || size >= sizeof(copy) || *text < '0' || *text > '9')
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	errno = 0;
	*number = strtoull(copy, &end, 10);
	return !errno && !*end;
}

/* Reads the line at @*at and passes it. */
static bool read_record(const char **at, const char *end, struct record *record)
{
	const char *sequence;
	size_t size;

	record->line = *at;
	if (!take_word(at, end, ' ', &record->id, &size) ||
	    size != HOTPATCH_KEY_ID_SIZE - 1 ||
	    !take_word(at, end, ' ', &sequence, &size) ||
	    !read_number(sequence, size, &record->sequence) ||
	    !take_word(at, end, ' ', &record->hash, &size) ||
	    size != HASH_TEXT_SIZE - 1 ||
	    !take_word(at, end, '\n', &record->target, &record->target_size))
		return false;
	record->size = (size_t)(*at - record->line);
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

static void write_last(char line[LAST_SIZE + 1], const char *text, size_t size)
{
	snprintf(line, LAST_SIZE + 1, LAST "%016" PRIx64 "\n",
		 hp_file_digest(text, size));
}

static bool is_whole(const struct hp_file *file)
{
	const char *text = file->bytes;
	char line[LAST_SIZE + 1];

	if (file->size < strlen(FIRST) + LAST_SIZE ||
	    memcmp(text, FIRST, strlen(FIRST)) != 0)
		return false;
	write_last(line, text, file->size - LAST_SIZE);
	return !memcmp(text + file->size - LAST_SIZE, line, LAST_SIZE);
}

/* @file is empty if nothing was ever recorded. */
static enum hotpatch_status read_history(const struct hp_file *file,
					 const struct hp_ratchet_item *item,
					 struct history *history,
					 struct hotpatch_error *err)
{
	const char *at = file->bytes;
	const char *end = at + file->size;
	char id[HOTPATCH_KEY_ID_SIZE];
	char hash[HASH_TEXT_SIZE];
	struct record record;

	memset(history, 0, sizeof(*history));
	if (!file->size)
		return HOTPATCH_OK;
	hp_key_id(item->voucher->number, id);
	hash_text(item->voucher->hash, hash);
	if (!is_whole(file))
		return damaged(err);
	at += strlen(FIRST);
	end -= LAST_SIZE;
	while (at < end) {
		if (!read_record(&at, end, &record))
			return damaged(err);
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

/* Leaves @file empty if it is not there. */
static enum hotpatch_status read_file(int directory_fd, struct hp_file *file,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(directory_fd, NAME, NAME, &fd, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK)
		return status;
	status = hp_path_check_file(fd, NAME, err);
	if (status == HOTPATCH_OK)
		status = hp_file_read_bounded(fd, FILE_LIMIT, NAME, file, err);
	close(fd);
	return status == HOTPATCH_OK && !file->size ? damaged(err) : status;
}

/* The new contents; NULL without memory. The oldest line goes if there are
 * too many; the new one has the highest sequence, so no memory of that goes
 * with it. */
static char *compose(const struct hp_file *file, const struct history *history,
		     const struct hp_ratchet_item *item, size_t *size)
{
	const char *old = file->size ? file->bytes : FIRST;
	size_t kept = file->size ? file->size - LAST_SIZE : strlen(FIRST);
	char id[HOTPATCH_KEY_ID_SIZE];
	char hash[HASH_TEXT_SIZE];
	char line[LINE_SIZE];
	char *text;
	size_t cut = kept;
	size_t gap = 0;
	int length;

	hp_key_id(item->voucher->number, id);
	hash_text(item->voucher->hash, hash);
	if (history->count >= RECORD_LIMIT) {
		cut = (size_t)(history->first.line - old);
		gap = history->first.size;
	}
	length = snprintf(line, sizeof(line), "%s %" PRIu64 " %s %s\n", id,
			  item->sequence, hash, item->target);
	if (length >= (int)sizeof(line))
		return NULL;
	*size = kept - gap + (size_t)length + LAST_SIZE;
	text = malloc(*size + 1);
	if (text) {
		memcpy(text, old, cut);
		memcpy(text + cut, old + cut + gap, kept - cut - gap);
		memcpy(text + kept - gap, line, (size_t)length);
		write_last(text + *size - LAST_SIZE, text, *size - LAST_SIZE);
	}
	return text;
}

/* False with errno: whichever file counts then, the bundle is refused. */
static bool replace_file(int directory_fd, const char *text, size_t size)
{
	bool done;
	int cause;
	int fd;

	unlinkat(directory_fd, NEXT_NAME, 0); /* of somebody who was killed */
	fd = openat(directory_fd, NEXT_NAME,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	done = hp_file_write(fd, text, size) && !fchmod(fd, 0600) &&
	       !fsync(fd) &&
	       !renameat(directory_fd, NEXT_NAME, directory_fd, NAME) &&
	       !fsync(directory_fd);
	cause = errno;
	close(fd);
	if (!done)
		unlinkat(directory_fd, NEXT_NAME, 0);
	errno = cause;
	return done;
}

static enum hotpatch_status append(int directory_fd, const struct hp_file *file,
				   const struct history *history,
				   const struct hp_ratchet_item *item,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t size = 0;
	char *text = compose(file, history, item, &size);

	if (!text)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, NAME,
				"no memory to record %s", item->name);
	if (size > FILE_LIMIT)
		status = hp_error(err, HOTPATCH_E_LIMIT, 0, NAME,
				  "the file " NAME " would have more than "
				  "%zu KiB",
				  FILE_LIMIT >> 10);
	else if (!replace_file(directory_fd, text, size))
		status = hp_error(err, HOTPATCH_E_STORE, errno, NAME,
				  "%s could not be recorded: %s", item->name,
				  strerror(errno));
	free(text);
	return status;
}

static enum hotpatch_status look(const struct hp_ratchet_item *item,
				 bool record, struct hotpatch_error *err)
{
	struct hp_file file = {0};
	enum hotpatch_status status;
	struct history history;
	int directory_fd = -1;

	status = hp_store_lock(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = read_file(directory_fd, &file, err);
	if (status == HOTPATCH_OK)
		status = read_history(&file, item, &history, err);
	if (status == HOTPATCH_OK)
		status = judge(&history, item, err);
	if (status == HOTPATCH_OK && record && !history.recorded)
		status = append(directory_fd, &file, &history, item, err);
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
