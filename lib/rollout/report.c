/* SPDX-License-Identifier: MIT */
/*
 * What became of a simulated rollout, counted and shown.
 */
#include <hotpatch/rollout.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[HOTPATCH_ROLLOUT_UNTOUCHED] = "untouched",
	[HOTPATCH_ROLLOUT_PATCHED] = "patched",
	[HOTPATCH_ROLLOUT_REVERTED] = "reverted",
	[HOTPATCH_ROLLOUT_REFUSED] = "refused",
	[HOTPATCH_ROLLOUT_DEAD] = "dead",
	[HOTPATCH_ROLLOUT_UNREACHABLE] = "unreachable",
};

#define NAME_COUNT (sizeof(names) / sizeof(*names))

const char *hotpatch_rollout_outcome_name(enum hotpatch_rollout_outcome outcome)
{
	return (size_t)outcome < NAME_COUNT ? names[outcome] : "unknown";
}

/* Those of a wave, or of all if @wave is NULL. */
static unsigned int count(const struct hotpatch_rollout_report *report,
			  enum hotpatch_rollout_outcome outcome,
			  const unsigned int *wave)
{
	unsigned int found = 0, i;

	for (i = 0; i < report->count; i++)
		if (report->results[i].outcome == outcome &&
		    (!wave || report->results[i].wave == *wave))
			found++;
	return found;
}

unsigned int
hotpatch_rollout_count(const struct hotpatch_rollout_report *report,
		       enum hotpatch_rollout_outcome outcome)
{
	return count(report, outcome, NULL);
}

static void print_wave(const struct hotpatch_rollout_report *report,
		       unsigned int wave, FILE *stream)
{
	unsigned int found;
	size_t i;

	if (wave)
		fprintf(stream, "wave %u:", wave);
	else if (!report->results[report->count - 1].wave)
		fputs("in no wave:", stream);
	else
		return;
	for (i = 0; i < NAME_COUNT; i++) {
		found = count(report, (enum hotpatch_rollout_outcome)i, &wave);
		if (found)
			fprintf(stream, " %u %s", found, names[i]);
	}
	fputc('\n', stream);
}

static bool are_alike(const struct hotpatch_rollout_result *one,
		      const struct hotpatch_rollout_result *other)
{
	return one->outcome == other->outcome && one->failed == other->failed &&
	       !strcmp(one->sentence, other->sentence);
}

/* What was said of those from @first on that are alike; their number. */
static unsigned int print_alike(const struct hotpatch_rollout_report *report,
				unsigned int first, FILE *stream)
{
	const struct hotpatch_rollout_result *results = report->results;
	unsigned int end = first + 1;

	while (end < report->count && are_alike(&results[first], &results[end]))
		end++;
	if (!results[first].sentence[0])
		return end - first;
	fprintf(stream, "instance %u", first);
	if (end - first > 1)
		fprintf(stream, " to %u", end - 1);
	fprintf(stream, ", %s%s: %s\n",
		hotpatch_rollout_outcome_name(results[first].outcome),
		results[first].failed ? ", failed its wave" : "",
		results[first].sentence);
	return end - first;
}

void hotpatch_rollout_print(const struct hotpatch_rollout_report *report,
			    FILE *stream)
{
	unsigned int i;

	for (i = 1; i <= report->waves; i++)
		print_wave(report, i, stream);
	print_wave(report, 0, stream);
	for (i = 0; i < report->count;)
		i += print_alike(report, i, stream);
}

void hotpatch_rollout_release(struct hotpatch_rollout_report *report)
{
	if (!report)
		return;
	free(report->results);
	free(report);
}
