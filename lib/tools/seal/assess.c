/* SPDX-License-Identifier: MIT */
/*
 * The command assess: each function of a program, whether it can be patched,
 * and if not, why.
 */
#include "seal.h"
#include "traps.h"
#include "verdict.h"

#include "../../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a function can be patched. */
enum way {
	BY_TABLE,    /* the host defines it with HOTPATCH_FUNCTION() */
	BY_REDIRECT, /* it does not, but nothing is in the way */
	UNPREPARED,
	WAY_COUNT,
};

struct row {
	char name[128]; /* without "__original" */
	const char *file;
	enum way way;
	struct hp_function code; /* its instance out of line, if it has one */
	unsigned int tier;
	struct hp_problems problems; /* of redirecting it */
	size_t copies;		     /* where it was inlined */
	char callers[256];
	char why[640];
};

struct assessment {
	struct hp_binary binary;
	struct hp_traps traps;
	const struct hp_code *verdicts;
	struct hp_array rows;
	size_t counts[WAY_COUNT];
};

#define ENDING "__original"

static const char *way_text(enum way way)
{
	static const char *const texts[] = {"table", "redirect", "unprepared"};

	return texts[way];
}

/* The name of the source; true if the function is prepared. */
static bool source_name(const char *name, char *text, size_t size)
{
	size_t length = strlen(name);
	size_t ending = strlen(ENDING);
	bool prepared = length > ending &&
			!strcmp(name + length - ending, ENDING);

	snprintf(text, size, "%.*s", (int)(prepared ? length - ending : length),
		 name);
	return prepared;
}

/* Functions that the header's macros make are not the program's own. */
static bool is_machinery(const char *name)
{
	return strstr(name, "__dispatch") || !strncmp(name, "hotpatch_", 9);
}

static void read_copies(const struct hp_binary *binary, Dwarf_Off root,
			struct row *row)
{
	struct hp_site *site = hp_binary_site(binary, root);
	const char *last = "";
	size_t length;

	for (; site; site = hp_site_next(binary, site)) {
		if (!site->inlined)
			continue;
		row->copies++;
		if (!strcmp(site->caller, last))
			continue;
		last = site->caller;
		length = strlen(row->callers);
		snprintf(row->callers + length, sizeof(row->callers) - length,
			 "%s%s", length ? ", " : "", site->caller);
	}
}

static bool refuses(const struct hp_problem *problem)
{
	/* Copies leave a way: their callers are replaced as well. */
	return hp_reason_refuses(problem->reason) &&
	       problem->reason != HP_REASON_COPY;
}

/* The first of what is in the way, or else of what is to be known. */
static const struct hp_problem *worst(const struct row *row)
{
	const struct hp_problem *problem = row->problems.items.items;
	size_t i;

	for (i = 0; i < row->problems.items.count; i++)
		if (refuses(&problem[i]))
			return &problem[i];
	return row->problems.items.count ? problem : NULL;
}

/* What a linker took out is left at address 0. */
static bool has_body(const struct hp_function *function)
{
	return function->has_code && function->address;
}

static void judge_redirect(const struct assessment *assessment, struct row *row)
{
	const struct hp_problem *problem;
	struct hp_verdict verdict = {.why = NULL};

	hp_traps_check(&assessment->traps, &row->code, &row->problems);
	if (has_body(&row->code))
		verdict =
			hp_verdict_of(assessment->verdicts, row->code.address);
	problem = worst(row);
	row->tier = verdict.tier;
	if (has_body(&row->code) && !verdict.why &&
	    (!problem || !refuses(problem)))
		row->way = BY_REDIRECT;
	if (verdict.why)
		snprintf(row->why, sizeof(row->why), "%s", verdict.why);
	else if (problem)
		snprintf(row->why, sizeof(row->why), "%s: %s",
			 hp_reason_text(problem->reason), problem->sentence);
}

static void judge(struct assessment *assessment, struct row *row)
{
	if (row->way != BY_TABLE)
		judge_redirect(assessment, row);
	else if (row->copies)
		hp_text_copy(row->why, sizeof(row->why),
			     "its body was inlined past the entry");
	assessment->counts[row->way]++;
}

/* One row for all instances of a function, which have one root. */
static struct row *find_row(struct assessment *assessment, const char *name,
			    const char *file)
{
	struct row *rows = assessment->rows.items;
	size_t i = assessment->rows.count;

	/* Equal names are neighbours. */
	while (i--) {
		if (strcmp(rows[i].name, name) != 0)
			return NULL;
		if (!strcmp(rows[i].file, file))
			return &rows[i];
	}
	return NULL;
}

