/* SPDX-License-Identifier: MIT */
/*
 * Figures as text, in OpenMetrics and in the older format that a node exporter
 * reads. The older one knows no info metrics and no units, and calls a counter
 * by the name of its sample.
 */
#include "metrics.h"

#include "../engine.h"
#include "../event.h"
#include "../file.h"
#include "../module.h"
#include "../slot.h"
#include "../status.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <hotpatch/version.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATCHES 256
#define FILE_MODE 0644

/* @labels: what every sample begins its labels with; "" or ends in a comma */
struct writer {
	struct hp_text text;
	bool textfile;
	char labels[640];
};

enum kind {
	COUNTER,
	GAUGE,
	INFO,
	SUMMARY,
};

/* @unit: as in the name, or NULL. */
struct family {
	const char *name;
	enum kind kind;
	const char *unit;
	const char *help;
};

static void add_family(struct writer *writer, const struct family *family)
{
	static const char *const kinds[] = {
		[COUNTER] = "counter",
		[GAUGE] = "gauge",
		[INFO] = "info",
		[SUMMARY] = "summary",
	};
	const char *kind = kinds[family->kind];
	const char *suffix = "";

	if (writer->textfile && family->kind == COUNTER)
		suffix = "_total";
	if (writer->textfile && family->kind == INFO) {
		suffix = "_info";
		kind = "gauge";
	}
	hp_text_add(&writer->text, "# HELP %s%s %s\n# TYPE %s%s %s\n",
		    family->name, suffix, family->help, family->name, suffix,
		    kind);
	if (family->unit && !writer->textfile)
		hp_text_add(&writer->text, "# UNIT %s %s\n", family->name,
			    family->unit);
}

/* The name and its labels, up to the value. @label is NULL for none. */
static void add_name(struct writer *writer, const char *name,
		     const char *suffix, const char *label, const char *value)
{
	struct hp_text *text = &writer->text;
	size_t length = strlen(writer->labels);

	hp_text_add(text, "%s%s", name, suffix);
	if (label) {
		hp_text_add(text, "{%s%s=", writer->labels, label);
		hp_text_add_quoted(text, value);
		hp_text_add(text, "}");
	} else if (length) {
		hp_text_add(text, "{%.*s}", (int)length - 1, writer->labels);
	}
}

static void add_number(struct writer *writer, const struct family *family,
		       const char *label, const char *value, uint64_t number)
{
	add_name(writer, family->name, family->kind == COUNTER ? "_total" : "",
		 label, value);
	hp_text_add(&writer->text, " %llu\n", (unsigned long long)number);
}

static void add_one(struct writer *writer, const struct family *family,
		    uint64_t number)
{
	add_family(writer, family);
	add_number(writer, family, NULL, NULL, number);
}

/* Exact, whatever the locale calls a decimal point. */
static void add_seconds(struct writer *writer, uint64_t us)
{
	hp_text_add(&writer->text, " %llu.%06u\n",
		    (unsigned long long)(us / 1000000),
		    (unsigned int)(us % 1000000));
}

static void read_build_id(char build_id[HOTPATCH_BUILD_ID_SIZE])
{
	const void *headers = (const void *)getauxval(AT_PHDR);
	struct hp_module_facts facts;

	*build_id = '\0';
	if (hp_module_find(headers, &facts))
		memcpy(build_id, facts.build_id, sizeof(facts.build_id));
}

static void add_library(struct writer *writer)
{
	static const struct family family = {
		"hotpatch", INFO, NULL,
		"The library and the program that it is in."};
	char build_id[HOTPATCH_BUILD_ID_SIZE];

	read_build_id(build_id);
	add_family(writer, &family);
	hp_text_add(&writer->text,
		    "hotpatch_info{%sversion=\"%s\",build_id=", writer->labels,
		    hotpatch_version());
	hp_text_add_quoted(&writer->text, build_id);
	hp_text_add(&writer->text, "} 1\n");
}

static size_t count_replaced(void)
{
	const struct hp_module *module;
	size_t count = 0;
	size_t i;

	hp_engine_lock();
	for (module = hp_modules; module; module = module->next)
		for (i = 0; i < module->count; i++)
			count += module->by_name[i]->top != NULL;
	hp_engine_unlock();
	return count;
}

