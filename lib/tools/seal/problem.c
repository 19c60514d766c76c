/* SPDX-License-Identifier: MIT */
/*
 * Collects problems and shows them. Each names its object, so that it can be
 * allowed and explained by that name.
 */
#include "problem.h"

#include "../tool.h"

#include "../../status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	const char *hint;
	bool refuses;
} reasons[] = {
#define REASON(name, text, refuses, hint) {text, hint, refuses},
	HP_REASON_MAP(REASON)
#undef REASON
};

const char *hp_reason_text(enum hp_reason reason)
{
	return reasons[reason].text;
}

const char *hp_reason_hint(enum hp_reason reason)
{
	return reasons[reason].hint;
}

bool hp_reason_refuses(enum hp_reason reason)
{
	return reasons[reason].refuses;
}

bool hp_reason_read(const char *text, size_t length, enum hp_reason *reason)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (strlen(reasons[i].text) != length ||
		    memcmp(reasons[i].text, text, length) != 0)
			continue;
		*reason = (enum hp_reason)i;
		return true;
	}
	return false;
}

/* "session" stands for all of "session.note" and its like. */
static bool is_about(const char *object, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(object, name, length) &&
	       (!object[length] || object[length] == '.');
}

static bool is_allowed(struct hp_problems *problems, enum hp_reason reason,
		       const char *object)
{
	struct hp_allowance *allowance = problems->allowances;
	bool allowed = false;
	size_t i;

	for (i = 0; i < problems->allowance_count; i++, allowance++) {
		if (allowance->reason != reason ||
		    !is_about(object, allowance->object))
			continue;
		allowance->used = true;
		allowed = true;
	}
	return allowed;
}

static bool is_known(const struct hp_problems *problems,
		     const struct hp_problem *problem)
{
	const struct hp_problem *known = problems->items.items;
	size_t i;

	for (i = 0; i < problems->items.count; i++, known++)
		if (known->reason == problem->reason &&
		    known->build == problem->build &&
		    !strcmp(known->object, problem->object) &&
		    !strcmp(known->sentence, problem->sentence))
			return true;
	return false;
}

void hp_problem_add(struct hp_problems *problems, enum hp_reason reason,
		    const char *object, const char *format, ...)
{
	struct hp_problem problem = {reason, problems->build, false, "", ""};
	struct hp_problem *place;
	va_list arguments;

	hp_text_copy(problem.object, sizeof(problem.object), object);
	va_start(arguments, format);
	vsnprintf(problem.sentence, sizeof(problem.sentence), format,
		  arguments);
	va_end(arguments);
	if (is_known(problems, &problem))
		return;
	problem.allowed = is_allowed(problems, reason, object);
	place = hp_array_add(&problems->items, sizeof(problem));
	if (place)
		*place = problem;
	else
		problems->no_memory = true;
}

void hp_remark_add(struct hp_problems *problems, const char *object,
		   const char *format, ...)
{
	const struct hp_remark *known = problems->remarks.items;
	struct hp_remark *place;
	struct hp_remark remark;
	va_list arguments;
	size_t i;

	hp_text_copy(remark.object, sizeof(remark.object), object);
	va_start(arguments, format);
	vsnprintf(remark.sentence, sizeof(remark.sentence), format, arguments);
	va_end(arguments);
	for (i = 0; i < problems->remarks.count; i++)
		if (!strcmp(known[i].object, remark.object) &&
		    !strcmp(known[i].sentence, remark.sentence))
			return;
	place = hp_array_add(&problems->remarks, sizeof(remark));
	if (place)
		*place = remark;
	else
		problems->no_memory = true;
}

static bool refuses(const struct hp_problem *problem)
{
	return reasons[problem->reason].refuses && !problem->allowed;
}

size_t hp_problems_refusing(const struct hp_problems *problems)
{
	const struct hp_problem *problem = problems->items.items;
	size_t count = 0;
	size_t i;

	for (i = 0; i < problems->items.count; i++)
		count += refuses(&problem[i]);
	return count;
}

static const char *severity(const struct hp_problem *problem)
{
	if (problem->allowed)
		return "allowed";
	return refuses(problem) ? "refused" : "warning";
}

static json_t *report(const struct hp_problem *problem)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:s, s:o}", "reason",
			 hp_reason_text(problem->reason), "name",
			 hp_wire_text(problem->object), "severity",
			 severity(problem), "sentence",
			 hp_wire_text(problem->sentence), "hint",
			 hp_reason_hint(problem->reason), "target",
			 hp_wire_text(problem->build ? problem->build : ""));
}

json_t *hp_problems_report(const struct hp_problems *problems)
{
	const struct hp_problem *problem = problems->items.items;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < problems->items.count; i++)
		json_array_append_new(list, report(&problem[i]));
	return list;
}

static void print(const struct hp_problems *problems,
		  const struct hp_problem *problem)
{
	bool named = problems->several && problem->build;

	hp_print("%s %s:%s: %s%s%s%s\n", severity(problem),
		 hp_reason_text(problem->reason), problem->object,
		 problem->sentence, named ? " (" : "",
		 named ? problem->build : "", named ? ")" : "");
}

void hp_problems_print(const struct hp_problems *problems)
{
	const struct hp_problem *problem = problems->items.items;
	size_t i;

	for (i = 0; i < problems->items.count; i++)
		print(problems, &problem[i]);
}

json_t *hp_problems_explain(const struct hp_problems *problems,
			    const char *object)
{
	const struct hp_problem *problem = problems->items.items;
	const struct hp_remark *remark = problems->remarks.items;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < problems->items.count; i++)
		if (is_about(problem[i].object, object))
			json_array_append_new(list, report(&problem[i]));
	for (i = 0; i < problems->remarks.count; i++)
		if (is_about(remark[i].object, object))
			json_array_append_new(
				list,
				json_pack("{s:o, s:s, s:o}", "name",
					  hp_wire_text(remark[i].object),
					  "severity", "included", "sentence",
					  hp_wire_text(remark[i].sentence)));
	return list;
}

void hp_problems_print_explanation(const struct hp_problems *problems,
				   const char *object)
{
	const struct hp_problem *problem = problems->items.items;
	const struct hp_remark *remark = problems->remarks.items;
	size_t shown = 0;
	size_t i;

	for (i = 0; i < problems->items.count; i++) {
		if (!is_about(problem[i].object, object))
			continue;
		print(problems, &problem[i]);
		hp_print("  %s\n", hp_reason_hint(problem[i].reason));
		shown++;
	}
	for (i = 0; i < problems->remarks.count; i++) {
		if (!is_about(remark[i].object, object))
			continue;
		hp_print("included %s: %s\n", remark[i].object,
			 remark[i].sentence);
		shown++;
	}
	if (!shown)
		hp_print("nothing was found about %s\n", object);
}

void hp_problems_release(struct hp_problems *problems)
{
	free(problems->items.items);
	free(problems->remarks.items);
	problems->items = (struct hp_array){0};
	problems->remarks = (struct hp_array){0};
}