static bool add(struct assessment *assessment,
		const struct hp_function *function)
{
	char name[sizeof(((struct row *)NULL)->name)];
	bool prepared = source_name(function->name, name, sizeof(name));
	struct row *row;

	if (is_machinery(function->name))
		return true;
	row = find_row(assessment, name, function->file);
	if (row) {
		if (!has_body(&row->code) && has_body(function))
			row->code = *function;
		return true;
	}
	row = hp_array_add(&assessment->rows, sizeof(*row));
	if (!row)
		return false;
	memcpy(row->name, name, sizeof(name));
	row->file = function->file;
	row->way = prepared ? BY_TABLE : UNPREPARED;
	row->code = *function;
	read_copies(&assessment->binary, function->root, row);
	return true;
}

static enum hotpatch_status read_rows(struct assessment *assessment,
				      struct hotpatch_error *err)
{
	const struct hp_function *function = assessment->binary.functions.items;
	struct row *rows;
	size_t i;

	for (i = 0; i < assessment->binary.functions.count; i++)
		if (!add(assessment, &function[i]))
			return hp_error(err, HOTPATCH_E_NO_MEMORY, 0,
					assessment->binary.path,
					"no memory to look at %s",
					assessment->binary.path);
	rows = assessment->rows.items;
	for (i = 0; i < assessment->rows.count; i++)
		judge(assessment, &rows[i]);
	return HOTPATCH_OK;
}

static enum hotpatch_status read_code(struct assessment *assessment,
				      struct hotpatch_error *err)
{
	const struct hp_binary *binary = &assessment->binary;
	enum hotpatch_status status = hp_verdict_open(
		binary->path, binary->build_id, &assessment->verdicts, err);

	if (status == HOTPATCH_OK && !hp_traps_open(&assessment->traps, binary))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, binary->path,
				"no memory for the code of %s", binary->path);
	return status;
}

static json_t *report_row(const struct row *row)
{
	json_t *object = json_pack("{s:o, s:o, s:s, s:I, s:o, s:o, s:o}",
				   "name", hp_wire_text(row->name), "file",
				   hp_wire_text(row->file), "way",
				   way_text(row->way), "copies",
				   (json_int_t)row->copies, "inlined_into",
				   hp_wire_text(row->callers), "why",
				   hp_wire_text(row->why), "problems",
				   hp_problems_report(&row->problems));

	if (row->way == BY_REDIRECT)
		json_object_set_new(object, "tier", json_integer(row->tier));
	return object;
}

static json_t *report(const struct assessment *assessment)
{
	const struct row *row = assessment->rows.items;
	const size_t *counts = assessment->counts;
	json_t *functions = json_array();
	size_t i;

	for (i = 0; i < assessment->rows.count; i++)
		json_array_append_new(functions, report_row(&row[i]));
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:o}", "path",
			 hp_wire_text(assessment->binary.path), "build_id",
			 assessment->binary.build_id, "table",
			 (json_int_t)counts[BY_TABLE], "redirect",
			 (json_int_t)counts[BY_REDIRECT], "unprepared",
			 (json_int_t)counts[UNPREPARED], "functions",
			 functions);
}

static void print(const struct assessment *assessment)
{
	const struct row *row = assessment->rows.items;
	struct hp_table table = {.columns = 5};
	size_t i;

	hp_table_add(&table, "FUNCTION");
	hp_table_add(&table, "FILE");
	hp_table_add(&table, "PATCHABLE");
	hp_table_add(&table, "WHY");
	hp_table_add(&table, "INLINED INTO");
	for (i = 0; i < assessment->rows.count; i++, row++) {
		hp_table_add(&table, "%s", row->name);
		hp_table_add(&table, "%s", row->file);
		if (row->way == BY_REDIRECT)
			hp_table_add(&table, "redirect, tier %u", row->tier);
		else
			hp_table_add(&table, "%s", way_text(row->way));
		hp_table_add(&table, "%s", row->why);
		hp_table_add(&table, "%s", row->callers);
	}
	hp_table_print(&table);
	hp_table_release(&table);
	hp_print("\n%zu by table, %zu by redirecting, %zu unprepared\n",
		 assessment->counts[BY_TABLE], assessment->counts[BY_REDIRECT],
		 assessment->counts[UNPREPARED]);
}

static void release(struct assessment *assessment)
{
	struct row *rows = assessment->rows.items;
	size_t i;

	for (i = 0; i < assessment->rows.count; i++)
		hp_problems_release(&rows[i].problems);
	free(rows);
	hp_traps_close(&assessment->traps);
	hp_binary_close(&assessment->binary);
}

enum hotpatch_status hp_command_assess(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct assessment assessment = {.counts = {0}};
	enum hotpatch_status status;

	status = hp_binary_open(&assessment.binary, options->operand, err);
	if (!status)
		status = hp_binary_read_debug(&assessment.binary,
					      options->debug_directory, err);
	if (!status)
		status = read_code(&assessment, err);
	if (!status)
		status = read_rows(&assessment, err);
	if (!status && options->json)
		hp_print_json(report(&assessment));
	else if (!status)
		print(&assessment);
	release(&assessment);
	return status;
}