static void add_process(struct writer *writer)
{
	struct hotpatch_process_info info;

	hotpatch_process_info(&info);
	add_one(writer,
		&(struct family){"hotpatch_working", GAUGE, NULL,
				 "Whether the library works in this process."},
		info.status == HOTPATCH_OK);
	add_one(writer,
		&(struct family){"hotpatch_generation", GAUGE, NULL,
				 "The number of the newest view."},
		info.generation);
	add_one(writer,
		&(struct family){"hotpatch_tasks", GAUGE, NULL,
				 "Threads and fibers that have views."},
		info.tasks);
	add_one(writer,
		&(struct family){"hotpatch_modules", GAUGE, NULL,
				 "Modules that have patchable functions."},
		info.modules);
	add_one(writer,
		&(struct family){"hotpatch_functions", GAUGE, NULL,
				 "Functions that can be patched."},
		info.slots);
	add_one(writer,
		&(struct family){"hotpatch_functions_replaced", GAUGE, NULL,
				 "Functions that a patch replaces."},
		count_replaced());
	add_one(writer,
		&(struct family){"hotpatch_transition_open", GAUGE, NULL,
				 "Whether tasks are moving to another view."},
		info.transition);
	add_one(writer,
		&(struct family){"hotpatch_forced", GAUGE, NULL,
				 "Whether a transition was forced once."},
		info.forced);
}

static void add_blockers(struct writer *writer)
{
	struct hotpatch_blocker blockers[16];
	size_t count = hotpatch_blocker_list(blockers, 16);
	static const struct family oldest = {
		"hotpatch_blocker_age_seconds", GAUGE, "seconds",
		"How long the first of them has been in the way."};
	uint64_t age_ms = 0;
	size_t i;

	for (i = 0; i < count && i < 16; i++) {
		if (blockers[i].age_ms > age_ms)
			age_ms = blockers[i].age_ms;
	}
	add_one(writer,
		&(struct family){"hotpatch_blockers", GAUGE, NULL,
				 "Tasks that the open transition waits for."},
		count);
	add_family(writer, &oldest);
	add_name(writer, oldest.name, "", NULL, NULL);
	add_seconds(writer, age_ms * 1000);
}

static void add_states(struct writer *writer,
		       const struct hotpatch_patch_info *infos, size_t count)
{
	static const struct family family = {"hotpatch_patches", GAUGE, NULL,
					     "Known patches by state."};
	static const enum hotpatch_state states[] = {
#define STATE(name, text) HOTPATCH_##name,
		HOTPATCH_STATE_MAP(STATE)
#undef STATE
	};
	uint64_t number;
	size_t i;
	size_t j;

	add_family(writer, &family);
	for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
		number = 0;
		for (j = 0; j < count; j++)
			number += infos[j].state == states[i];
		add_number(writer, &family, "state",
			   hotpatch_state_name(states[i]), number);
	}
}

static void add_patch(struct writer *writer,
		      const struct hotpatch_patch_info *info)
{
	struct hp_text *text = &writer->text;

	add_name(writer, "hotpatch_patch", "_info", "patch", info->name);
	text->length--; /* the brace, to go on with labels */
	hp_text_add(text, ",state=\"%s\",build_id=",
		    hotpatch_state_name(info->state));
	hp_text_add_quoted(text, info->build_id);
	hp_text_add(text, ",sequence=\"%llu\",key_id=",
		    (unsigned long long)info->sequence);
	hp_text_add_quoted(text, info->key_id);
	hp_text_add(text, "} 1\n");
}

static void add_patches(struct writer *writer,
			const struct hotpatch_patch_info *infos, size_t count)
{
	static const struct family info = {"hotpatch_patch", INFO, NULL,
					   "Each known patch."};
	static const struct family mapped = {
		"hotpatch_patch_mapped_bytes", GAUGE, "bytes",
		"Memory in which a patch's code is mapped."};
	static const struct family retained = {
		"hotpatch_retained_bytes", GAUGE, "bytes",
		"Memory of patches that could not be unmapped."};
	uint64_t retained_bytes = 0;
	size_t i;

	add_states(writer, infos, count);
	add_family(writer, &info);
	for (i = 0; i < count; i++)
		add_patch(writer, &infos[i]);
	add_family(writer, &mapped);
	for (i = 0; i < count; i++) {
		add_number(writer, &mapped, "patch", infos[i].name,
			   infos[i].mapped_bytes);
		if (infos[i].state == HOTPATCH_RETAINED)
			retained_bytes += infos[i].mapped_bytes;
	}
	add_one(writer, &retained, retained_bytes);
}

