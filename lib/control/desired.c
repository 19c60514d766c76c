/* SPDX-License-Identifier: MIT */
/*
 * Recording, forgetting and listing what is desired, converging and verifying.
 */
#include "desired.h"

#include "../status.h"
#include "wire.h"

#include <hotpatch/desired.h>
#include <errno.h>
#include <stdlib.h>

/* The most bundles and differences of one answer, which is a line. */
#define LIMIT 64

static enum hotpatch_status desire(struct hp_change *change)
{
	const char *name = change->name ? change->name : "";
	enum hotpatch_status status;

	if (!change->patch && hotpatch_patch_find(name, &change->patch))
		return hp_error(&change->err, HOTPATCH_E_NO_PATCH, 0, name,
				"No patch is called %s.", name);
	status = hotpatch_desire(change->patch, &change->err);
	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	change->result =
		hp_change_report(change->patch, status == HOTPATCH_E_ALREADY);
	return HOTPATCH_OK;
}

static enum hotpatch_status undesire(struct hp_change *change)
{
	enum hotpatch_status status =
		hotpatch_undesire(change->name, &change->err);

	if (status && status != HOTPATCH_E_ALREADY)
		return status;
	change->result =
		json_pack("{s:o*, s:b}", "name",
			  change->name ? hp_wire_text(change->name) : NULL,
			  "already", status == HOTPATCH_E_ALREADY);
	return HOTPATCH_OK;
}

static json_t *report(const struct hotpatch_desired_info *info)
{
	return json_pack("{s:o, s:I, s:b, s:b, s:b, s:s, s:o}", "name",
			 hp_wire_text(info->name), "sequence",
			 (json_int_t)info->sequence, "desired", info->desired,
			 "active", info->active, "quarantined",
			 info->quarantined, "status",
			 hotpatch_status_name(info->status), "reason",
			 hp_wire_text(info->sentence));
}

/* NULL for want of memory, as in report.c. */
static void append(json_t **list, json_t *item)
{
	if (!json_array_append_new(*list, item))
		return;
	json_decref(*list);
	*list = NULL;
}

static enum hotpatch_status list(struct hp_change *change)
{
	struct hotpatch_desired_info *infos = calloc(LIMIT, sizeof(*infos));
	enum hotpatch_status status;
	json_t *items = json_array();
	size_t count = 0;
	bool off = false;
	size_t i;

	if (!infos) {
		json_decref(items);
		return hp_error(&change->err, HOTPATCH_E_NO_MEMORY, ENOMEM,
				"desired", "There is no memory for the list.");
	}
	status =
		hotpatch_desired_list(infos, LIMIT, &count, &off, &change->err);
	for (i = 0; i < count && i < LIMIT; i++)
		append(&items, report(&infos[i]));
	free(infos);
	if (status)
		json_decref(items);
	else
		change->result = json_pack("{s:o, s:I, s:b}", "desired", items,
					   "desired_count", (json_int_t)count,
					   "off", off);
	return status;
}

static void note_outcome(const struct hotpatch_outcome *outcome, void *data)
{
	json_t **outcomes = data;

	append(outcomes, json_pack("{s:o, s:I, s:b, s:s, s:o}", "name",
				   hp_wire_text(outcome->name), "sequence",
				   (json_int_t)outcome->sequence, "reverted",
				   outcome->reverted, "status",
				   hotpatch_status_name(outcome->status),
				   "reason", hp_wire_text(outcome->sentence)));
}

/* One that was refused is told with what became of the others. */
static enum hotpatch_status converge(struct hp_change *change)
{
	json_t *outcomes = json_array();
	struct hotpatch_converge_options options = {
		.size = sizeof(options),
		.exact = change->exact,
		.timeout_ms = change->options.deadline_ms,
		.told = note_outcome,
		.data = &outcomes,
	};
	enum hotpatch_status status;

	status = hotpatch_converge(&options, &change->err);
	if (status && status != HOTPATCH_E_ALREADY &&
	    status != HOTPATCH_E_DIVERGED) {
		json_decref(outcomes);
		return status;
	}
	change->result = json_pack("{s:o, s:s, s:b}", "outcomes", outcomes,
				   "status", hotpatch_status_name(status),
				   "already", status == HOTPATCH_E_ALREADY);
	return HOTPATCH_OK;
}

struct differences {
	json_t *list;
	size_t count;
};

static void note_difference(const struct hotpatch_difference *difference,
			    void *data)
{
	struct differences *differences = data;

	if (differences->count++ < LIMIT)
		append(&differences->list,
		       json_pack("{s:o, s:o}", "object",
				 hp_wire_text(difference->object), "message",
				 hp_wire_text(difference->sentence)));
}

static enum hotpatch_status verify(struct hp_change *change)
{
	struct differences differences = {.list = json_array()};
	enum hotpatch_status status;

	status = hotpatch_verify(note_difference, &differences, &change->err);
	if (status && status != HOTPATCH_E_DIVERGED) {
		json_decref(differences.list);
		return status;
	}
	change->result = json_pack("{s:o, s:I, s:s}", "differences",
				   differences.list, "difference_count",
				   (json_int_t)differences.count, "status",
				   hotpatch_status_name(status));
	return HOTPATCH_OK;
}

enum hotpatch_status hp_change_try_desired(struct hp_change *change)
{
	switch (change->kind) {
	case HP_CHANGE_DESIRE:
		return desire(change);
	case HP_CHANGE_UNDESIRE:
		return undesire(change);
	case HP_CHANGE_DESIRED:
		return list(change);
	case HP_CHANGE_CONVERGE:
		return converge(change);
	default:
		return verify(change);
	}
}
