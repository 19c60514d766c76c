/* SPDX-License-Identifier: MIT */
/*
 * A rollout from its first process to its last: who is in which wave, when to
 * stop, and who goes back.
 */
#include "instance.h"
#include "waves.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define INSTANCE_LIMIT 10000
#define BETWEEN_MS 10
#define CANNOT_RUN 127

/* The instances from @first on, up to but without @end. */
struct wave {
	unsigned int first;
	unsigned int end;
};

static enum hotpatch_status fail(struct hotpatch_error *err,
				 enum hotpatch_status status,
				 const char *object, const char *sentence)
{
	const int saved = errno;

	if (!err)
		return status;
	*err = (struct hotpatch_error){.status = status, .os_error = saved};
	snprintf(err->object, sizeof(err->object), "%s", object);
	snprintf(err->sentence, sizeof(err->sentence), "%s", sentence);
	return status;
}

static const char *
fault_of_injection(const struct hotpatch_rollout_injection *injection,
		   unsigned int count)
{
	if (injection->number >= count)
		return "an injection is for an instance that there is not";
	if ((unsigned int)injection->failure > HOTPATCH_ROLLOUT_UNHEALTHY)
		return "an injected failure is unknown";
	if ((unsigned int)injection->step > HOTPATCH_ROLLOUT_AT_REVERT)
		return "the step of an injection is unknown";
	return NULL;
}

static const char *fault_of(const struct hotpatch_rollout_options *options)
{
	const char *fault = NULL;
	size_t i;

	if (options->size != sizeof(*options))
		return "the options are of an unknown size";
	if (!options->count || options->count > INSTANCE_LIMIT)
		return "there are no instances, or too many";
	if (!options->program == !options->main)
		return "either a program or a function is the host";
	if (!options->bundle)
		return "there is no bundle";
	if (options->waves && !hp_waves_are_valid(options->waves))
		return "the waves are no list of sizes";
	if ((unsigned int)options->policy > HOTPATCH_ROLLOUT_REVERT_ALL)
		return "the policy is unknown";
	for (i = 0; !fault && i < options->injection_count; i++)
		fault = fault_of_injection(&options->injections[i],
					   options->count);
	return fault;
}

/* Takes the bundle's name out of what "inspect" says first. */
static enum hotpatch_status read_name(struct hp_rollout *rollout,
				      struct hotpatch_error *err)
{
	const char *const argv[] = {rollout->command, "inspect",
				    rollout->options->bundle, NULL};
	struct hotpatch_rollout_result result = {0};
	struct hp_output output;
	const char *end;

	if (!hp_rollout_run(rollout, rollout->root, argv, &output, &result)) {
		errno = 0;
		if (output.exit_status == CANNOT_RUN)
			return fail(err, HOTPATCH_E_NOT_FOUND, rollout->command,
				    "the hotpatch command cannot be run");
		return fail(err, result.status, rollout->options->bundle,
			    result.sentence);
	}
	end = strstr(output.text, ", sequence ");
	if (!end || end - output.text >= (long)sizeof(rollout->patch))
		return fail(err, HOTPATCH_E_ARGUMENT, rollout->options->bundle,
			    "the bundle has no name that can be used");
	memcpy(rollout->patch, output.text, (size_t)(end - output.text));
	return HOTPATCH_OK;
}

static void set_up_instance(struct hp_rollout *rollout, unsigned int number)
{
	struct hp_instance *instance = &rollout->instances[number];

	instance->shown.number = number;
	instance->shown.directory = instance->directory;
	instance->shown.argument = rollout->options->argument;
	instance->result = &rollout->report->results[number];
	snprintf(instance->directory, sizeof(instance->directory), "%s/%u",
		 rollout->root, number);
}

static struct hotpatch_rollout_report *make_report(unsigned int count)
{
	struct hotpatch_rollout_report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->count = count;
	report->results = calloc(count, sizeof(*report->results));
	if (report->results)
		return report;
	free(report);
	return NULL;
}

/* A place for all, and the bundle's name. */
static enum hotpatch_status set_up(struct hp_rollout *rollout,
				   struct hotpatch_error *err)
{
	/* Sockets have short paths, so the directory does too. */
	char root[] = "/tmp/hotpatch-rollout-XXXXXX";

	if (!mkdtemp(root))
		return fail(err, HOTPATCH_E_IO, "/tmp",
			    "no directory can be made in /tmp");
	strcpy(rollout->root, root);
	return read_name(rollout, err);
}

static enum hotpatch_status make_instances(struct hp_rollout *rollout,
					   struct hotpatch_error *err)
{
	const unsigned int count = rollout->options->count;
	unsigned int i;

	rollout->report = make_report(count);
	rollout->instances = calloc(count, sizeof(*rollout->instances));
	if (!rollout->report || !rollout->instances)
		return fail(err, HOTPATCH_E_NO_MEMORY, "", "out of memory");
	for (i = 0; i < count; i++) {
		set_up_instance(rollout, i);
		if (mkdir(rollout->instances[i].directory, 0700))
			return fail(err, HOTPATCH_E_IO, rollout->root,
				    "a directory cannot be made");
	}
	return HOTPATCH_OK;
}

static enum hotpatch_status start_all(struct hp_rollout *rollout,
				      struct hotpatch_error *err)
{
	const unsigned int start_ms = rollout->options->start_ms;
	struct hp_instance *instance;
	unsigned int i;