/* Of those that have an open canary alone. Named keys are in whatever the
 * share, and how much of the work they are nobody knows: they do not count. */
static void add_canaries(struct writer *writer,
			 const struct hotpatch_patch_info *infos, size_t count)
{
	static const struct family family = {
		"hotpatch_canary_share_ratio", GAUGE, "ratio",
		"Share of all keys that an open canary takes, without those "
		"that it names."};
	size_t i;

	add_family(writer, &family);
	for (i = 0; i < count; i++) {
		if (!infos[i].canary)
			continue;
		add_name(writer, family.name, "", "patch", infos[i].name);
		hp_text_add(&writer->text, " %u.%04u\n",
			    infos[i].canary_share / HOTPATCH_CANARY_WHOLE,
			    infos[i].canary_share % HOTPATCH_CANARY_WHOLE);
	}
}

static void add_phases(struct writer *writer)
{
	static const struct family family = {
		"hotpatch_phases", COUNTER, NULL,
		"How often each phase was passed."};
	int phase;

	add_family(writer, &family);
	for (phase = 0; phase < HP_PHASES; phase++)
		add_number(writer, &family, "phase",
			   hotpatch_phase_name((enum hotpatch_phase)phase),
			   hp_event_count((enum hotpatch_phase)phase));
}

/* Those that happened alone: there are many causes. */
static void add_refusals(struct writer *writer)
{
	static const struct family family = {"hotpatch_refusals", COUNTER, NULL,
					     "What was refused, by the cause."};
	static const enum hotpatch_status statuses[] = {
#define STATUS(name, value, text) HOTPATCH_##name,
		HOTPATCH_STATUS_MAP(STATUS)
#undef STATUS
	};
	uint64_t number;
	size_t i;

	add_family(writer, &family);
	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		number = hp_event_refusals(statuses[i]);
		if (number)
			add_number(writer, &family, "status",
				   hotpatch_status_name(statuses[i]), number);
	}
}

static void add_durations(struct writer *writer)
{
	static const struct family families[HP_DURATIONS] = {
		[HP_OPENING] = {"hotpatch_open_seconds", SUMMARY, "seconds",
				"Verifying and loading bundles."},
		[HP_DRAINING] = {"hotpatch_drain_seconds", SUMMARY, "seconds",
				 "Moving all tasks to another view."},
		[HP_UNMAPPING] = {"hotpatch_unmap_seconds", SUMMARY, "seconds",
				  "From a revert to the end of the code."},
	};
	uint64_t count;
	uint64_t sum_us;
	int i;

	for (i = 0; i < HP_DURATIONS; i++) {
		hp_event_durations((enum hp_duration)i, &count, &sum_us);
		add_family(writer, &families[i]);
		add_name(writer, families[i].name, "_count", NULL, NULL);
		hp_text_add(&writer->text, " %llu\n",
			    (unsigned long long)count);
		add_name(writer, families[i].name, "_sum", NULL, NULL);
		add_seconds(writer, sum_us);
	}
}

static void add_log(struct writer *writer)
{
	struct hp_log_figures figures;

	hp_log_figures(&figures);
	if (!figures.running)
		return;
	add_one(writer,
		&(struct family){"hotpatch_log_lines", COUNTER, NULL,
				 "Events that were written to the log."},
		figures.lines);
	add_one(writer,
		&(struct family){"hotpatch_log_failures", COUNTER, NULL,
				 "Times that the log could not be written."},
		figures.failures);
	add_one(writer,
		&(struct family){"hotpatch_journal_dropped", COUNTER, NULL,
				 "Events that the journal did not take."},
		figures.dropped);
}

