/* SPDX-License-Identifier: MIT */
/*
 * Reads and replaces the files; takes lines apart.
 */
#include "ledger.h"

#include "path.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST "end "
#define LAST_SIZE (sizeof(LAST "0123456789abcdef\n") - 1)
#define FILE_LIMIT ((size_t)1 << 20)

enum hotpatch_status hp_ledger_damaged(const struct hp_ledger *ledger,
				       struct hotpatch_error *err)
{
	return hp_error(err, ledger->damaged, 0, ledger->name,
			"the file %s of the private directory is damaged; "
			"without it nobody knows %s",
			ledger->name, ledger->loss);
}

size_t hp_words_size(const struct hp_words *words)
{
	return (size_t)(words->end - words->at);
}

bool hp_words_take(struct hp_words *words, char separator,
		   struct hp_words *word)
{
	size_t left = hp_words_size(words);
	const char *stop = left ? memchr(words->at, separator, left) : NULL;

	if (!stop)
		return false;
	word->at = words->at;
	word->end = stop;
	words->at = stop + 1;
	return true;
}

bool hp_words_number(const struct hp_words *word, uint64_t *number)
{
	size_t size = hp_words_size(word);
	char copy[24];
	char *end;

	if (!size || size >= sizeof(copy) || *word->at < '0' || *word->at > '9')
		return false;
	memcpy(copy, word->at, size);
	copy[size] = '\0';
	errno = 0;
	*number = strtoull(copy, &end, 10);
	return !errno && !*end;
}

bool hp_words_copy(const struct hp_words *word, char *place, size_t size)
{
	size_t length = hp_words_size(word);
	size_t i;

	if (!length || length >= size)
		return false;
	for (i = 0; i < length; i++)
		if ((unsigned char)word->at[i] < ' ' || word->at[i] == 0x7f)
			return false;
	memcpy(place, word->at, length);
	place[length] = '\0';
	return true;
}

static void write_last(char line[LAST_SIZE + 1], const char *text, size_t size)
{
	snprintf(line, LAST_SIZE + 1, LAST "%016" PRIx64 "\n",
		 hp_file_digest(text, size));
}

bool hp_ledger_lines(const struct hp_ledger *ledger, const struct hp_file *file,
		     struct hp_words *lines)
{
	size_t first_size = strlen(ledger->first);
	const char *text = file->bytes;
	char line[LAST_SIZE + 1];

	*lines = (struct hp_words){text, text};
	if (!file->size)
		return true;
	if (file->size < first_size + LAST_SIZE ||
	    memcmp(text, ledger->first, first_size) != 0)
		return false;
	lines->at = text + first_size;
	lines->end = text + file->size - LAST_SIZE;
	write_last(line, text, file->size - LAST_SIZE);
	return !memcmp(lines->end, line, LAST_SIZE);
}

/* Leaves @file empty if it is not there. */
static enum hotpatch_status read_file(const struct hp_ledger *ledger,
				      int directory_fd, struct hp_file *file,
				      struct hotpatch_error *err)
{
	const char *name = ledger->name;
	struct hotpatch_error why;
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(directory_fd, name, name, &fd, &why);
	if (status == HOTPATCH_E_NOT_FOUND)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK && err)
		*err = why;
	if (status != HOTPATCH_OK)
		return status;
	status = hp_path_check_file(fd, name, err);
	if (status == HOTPATCH_OK)
		status = hp_file_read_bounded(fd, FILE_LIMIT, name, file, err);
	close(fd);
	return status == HOTPATCH_OK && !file->size ?
		       hp_ledger_damaged(ledger, err) :
		       status;
}

enum hotpatch_status hp_ledger_read(const struct hp_ledger *ledger,
				    int directory_fd, struct hp_file *file,
				    struct hp_words *lines,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status =
		read_file(ledger, directory_fd, file, err);

	if (status == HOTPATCH_OK && !hp_ledger_lines(ledger, file, lines))
		status = hp_ledger_damaged(ledger, err);
	return status;
}

void hp_ledger_sweep(const struct hp_ledger *ledger, int directory_fd)
{
	unlinkat(directory_fd, ledger->next_name, 0);
}

/* False with errno: whichever file counts then, the change is refused. */
static bool replace_file(const struct hp_ledger *ledger, int directory_fd,
			 const char *text, size_t size)
{
	const struct hp_file_contents contents = {text, size, 0600};

	return hp_file_replace(directory_fd, ledger->name, ledger->next_name,
			       &contents) &&
	       !fsync(directory_fd);
}

/* The whole file; NULL without memory. */
static char *compose(const struct hp_ledger *ledger, const char *lines,
		     size_t size, size_t *whole)
{
	size_t first_size = strlen(ledger->first);
	char *text;

	*whole = first_size + size + LAST_SIZE;
	text = malloc(*whole + 1);
	if (text) {
		memcpy(text, ledger->first, first_size);
		if (size)
			memcpy(text + first_size, lines, size);
		write_last(text + first_size + size, text, first_size + size);
	}
	return text;
}

enum hotpatch_status hp_ledger_replace(const struct hp_ledger *ledger,
				       int directory_fd, const char *lines,
				       size_t size, const char *object,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t whole;
	char *text = compose(ledger, lines, size, &whole);

	if (!text)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, ledger->name,
				"no memory to record %s", object);
	if (whole > FILE_LIMIT)
		status = hp_error(err, HOTPATCH_E_LIMIT, 0, ledger->name,
				  "the file %s would have more than %zu KiB",
				  ledger->name, FILE_LIMIT >> 10);
	else if (!replace_file(ledger, directory_fd, text, whole))
		status = hp_error(err, HOTPATCH_E_STORE, errno, ledger->name,
				  "%s could not be recorded: %s", object,
				  strerror(errno));
	free(text);
	return status;
}
