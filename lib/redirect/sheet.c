/* SPDX-License-Identifier: MIT */
/*
 * What finds its bytes taken gets a copy of the page after all: it is written
 * last, through /proc, when what it shares is there.
 */
#include "sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAST 4	     /* functions, for which sheets are worth it */
#define PER_SHEET 16 /* functions, so that few want the same bytes */
#define RELAY_LIMIT 8

struct apart {
	uintptr_t at;
	size_t size;
	uint8_t bytes[RELAY_LIMIT];
};

/* @file is -1 while there are none; @refused says that there are to be no
 * more. */
static int file = -1;
static bool refused;
static uint8_t *sheets;
static uint8_t *taken; /* a bit for each of their bytes */
static size_t wanted;
static size_t count;
static size_t turn;
static struct apart *apart;
static size_t apart_count;
static size_t apart_capacity;

void hp_sheets_begin(size_t functions)
{
	refused = false;
	wanted = functions < LEAST ? 0 : (functions - 1) / PER_SHEET + 1;
}

/* The first time; it is not asked for again where the system refuses. */
static bool open_sheets(void)
{
	count = wanted;
	wanted = 0;
	sheets = calloc(count, HP_PAGE);
	taken = calloc(count, HP_PAGE / 8);
	if (!sheets || !taken)
		return false;
	file = memfd_create("hotpatch-relays", MFD_CLOEXEC);
	return true;
}

size_t hp_sheets_next(struct hp_space *space, struct hp_source *source)
{
	size_t sheet;

	if (wanted && !open_sheets())
		space->cause = ENOMEM;
	if (space->cause || file < 0 || refused)
		return HP_NO_SHEET;
	sheet = turn++ % count;
	source->file = file;
	source->offset = (off_t)(sheet * HP_PAGE);
	return sheet;
}

void hp_sheets_refuse(void)
{
	refused = true;
}

static bool put_apart(uintptr_t at, const void *bytes, size_t size)
{
	size_t capacity = apart_capacity ? apart_capacity * 2 : 16;
	struct apart *grown;

	if (apart_count == apart_capacity) {
		grown = realloc(apart, capacity * sizeof(*apart));
		if (!grown)
			return false;
		apart = grown;
		apart_capacity = capacity;
	}
	apart[apart_count].at = at;
	apart[apart_count].size = size;
	memcpy(apart[apart_count++].bytes, bytes, size);
	return true;
}

static bool is_free(size_t from, size_t size)
{
	size_t i;

	for (i = from; i < from + size; i++)
		if (taken[i / 8] & (1u << (i % 8)))
			return false;
	return true;
}

bool hp_sheets_put(size_t sheet, uintptr_t at, const void *bytes, size_t size)
{
	size_t place = at & (HP_PAGE - 1);
	size_t from = sheet * HP_PAGE + place;
	size_t i;

	if (place + size > HP_PAGE || !is_free(from, size))
		return put_apart(at, bytes, size);
	for (i = from; i < from + size; i++)
		taken[i / 8] |= (uint8_t)(1u << (i % 8));
	memcpy(sheets + from, bytes, size);
	return true;
}

static bool write_all(const struct hp_space *space)
{
	size_t size = count * HP_PAGE;
	ssize_t written = pwrite(file, sheets, size, 0);
	size_t i;

	if (written >= 0 && (size_t)written != size)
		errno = ENOSPC;
	if (written < 0 || (size_t)written != size)
		return false;
	for (i = 0; i < apart_count; i++)
		if (!hp_space_write(space, apart[i].at, apart[i].bytes,
				    apart[i].size))
			return false;
	return true;
}

bool hp_sheets_write(const struct hp_space *space)
{
	bool complete = file < 0 || write_all(space);
	int cause = errno;

	hp_sheets_abandon();
	errno = cause;
	return complete;
}

void hp_sheets_abandon(void)
{
	if (file >= 0)
		close(file);
	file = -1;
	free(sheets);
	free(taken);
	free(apart);
	sheets = NULL;
	taken = NULL;
	apart = NULL;
	wanted = 0;
	apart_count = 0;
	apart_capacity = 0;
}