static bool write_all(struct writer *writer)
{
	struct hotpatch_patch_info *infos = calloc(PATCHES, sizeof(*infos));
	size_t count;

	if (!infos)
		return false;
	count = hotpatch_patch_list(infos, PATCHES);
	if (count > PATCHES)
		count = PATCHES;
	add_library(writer);
	add_process(writer);
	add_blockers(writer);
	add_patches(writer, infos, count);
	add_canaries(writer, infos, count);
	add_phases(writer);
	add_refusals(writer);
	add_durations(writer);
	add_log(writer);
	if (!writer->textfile)
		hp_text_add(&writer->text, "# EOF\n");
	free(infos);
	return true;
}

static void make_labels(struct writer *writer)
{
	struct hp_text labels = {writer->labels, sizeof(writer->labels), 0};

	hp_text_add(&labels, "program=");
	hp_text_add_quoted(&labels, program_invocation_short_name);
	hp_text_add(&labels, ",process=\"%d\",", (int)getpid());
}

size_t hotpatch_metrics_write(const struct hotpatch_metrics_options *options,
			      char *buffer, size_t size)
{
	struct writer writer = {.text = {buffer, buffer ? size : 0, 0}};

	if (options && options->size != sizeof(*options))
		return 0;
	if (buffer && size)
		*buffer = '\0';
	writer.textfile = options && options->textfile;
	if (options && options->labelled)
		make_labels(&writer);
	return write_all(&writer) ? writer.text.length : 0;
}

/* All of it in memory of its own; what the process does meanwhile may make it
 * longer than it was found to be. */
char *hp_metrics_text(const struct hotpatch_metrics_options *options,
		      size_t *length)
{
	size_t size = 16384;
	char *bytes = NULL;
	char *larger;

	for (;;) {
		larger = realloc(bytes, size);
		if (!larger)
			break;
		bytes = larger;
		*length = hotpatch_metrics_write(options, bytes, size);
		if (*length && *length < size)
			return bytes;
		if (!*length)
			break;
		size = *length + 4096;
	}
	free(bytes);
	return NULL;
}

static enum hotpatch_status file_error(struct hotpatch_error *err,
				       const char *path)
{
	int cause = errno;
	enum hotpatch_status status = HOTPATCH_E_IO;

	if (cause == EACCES || cause == EPERM || cause == EROFS)
		status = HOTPATCH_E_PERMISSION;
	if (cause == ENOENT)
		status = HOTPATCH_E_NOT_FOUND;
	return hp_error(err, status, cause, path, "%s cannot be written: %s",
			path, strerror(cause));
}

/* The exporter reads no name that begins with a dot. */
enum hotpatch_status hp_metrics_replace(const char *path, const char *bytes,
					size_t length,
					struct hotpatch_error *err)
{
	char beside[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int fd;
	int size = snprintf(beside, sizeof(beside), "%.*s.%s.%d",
			    (int)(name - path), path, name, (int)getpid());
	enum hotpatch_status status = HOTPATCH_OK;

	if (!*name || size < 0 || (size_t)size >= sizeof(beside))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
				"%s names no file, or is too long", path);
	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  FILE_MODE);
	if (fd < 0)
		return file_error(err, path);
	if (!hp_file_write(fd, bytes, length) || rename(beside, path) < 0) {
		status = file_error(err, path);
		unlink(beside);
	}
	close(fd);
	return status;
}

enum hotpatch_status
hotpatch_metrics_save(const char *path,
		      const struct hotpatch_metrics_options *options,
		      struct hotpatch_error *err)
{
	const struct hotpatch_metrics_options defaults = {
		.size = sizeof(defaults),
		.textfile = true,
		.labelled = true,
	};
	enum hotpatch_status status;
	size_t length = 0;
	char *bytes;

	if (!path || path[0] != '/' ||
	    (options && options->size != sizeof(*options)))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0,
				path ? path : "path",
				"the path is not absolute, or the size of the "
				"options is not known");
	bytes = hp_metrics_text(options ? options : &defaults, &length);
	if (!bytes)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, path,
				"no memory for the figures");
	status = hp_metrics_replace(path, bytes, length, err);
	free(bytes);
	return status;
}
