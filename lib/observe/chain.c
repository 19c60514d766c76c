/* SPDX-License-Identifier: MIT */
/*
 * The chain's lines. A line's hash is over its bytes before the member that has
 * it, so that no reader has to agree with a writer on how JSON is spelled; it
 * is what `b2sum` makes of them.
 */
#include "chain.h"

#include "../file.h"
#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "{\"number\":"
#define PREVIOUS ",\"previous\":\""
#define HASH "\",\"hash\":\""
#define HEX (HP_CHAIN_HASH_SIZE - 1)
#define NAMES 1000 /* PATH.1 and so on that are looked for */

void hp_chain_begin(struct hp_link *link)
{
	link->number = 0;
	memset(link->hash, '0', HEX);
	link->hash[HEX] = '\0';
}

static void hash_text(const char *bytes, size_t size,
		      char text[HP_CHAIN_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[HP_HASH_SIZE];
	size_t i;

	hp_signature_hash(bytes, size, hash);
	for (i = 0; i < HP_HASH_SIZE; i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	text[HEX] = '\0';
}

void hp_chain_open_line(const struct hp_link *link, struct hp_text *line)
{
	line->length = 0;
	hp_text_add(line, HEAD "%llu", (unsigned long long)link->number + 1);
}

void hp_chain_close_line(struct hp_link *link, struct hp_text *line)
{
	hp_text_add(line, PREVIOUS "%s\"", link->hash);
	hash_text(line->bytes, line->length, link->hash);
	hp_text_add(line, ",\"hash\":\"%s\"}\n", link->hash);
	link->number++;
}

/* Moves back from @end over @text; false if it is not there. */
static bool step_back(const char *line, const char **end, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(*end - line) < length ||
	    memcmp(*end - length, text, length) != 0)
		return false;
	*end -= length;
	return true;
}

static bool take_hash(const char *line, const char **end,
		      char hash[HP_CHAIN_HASH_SIZE])
{
	if (*end - line < HEX)
		return false;
	*end -= HEX;
	memcpy(hash, *end, HEX);
	hash[HEX] = '\0';
	return strspn(hash, "0123456789abcdef") == HEX;
}

bool hp_chain_read_line(const char *line, size_t size, struct hp_link *link,
			char previous[HP_CHAIN_HASH_SIZE])
{
	char expected[HP_CHAIN_HASH_SIZE];
	const char *end = line + size;
	const char *hashed;
	char *after;

	if (size < sizeof(HEAD) || memcmp(line, HEAD, sizeof(HEAD) - 1) != 0)
		return false;
	/* A comma or brace ends the number, whatever follows the bytes. */
	link->number = strtoull(line + sizeof(HEAD) - 1, &after, 10);
	if (*after != ',' || !step_back(line, &end, "\"}") ||
	    !take_hash(line, &end, link->hash))
		return false;
	hashed = end - (sizeof(HASH) - 2);
	if (!step_back(line, &end, HASH) || !take_hash(line, &end, previous) ||
	    !step_back(line, &end, PREVIOUS))
		return false;
	hash_text(line, (size_t)(hashed - line), expected);
	return !strcmp(expected, link->hash);
}

/* A file's next line into @line, without its newline; -1 at the end, and
 * HP_CHAIN_LINE_LIMIT for what is none. */
static ssize_t next_line(FILE *file, char line[HP_CHAIN_LINE_LIMIT])
{
	size_t size = 0;
	int byte;

	while ((byte = getc(file)) != EOF && byte != '\n') {
		if (size == HP_CHAIN_LINE_LIMIT - 1)
			return HP_CHAIN_LINE_LIMIT;
		line[size++] = (char)byte;
	}
	line[size] = '\0';
	if (byte == EOF)
		return size ? HP_CHAIN_LINE_LIMIT : -1;
	return (ssize_t)size;
}

static bool follow(struct hp_chain_report *report, const struct hp_link *link,
		   const char *previous)
{
	/* The lines before the first may be in a file that is gone. */
	if (!report->count) {
		struct hp_link start;

		hp_chain_begin(&start);
		report->first = link->number;
		return (link->number == 1) == !strcmp(previous, start.hash) &&
		       link->number > 0;
	}
	return link->number == report->last.number + 1 &&
	       !strcmp(previous, report->last.hash);
}

static enum hotpatch_status broken(struct hp_chain_report *report,
				   uint64_t line, const char *why,
				   struct hotpatch_error *err)
{
	report->line = line;
	return hp_error(err, HOTPATCH_E_LOG_BROKEN, 0, report->path,
			"line %llu of %s %s", (unsigned long long)line,
			report->path, why);
}

static enum hotpatch_status verify_file(FILE *file,
					struct hp_chain_report *report,
					struct hotpatch_error *err)
{
	char line[HP_CHAIN_LINE_LIMIT];
	char previous[HP_CHAIN_HASH_SIZE];
	struct hp_link link;
	uint64_t number = 0;
	ssize_t size;

	while ((size = next_line(file, line)) >= 0) {
		number++;
		if (size == HP_CHAIN_LINE_LIMIT)
			return broken(report, number, "is cut off", err);
		if (!hp_chain_read_line(line, (size_t)size, &link, previous))
			return broken(report, number, "was changed", err);
		if (!follow(report, &link, previous))
			return broken(report, number,
				      "does not follow the one before it", err);
		report->last = link;
		report->count++;
	}
	if (ferror(file))
		return hp_error(err, HOTPATCH_E_IO, errno, report->path,
				"%s cannot be read: %s", report->path,
				strerror(errno));
	return HOTPATCH_OK;
}

static enum hotpatch_status verify_named(struct hp_chain_report *report,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	FILE *file;
	int fd;

	status = hp_file_open(AT_FDCWD, report->path, report->path, &fd, err);
	if (status)
		return status;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, report->path,
				"no memory to read %s", report->path);
	}
	status = verify_file(file, report, err);
	fclose(file);
	report->files++;
	return status;
}

static bool name_file(char name[PATH_MAX], const char *path, unsigned int turn)
{
	int length = turn ? snprintf(name, PATH_MAX, "%s.%u", path, turn) :
			    snprintf(name, PATH_MAX, "%s", path);

	return length > 0 && length < PATH_MAX;
}

enum hotpatch_status hp_chain_verify(const char *path,
				     struct hp_chain_report *report,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	unsigned int turn = 0;

	memset(report, 0, sizeof(*report));
	hp_chain_begin(&report->last);
	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, path,
				"hashes need a build with signatures");
	while (turn < NAMES && name_file(report->path, path, turn + 1) &&
	       !access(report->path, F_OK))
		turn++;
	do {
		if (!name_file(report->path, path, turn))
			return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
					"the path is too long");
		status = verify_named(report, err);
	} while (!status && turn-- > 0);
	return status;
}
