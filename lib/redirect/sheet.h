/* SPDX-License-Identifier: MIT */
/*
 * Memory that many pages of relays share. Each such page has a few bytes that
 * matter, where nobody can choose; as long as these are not the same, one page
 * of memory serves for many addresses. It belongs to a file without a name,
 * which is closed when a batch is complete: the mappings keep what they need,
 * and nothing can write to it any more.
 */
#ifndef HP_REDIRECT_SHEET_H
#define HP_REDIRECT_SHEET_H

#include "space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_NO_SHEET ((size_t)-1)

/* For a batch of @functions. Where they are few, or the system refuses, there
 * are no sheets, and pages have memory of their own. */
void hp_sheets_begin(size_t functions);

/* The next sheet, and where to map it from; HP_NO_SHEET for none, @space has
 * the cause if that is a lack of memory. */
size_t hp_sheets_next(struct hp_space *space, struct hp_source *source);

/* They cannot be mapped, so there are to be no more. */
void hp_sheets_refuse(void);

/* Puts @bytes, which will be run at @at, into the sheet. False without
 * memory. */
bool hp_sheets_put(size_t sheet, uintptr_t at, const void *bytes, size_t size);

/* Writes all of them; false with errno. In either case there are none any
 * more. */
bool hp_sheets_write(const struct hp_space *space);

/* There are none any more, written or not. */
void hp_sheets_abandon(void);

#endif
