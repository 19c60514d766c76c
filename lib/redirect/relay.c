/* SPDX-License-Identifier: MIT */
/*
 * Functions with the same first instructions want relays at the same distance,
 * so those of one page of code meet in one or two pages of relays.
 */
#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* @full: nothing is looked for below that offset, where little is free. */
struct page {
	uintptr_t start;
	uint8_t *taken; /* one bit for each byte */
	size_t full;
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

static bool insert_page(struct hp_space *space, uintptr_t start, uint8_t *taken)
{
	size_t capacity = page_capacity ? page_capacity * 2 : 64;
	size_t index = first_page(start);
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
	pages[index] = (struct page){start, taken, 0};
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

/* A new page that begins between @low and @high; 0 for none. */
static uintptr_t add_page(struct hp_space *space, uintptr_t low, uintptr_t high)
{
	uint8_t *taken = calloc(1, HP_PAGE / 8);
	uintptr_t start = 0;

	if (taken)
		start = hp_space_take(space, low, high, low, HP_PAGE,
				      PROT_READ | PROT_EXEC);
	else
		space->cause = ENOMEM;
	if (start && insert_page(space, start, taken))
		return start;
	if (start)
		hp_space_give_back(space, start, HP_PAGE);
	free(taken);
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

/* A relay that lies across the end of a page. */
static bool take_across(struct hp_space *space, uintptr_t at, size_t size,
			struct hp_relay *relay)
{
	uintptr_t first = page_of(at);
	uintptr_t second = first + HP_PAGE;

	if (at + size <= second)
		return false;
	if (!find_page(first) && add_page(space, first, first))
		relay->pages |= 1;
	if (!find_page(second) && add_page(space, second, second))
		relay->pages |= 2;
	if (is_free(at, size))
		return found(at, size, relay);
	if (relay->pages & 2)
		remove_page(space, second);
	if (relay->pages & 1)
		remove_page(space, first);
	relay->pages = 0;
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
	relay->pages = 1;
	if (at <= high && page_of(at + size - 1) == start)
		return found(at, size, relay);
	remove_page(space, start);
	relay->pages = 0;
	return take_across(space, low, size, relay);
}

void hp_relay_give_back(struct hp_space *space, struct hp_relay *relay)
{
	uintptr_t first = page_of(relay->start);

	mark(relay->start, relay->size, false);
	if (relay->pages & 2)
		remove_page(space, first + HP_PAGE);
	if (relay->pages & 1)
		remove_page(space, first);
	*relay = (struct hp_relay){0, 0, 0};
}
