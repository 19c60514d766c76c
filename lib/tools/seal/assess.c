/* SPDX-License-Identifier: MIT */
/*
 * The command assess: each function of a program, whether it can be patched,
 * and if not, why.
 */
#include "seal.h"

#include "../../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a function can be patched. */
enum way {
	BY_TABLE,   /* the host defines it with HOTPATCH_FUNCTION() */
	UNPREPARED, /* it does not */
};

struct row {
	char name[128]; /* without "__original" */
	const char *file;
	enum way way;
	bool has_code;
	size_t copies; /* where it was inlined */
	char callers[256];
	char why[160];
};

struct assessment {
	struct hp_binary binary;
	struct hp_array rows;
	size_t counts[2];
};

#define ENDING "__original"

static const char *way_text(enum way way)
{
	return way == BY_TABLE ? "table" : "unprepared";
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

static void explain(struct row *row)
{
	if (row->way == BY_TABLE && row->copies)
		snprintf(row->why, sizeof(row->why),
			 "its body was inlined past the entry");
	else if (row->way == BY_TABLE)
		row->why[0] = '\0';
	else if (!row->has_code)
		snprintf(row->why, sizeof(row->why),
			 "inlined everywhere; patch the callers");
	else
		snprintf(row->why, sizeof(row->why),
			 "not defined with HOTPATCH_FUNCTION()%s",
			 row->copies ? ", and inlined into others" : "");
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
		row->has_code |= function->has_code;
		explain(row);
		return true;
	}
	row = hp_array_add(&assessment->rows, sizeof(*row));
	if (!row)
		return false;
	memcpy(row->name, name, sizeof(name));
	row->file = function->file;
	row->way = prepared ? BY_TABLE : UNPREPARED;
	row->has_code = function->has_code;
	read_copies(&assessment->binary, function->root, row);
	explain(row);
	assessment->counts[row->way]++;
	return true;
}

static enum hotpatch_status read_rows(struct assessment *assessment,
				      struct hotpatch_error *err)
{
	const struct hp_function *function = assessment->binary.functions.items;
	size_t i;

	for (i = 0; i < assessment->binary.functions.count; i++)
		if (!add(assessment, &function[i]))
			return hp_error(err, HOTPATCH_E_NO_MEMORY, 0,
					assessment->binary.path,
					"no memory to look at %s",
					assessment->binary.path);
	return HOTPATCH_OK;
}

static json_t *report(const struct assessment *assessment)
{
	const struct row *row = assessment->rows.items;
	json_t *functions = json_array();
	size_t i;

	for (i = 0; i < assessment->rows.count; i++, row++)
		json_array_append_new(
			functions,
			json_pack("{s:o, s:o, s:s, s:I, s:o, s:o}", "name",
				  hp_wire_text(row->name), "file",
				  hp_wire_text(row->file), "way",
				  way_text(row->way), "copies",
				  (json_int_t)row->copies, "inlined_into",
				  hp_wire_text(row->callers), "why",
				  hp_wire_text(row->why)));
	return json_pack("{s:o, s:s, s:I, s:I, s:o}", "path",
			 hp_wire_text(assessment->binary.path), "build_id",
			 assessment->binary.build_id, "table",
			 (json_int_t)assessment->counts[BY_TABLE], "unprepared",
			 (json_int_t)assessment->counts[UNPREPARED],
			 "functions", functions);
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
		hp_table_add(&table, "%s", way_text(row->way));
		hp_table_add(&table, "%s", row->why);
		hp_table_add(&table, "%s", row->callers);
	}
	hp_table_print(&table);
	hp_table_release(&table);
	hp_print("\n%zu by table, %zu unprepared\n",
		 assessment->counts[BY_TABLE], assessment->counts[UNPREPARED]);
}

enum hotpatch_status hp_command_assess(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct assessment assessment = {.counts = {0, 0}};
	enum hotpatch_status status;

	status = hp_binary_open(&assessment.binary, options->operand, err);
	if (!status)
		status = hp_binary_read_debug(&assessment.binary,
					      options->debug_directory, err);
	if (!status)
		status = read_rows(&assessment, err);
	if (!status && options->json)
		hp_print_json(report(&assessment));
	else if (!status)
		print(&assessment);
	hp_binary_close(&assessment.binary);
	free(assessment.rows.items);
	return status;
}