	for (i = 0; i < rollout->options->count; i++)
		if (!hp_instance_start(rollout, &rollout->instances[i]))
			return fail(err, HOTPATCH_E_LIMIT, "",
				    "the system refuses another process");
	rollout->start_end_ms =
		hp_clock_ms() + (start_ms ? start_ms : LIMIT_MS);
	for (i = 0; i < rollout->options->count; i++) {
		instance = &rollout->instances[i];
		if (hp_instance_await(rollout, instance))
			hp_instance_inject(rollout, instance,
					   HOTPATCH_ROLLOUT_AT_START);
	}
	return HOTPATCH_OK;
}

static bool apply_wave(struct hp_rollout *rollout, const struct wave *wave)
{
	struct hp_instance *instance;
	bool all = true;
	unsigned int i;

	for (i = wave->first; i < wave->end; i++) {
		instance = &rollout->instances[i];
		instance->result->wave = rollout->report->waves;
		if (!hp_instance_apply(rollout, instance))
			instance->result->failed = 1;
		all = all && !instance->result->failed;
	}
	return all;
}

/* Asks all of the wave by @is_well, also behind the first that is not. */
static bool ask_wave(struct hp_rollout *rollout, const struct wave *wave,
		     bool (*is_well)(const struct hp_rollout *rollout,
				     struct hp_instance *instance))
{
	struct hp_instance *instance;
	bool all = true;
	unsigned int i;

	for (i = wave->first; i < wave->end; i++) {
		instance = &rollout->instances[i];
		if (!instance->result->failed && !is_well(rollout, instance))
			instance->result->failed = 1;
		all = all && !instance->result->failed;
	}
	return all;
}

static bool watch_wave(struct hp_rollout *rollout, const struct wave *wave)
{
	const long end_ms = hp_clock_ms() + (long)rollout->options->watch_ms;
	unsigned int i;

	for (i = wave->first; i < wave->end; i++)
		hp_instance_inject(rollout, &rollout->instances[i],
				   HOTPATCH_ROLLOUT_AT_HEALTH);
	if (!ask_wave(rollout, wave, hp_instance_has_patch))
		return false;
	for (;;) {
		if (!ask_wave(rollout, wave, hp_instance_is_healthy))
			return false;
		if (hp_clock_ms() >= end_ms)
			return true;
		hp_pause_ms(BETWEEN_MS);
	}
}

static void go_back(struct hp_rollout *rollout, const struct wave *failed)
{
	const enum hotpatch_rollout_policy policy = rollout->options->policy;
	const unsigned int first =
		policy == HOTPATCH_ROLLOUT_REVERT_ALL ? 0 : failed->first;
	unsigned int i;

	if (policy == HOTPATCH_ROLLOUT_STOP)
		return;
	for (i = failed->end; i > first; i--)
		hp_instance_revert(rollout, &rollout->instances[i - 1]);
}

static void roll_out(struct hp_rollout *rollout)
{
	const struct hotpatch_rollout_options *options = rollout->options;
	struct hp_waves sizes = {
		.next = options->waves ? options->waves : "100%",
		.count = options->count,
	};
	struct wave wave = {0};
	bool well = true;

	while (well && wave.end < options->count) {
		rollout->report->waves++;
		wave.first = wave.end;
		wave.end += hp_waves_next(&sizes, options->count - wave.first);
		well = apply_wave(rollout, &wave) && watch_wave(rollout, &wave);
		if (well)
			rollout->report->completed++;
		else
			go_back(rollout, &wave);
	}
}

static bool answers(const struct hp_instance *instance)
{
	const enum hotpatch_rollout_outcome outcome = instance->result->outcome;

	return outcome != HOTPATCH_ROLLOUT_DEAD &&
	       outcome != HOTPATCH_ROLLOUT_UNREACHABLE;
}

static void judge_all(struct hp_rollout *rollout)
{
	struct hp_instance *instance;
	unsigned int i;

	for (i = 0; i < rollout->options->count; i++) {
		instance = &rollout->instances[i];
		hp_instance_judge(rollout, instance);
		if (rollout->options->at_end && answers(instance))
			rollout->options->at_end(&instance->shown);
	}
}

/* The signature is nftw()'s. */
static int remove_entry(const char *path, const struct stat *facts, int kind,
			struct FTW *place)
{
	(void)facts;
	(void)kind;
	(void)place;
	return remove(path);
}

static void tear_down(struct hp_rollout *rollout)
{
	unsigned int i;

	for (i = 0; rollout->instances && i < rollout->options->count; i++)
		hp_instance_end(&rollout->instances[i]);
	if (rollout->root[0])
		nftw(rollout->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(rollout->instances);
}

enum hotpatch_status
hotpatch_rollout_run(const struct hotpatch_rollout_options *options,
		     struct hotpatch_rollout_report **report,
		     struct hotpatch_error *err)
{
	const char *fault = fault_of(options);
	struct hp_rollout rollout = {.options = options};
	enum hotpatch_status status;

	*report = NULL;
	errno = 0;
	if (fault)
		return fail(err, HOTPATCH_E_ARGUMENT, "", fault);
	rollout.command = options->command ? options->command : "hotpatch";
	rollout.command_ms = options->command_ms ? options->command_ms :
						   LIMIT_MS;
	status = set_up(&rollout, err);
	if (!status)
		status = make_instances(&rollout, err);
	if (!status)
		status = start_all(&rollout, err);
	if (!status) {
		roll_out(&rollout);
		judge_all(&rollout);
	}
	tear_down(&rollout);
	if (status)
		hotpatch_rollout_release(rollout.report);
	else
		*report = rollout.report;
	return status;
}
