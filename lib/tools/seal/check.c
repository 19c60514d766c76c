/* SPDX-License-Identifier: MIT */
/*
 * The command check: can this bundle be applied to that program, and if not,
 * does the fix need a restart or is the bundle for another build? A seal for
 * the build is believed; without one the bundle is looked at as for sealing,
 * where there is debugging information. A process that serves is asked itself,
 * as it knows what its memory has.
 */
#include "seal.h"

#include "../../sealed.h"
#include "../../status.h"
#include "../change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_ROOM 4200

enum verdict {
	HOTPATCHABLE,
	RESTART_REQUIRED,
	NOT_FOR_THIS_BUILD,
	REFUSED,
};

/*
 * @target: the build that the bundle names and the target is, or NULL
 * @reason, @sentence: why it is not hotpatchable, for those that the analysis
 *                     has no part in
 * @answer: what the process says, with --pid
 */
struct check {
	struct hp_file file;
	struct hp_manifest manifest;
	struct hp_binary binary;
	const struct hp_target *target;
	struct hp_seal seal; /* only if the analysis ran */
	enum verdict verdict;
	const char *reason;
	char sentence[256];
	struct hotpatch_error answer;
	char path[PATH_ROOM];
};

static const char *verdict_text(enum verdict verdict)
{
	switch (verdict) {
	case HOTPATCHABLE:
		return "hotpatchable";
	case RESTART_REQUIRED:
		return "restart-required";
	case REFUSED:
		return "refused";
	default:
		return "not-for-this-build";
	}
}

static bool is_pid(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/* A line of a process's map of memory: the path after five columns. */
static const char *mapped_path(char *line)
{
	char *path = strchr(line, '/');

	line[strcspn(line, "\n")] = '\0';
	return path ? path : "";
}

/* The mapped file of that base name, as the process sees it. */
static bool find_mapped(const char *pid, const char *module, char *path)
{
	char line[PATH_ROOM];
	const char *found;
	bool any = false;
	FILE *maps;

	snprintf(line, sizeof(line), "/proc/%.20s/maps", pid);
	maps = fopen(line, "re");
	while (maps && !any && fgets(line, sizeof(line), maps)) {
		found = mapped_path(line);
		any = !strcmp(hp_base_name(found), module) && *found;
		if (any)
			snprintf(path, PATH_ROOM, "/proc/%.20s/root%.4000s",
				 pid, found);
	}
	if (maps)
		fclose(maps);
	return any;
}

/* Of a process, the module that the bundle is for first. */
static enum hotpatch_status find_target(struct check *check, const char *text,
					struct hotpatch_error *err)
{
	const char *module = check->manifest.target_count ?
				     check->manifest.targets[0].module :
				     "";
	char folder[64];

	if (!is_pid(text)) {
		snprintf(check->path, sizeof(check->path), "%.4000s", text);
		return HOTPATCH_OK;
	}
	snprintf(folder, sizeof(folder), "/proc/%.20s", text);
	if (access(folder, F_OK))
		return hp_error(err, HOTPATCH_E_NO_PROCESS, errno, text,
				"There is no process %s.", text);
	snprintf(check->path, sizeof(check->path), "/proc/%.20s/exe", text);
	if (*module && !find_mapped(text, module, check->path))
		return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, module,
				"Process %s has no module %s.", text, module);
	return HOTPATCH_OK;
}

static void find_build(struct check *check)
{
	const struct hp_target *target = check->manifest.targets;
	size_t i;

	for (i = 0; i < check->manifest.target_count; i++)
		if (!strcmp(target[i].build_id, check->binary.build_id))
			check->target = &target[i];
}

static void decide(struct check *check, enum verdict verdict,
		   const char *reason, const char *sentence)
{
	check->verdict = verdict;
	check->reason = reason;
	snprintf(check->sentence, sizeof(check->sentence), "%s", sentence);
}

/* As for sealing, but nothing is written. */
static enum hotpatch_status analyse(struct check *check,
				    const struct hp_options *options,
				    struct hotpatch_error *err)
{
	const char *paths[] = {check->path};
	enum hotpatch_status status;

	check->seal.debug_directory = options->debug_directory;
	status = hp_seal_open(&check->seal, options->operand, paths, 1, err);
	if (!status)
		status = hp_seal_analyse(&check->seal, err);
	if (status == HOTPATCH_E_NO_DEBUG) {
		decide(check, HOTPATCHABLE, "unsealed",
		       "The bundle is not sealed for this build, and there is "
		       "no debugging information to compare: only the build "
		       "is known to be right.");
		return HOTPATCH_OK;
	}
	if (!status && hp_problems_refusing(&check->seal.problems))
		decide(check, RESTART_REQUIRED, "",
		       "The bundle cannot be sealed for this build.");
	return status;
}

static enum hotpatch_status judge(struct check *check,
				  const struct hp_options *options,
				  struct hotpatch_error *err)
{
	char sentence[256];

