/* SPDX-License-Identifier: MIT */
/*
 * The pages of all modules are prepared before those of the first are put in
 * place, so that little is left that can fail in between.
 */
#include "exchange.h"

#include "../status.h"

#include <stdlib.h>
#include <string.h>

uintptr_t hp_exchange_head(const struct hp_redirected *record)
{
	return record->start + record->function->skip;
}

size_t hp_exchange_run(const struct hp_exchange_item *items, size_t count,
		       size_t first)
{
	size_t i = first;

	while (i < count && items[i].host == items[first].host)
		i++;
	return i - first;
}

/* The bytes that an item's function shall have. */
static void write_edit(const struct hp_redirected *record, bool on,
		       struct hp_edit *edit)
{
	const struct hp_function *function = record->function;

	edit->address = hp_exchange_head(record);
	edit->size = record->trampoline.jump_size;
	memcpy(edit->bytes,
	       on ? record->trampoline.jump : function->bytes + function->skip,
	       edit->size);
}

/* The items of one module, and its changed pages. */
struct part {
	size_t first;
	size_t count;
	struct hp_text text;
};

static const char *path_of(const struct hp_exchange *exchange,
			   const struct part *part)
{
	return exchange->items[part->first].host->path;
}

static enum hotpatch_status prepare_part(struct hp_exchange *exchange,
					 struct part *part, bool on)
{
	size_t i;

	for (i = part->first; i < part->first + part->count; i++)
		write_edit(exchange->items[i].record, on, &exchange->edits[i]);
	return hp_text_prepare(exchange->space, path_of(exchange, part),
			       exchange->edits + part->first, part->count,
			       &part->text, exchange->err);
}

static enum hotpatch_status commit_part(struct hp_exchange *exchange,
					struct part *part, bool on)
{
	enum hotpatch_status status;
	size_t i;

	status = hp_text_commit(&part->text, path_of(exchange, part),
				exchange->err);
	if (status != HOTPATCH_OK)
		return status;
	exchange->was_visible = true;
	for (i = part->first; i < part->first + part->count; i++)
		exchange->items[i].record->on = on;
	return status;
}

static enum hotpatch_status prepare_parts(struct hp_exchange *exchange,
					  struct part *parts, size_t *count)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct part *part;
	size_t first;

	for (first = 0; first < exchange->count && !status;
	     first += part->count) {
		part = &parts[*count];
		part->first = first;
		part->count = hp_exchange_run(exchange->items, exchange->count,
					      first);
		status = prepare_part(exchange, part, exchange->on);
		*count += !status;
	}
	if (status != HOTPATCH_OK)
		while (*count)
			hp_text_abandon(&parts[--*count].text);
	return status;
}

/* What was done is undone. Where the system refuses that, too, functions stay
 * as they have become, which is no difference to their callers. */
static void take_back(struct hp_exchange *exchange, struct part *parts,
		      size_t done)
{
	struct hotpatch_error *err = exchange->err;
	size_t i;

	exchange->err = NULL; /* what is told is the first failure */
	for (i = 0; i < done; i++)
		if (prepare_part(exchange, &parts[i], !exchange->on) ==
		    HOTPATCH_OK)
			(void)commit_part(exchange, &parts[i], !exchange->on);
	exchange->err = err;
}

static enum hotpatch_status commit_parts(struct hp_exchange *exchange,
					 struct part *parts, size_t count)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t done = 0;
	size_t i;

	for (i = 0; i < count && !status; i++) {
		status = commit_part(exchange, &parts[i], exchange->on);
		done += !status;
	}
	if (status == HOTPATCH_OK)
		return status;
	for (; i < count; i++)
		hp_text_abandon(&parts[i].text);
	take_back(exchange, parts, done);
	return status;
}

enum hotpatch_status hp_exchange(struct hp_exchange *exchange)
{
	struct part *parts = calloc(exchange->count, sizeof(*parts));
	enum hotpatch_status status = HOTPATCH_E_NO_MEMORY;
	size_t count = 0;

	exchange->edits = calloc(exchange->count, sizeof(*exchange->edits));
	if (parts && exchange->edits)
		status = prepare_parts(exchange, parts, &count);
	else
		hp_error(exchange->err, status, 0, "redirect",
			 "no memory to change code");
	if (status == HOTPATCH_OK)
		status = commit_parts(exchange, parts, count);
	free(exchange->edits);
	free(parts);
	return status;
}
