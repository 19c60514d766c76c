/* SPDX-License-Identifier: MIT */
/*
 * Functions with the same first instructions want relays at the same distance,
 * so those of one page of code meet in one or two pages of relays.
 */
#include "relay.h"

#include "sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * @taken: one bit for each byte
 * @full:  nothing is looked for below that offset, where little is free
 * @sheet: where its bytes come from, as long as that is not written
 */
struct page {
	uintptr_t start;
	uint8_t *taken;
	size_t full;
	size_t sheet;
};

static struct page *pages; /* by address */
static size_t page_count;
static size_t page_capacity;

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(HP_PAGE - 1);
}

/* The first page that does not lie below @start. */
static size_t first_page(uintptr_t start)
{
	size_t low = 0;
	size_t high = page_count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (pages[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct page *find_page(uintptr_t start)
{
	size_t index = first_page(start);

	return index < page_count && pages[index].start == start ?
		       &pages[index] :
		       NULL;
}

static bool insert_page(struct hp_space *space, const struct page *page)
{
	size_t capacity = page_capacity ? page_capacity * 2 : 64;
	size_t index = first_page(page->start);
	struct page *grown;

	if (page_count == page_capacity) {
		grown = realloc(pages, capacity * sizeof(*grown));
		if (!grown) {
			space->cause = ENOMEM;
			return false;
		}
		pages = grown;
		page_capacity = capacity;
	}
	memmove(&pages[index + 1], &pages[index],
		(page_count - index) * sizeof(*pages));
	pages[index] = *page;
	page_count++;
	return true;
}

static void remove_page(struct hp_space *space, uintptr_t start)
{
	size_t index = first_page(start);

	hp_space_give_back(space, start, HP_PAGE);
	free(pages[index].taken);
	page_count--;
	memmove(&pages[index], &pages[index + 1],
		(page_count - index) * sizeof(*pages));
}

/* Maps it, from a sheet if there is one that may be mapped. */
static void map_page(struct hp_space *space, uintptr_t low, uintptr_t high,
		     struct page *page)
{
	struct hp_source source;

	page->sheet = hp_sheets_next(space, &source);
	if (space->cause)
		return;
	if (page->sheet != HP_NO_SHEET) {
		page->start =
			hp_space_take(space, low, high, low, HP_PAGE, &source);
		if (page->start ||
		    (space->cause != EPERM && space->cause != EACCES))
			return;
		hp_sheets_refuse();
		space->cause = 0;
		page->sheet = HP_NO_SHEET;
	}
	page->start = hp_space_take(space, low, high, low, HP_PAGE, NULL);
}

/* A new page that begins between @low and @high; 0 for none. */
static uintptr_t add_page(struct hp_space *space, uintptr_t low, uintptr_t high)
{
	struct page page = {.taken = calloc(1, HP_PAGE / 8)};

	if (page.taken)
		map_page(space, low, high, &page);
	else
		space->cause = ENOMEM;
	if (page.start && insert_page(space, &page))
		return page.start;
	if (page.start)
		hp_space_give_back(space, page.start, HP_PAGE);
	free(page.taken);
	return 0;
}

static bool is_taken(uintptr_t address)
{
	const struct page *page = find_page(page_of(address));
	uintptr_t at = address & (HP_PAGE - 1);

	return !page || (page->taken[at / 8] & (1u << (at % 8)));
}

static bool is_free(uintptr_t address, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (is_taken(address + i))
			return false;
	return true;
}

static void mark(uintptr_t address, size_t size, bool taken)
{
	struct page *page;
	uintptr_t at;
	size_t i;

	for (i = 0; i < size; i++) {
		page = find_page(page_of(address + i));
		at = (address + i) & (HP_PAGE - 1);
		page->taken[at / 8] &= (uint8_t) ~(1u << (at % 8));
		if (taken)
			page->taken[at / 8] |= (uint8_t)(1u << (at % 8));
		else if (page->full > at)
			page->full = at;
	}
}

static bool found(uintptr_t address, size_t size, struct hp_relay *relay)
{
	mark(address, size, true);
	relay->start = address;
	relay->size = (uint8_t)size;
	return true;
}

/* A free place in the pages that are here. */
static uintptr_t find_place(uintptr_t low, uintptr_t high, size_t size)
{
	size_t index = first_page(page_of(low));
	struct page *page;
	uintptr_t from;
	uintptr_t at;

	for (; index < page_count && pages[index].start <= high; index++) {
		page = &pages[index];
		from = page->start + page->full;
		if (from < low)
			from = low;
		for (at = from; at <= high && at < page->start + HP_PAGE;
		     at++) {
			if (!is_free(at, size))
				continue;
			if (from == page->start + page->full)
				page->full = at + size - page->start;
			return at;
		}
	}
	return 0;
}

static bool is_empty(const struct page *page)
{
	size_t i;

	for (i = 0; i < HP_PAGE / 8; i++)
		if (page->taken[i])
			return false;
	return true;
}

static void drop_if_empty(struct hp_space *space, uintptr_t start)
{
	const struct page *page = find_page(start);

	if (page && is_empty(page))
		remove_page(space, start);
}

/* A relay that lies across the end of a page. */
static bool take_across(struct hp_space *space, uintptr_t at, size_t size,
			struct hp_relay *relay)
{
	uintptr_t first = page_of(at);
	uintptr_t second = first + HP_PAGE;

	if (at + size <= second)
		return false;
	if (!find_page(first))
		add_page(space, first, first);
	if (!find_page(second))
		add_page(space, second, second);
	if (is_free(at, size))
		return found(at, size, relay);
	drop_if_empty(space, second);
	drop_if_empty(space, first);
	return false;
}

bool hp_relay_take(struct hp_space *space, uintptr_t low, uintptr_t high,
		   size_t size, struct hp_relay *relay)
{
	uintptr_t first = page_of(low + size - 1);
	uintptr_t start;
	uintptr_t at;

	if (space->cause) /* else it would go on with what is worse */
		return false;
	at = find_place(low, high, size);
	if (at)
		return found(at, size, relay);
	start = add_page(space, first, page_of(high));
	if (!start)
		return take_across(space, low, size, relay);
	at = start > low ? start : low;
	if (at <= high && page_of(at + size - 1) == start)
		return found(at, size, relay);
	remove_page(space, start);
	return take_across(space, low, size, relay);
}

static size_t sheet_of(uintptr_t address)
{
	return find_page(page_of(address))->sheet;
}

bool hp_relay_put(const struct hp_space *space, const struct hp_relay *relay,
		  const void *bytes)
{
	size_t sheet = sheet_of(relay->start);

	if (sheet == HP_NO_SHEET)
		sheet = sheet_of(relay->start + relay->size - 1);
	if (sheet == HP_NO_SHEET)
		return hp_space_write(space, relay->start, bytes, relay->size);
	if (hp_sheets_put(sheet, relay->start, bytes, relay->size))
		return true;
	errno = ENOMEM;
	return false;
}

void hp_relay_begin(size_t functions)
{
	hp_sheets_begin(functions);
}

bool hp_relay_write(const struct hp_space *space)
{
	size_t i;

	for (i = 0; i < page_count; i++)
		pages[i].sheet = HP_NO_SHEET;
	return hp_sheets_write(space);
}

void hp_relay_abandon(void)
{
	hp_sheets_abandon();
}

void hp_relay_give_back(struct hp_space *space, struct hp_relay *relay)
{
	uintptr_t first = page_of(relay->start);
	uintptr_t last = page_of(relay->start + relay->size - 1);

	mark(relay->start, relay->size, false);
	drop_if_empty(space, last);
	if (first != last)
		drop_if_empty(space, first);
	*relay = (struct hp_relay){0, 0};
}

size_t hp_relay_bytes(void)
{
	return page_count * HP_PAGE;
}