	find_build(check);
	if (!check->target) {
		snprintf(sentence, sizeof(sentence),
			 "The bundle names other builds; this one is %s.",
			 *check->binary.build_id ? check->binary.build_id :
						   "without a number");
		decide(check, NOT_FOR_THIS_BUILD, "build", sentence);
		return HOTPATCH_OK;
	}
	if (check->manifest.kind == HOTPATCH_KIND_RESTART) {
		decide(check, RESTART_REQUIRED, "kind",
		       "The bundle says that this fix needs a restart.");
		return HOTPATCH_OK;
	}
	decide(check, HOTPATCHABLE, "", "");
	return check->target->sealed ? HOTPATCH_OK :
				       analyse(check, options, err);
}

static json_t *report(const struct check *check)
{
	json_t *reasons = hp_problems_report(&check->seal.problems);

	if (*check->reason)
		json_array_append_new(
			reasons,
			json_pack("{s:s, s:o, s:s, s:s}", "reason",
				  check->reason, "name",
				  hp_wire_text(check->manifest.name),
				  "severity",
				  check->verdict == HOTPATCHABLE ? "warning" :
								   "refused",
				  "sentence", check->sentence));
	return json_pack("{s:s, s:o, s:b, s:{s:o, s:s, s:o}, s:o}", "verdict",
			 verdict_text(check->verdict), "name",
			 hp_wire_text(check->manifest.name), "sealed",
			 check->target && check->target->sealed, "target",
			 "path", hp_wire_text(check->path), "build_id",
			 check->binary.build_id, "module",
			 hp_wire_text(check->binary.module), "reasons",
			 reasons);
}

static void print(const struct check *check)
{
	hp_print("%s: %s for %s\n", verdict_text(check->verdict),
		 check->manifest.name, check->path);
	if (*check->sentence)
		hp_print("%s\n", check->sentence);
	hp_problems_print(&check->seal.problems);
}

static enum hotpatch_status outcome(const struct check *check,
				    struct hotpatch_error *err)
{
	const char *name = check->manifest.name;

	switch (check->verdict) {
	case HOTPATCHABLE:
		return HOTPATCH_OK;
	case RESTART_REQUIRED:
		return hp_error(err, HOTPATCH_E_RESTART, 0, name,
				"%s needs a restart: %s", name,
				check->sentence);
	case REFUSED:
		*err = check->answer;
		return err->status;
	default:
		return hp_error(err, HOTPATCH_E_WRONG_TARGET, 0, name, "%s: %s",
				name, check->sentence);
	}
}

/* Did the process answer that it would not take the bundle, or is it that
 * nobody could be asked? */
static bool is_answer(enum hotpatch_status status)
{
	return status != HOTPATCH_E_NO_PROCESS &&
	       status != HOTPATCH_E_UNREACHABLE &&
	       status != HOTPATCH_E_PROTOCOL &&
	       status != HOTPATCH_E_PERMISSION && status != HOTPATCH_E_TIMEOUT;
}

/* It compares the bytes of redirected functions in its memory, and looks at
 * what else is on. */
static enum hotpatch_status ask(struct check *check,
				const struct hp_options *options,
				struct hotpatch_error *err)
{
	struct hp_session session;
	bool already = false;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (status)
		return status;
	status = hp_change_access(&session, NULL, err);
	if (!status) {
		status = hp_ask_process(&session, options, &already, err);
		if (status && is_answer(status)) {
			check->answer = *err;
			decide(check, REFUSED, "process", err->sentence);
			status = HOTPATCH_OK;
		}
	}
	hp_session_close(&session);
	return status;
}

static enum hotpatch_status run(struct check *check,
				const struct hp_options *options,
				const char *target, struct hotpatch_error *err)
{
	enum hotpatch_status status =
		hp_file_read(options->operand, &check->file, err);

	if (!status)
		status = hp_manifest_parse(check->file.bytes, check->file.size,
					   options->operand, &check->manifest,
					   err);
	if (!status)
		status = find_target(check, target, err);
	if (!status)
		status = hp_binary_open(&check->binary, check->path, err);
	if (!status)
		status = judge(check, options, err);
	if (!status && options->pid && check->verdict == HOTPATCHABLE)
		status = ask(check, options, err);
	if (status)
		return status;
	status = outcome(check, err);
	if (options->json)
		hp_print_json(hp_json_outcome(report(check), status, err));
	else
		print(check);
	return status;
}

enum hotpatch_status hp_command_check(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	struct check check = {.reason = ""};
	enum hotpatch_status status;
	char pid[16];

	if (options->targets.count + (options->pid != 0) != 1)
		return hp_error(err, HOTPATCH_E_USAGE, 0, "check",
				"check needs one --target or --pid; see "
				"hotpatch --help.");
	snprintf(pid, sizeof(pid), "%d", (int)options->pid);
	status = run(&check, options,
		     options->pid ? pid : options->targets.items[0], err);
	hp_seal_close(&check.seal);
	hp_binary_close(&check.binary);
	hp_manifest_release(&check.manifest);
	hp_file_release(&check.file);
	return status;
}
