/* SPDX-License-Identifier: MIT */
/*
 * Bringing what is active to what is desired, and recording what is desired.
 * Asks for everything through the public functions, as a host would, but marks
 * each bundle while it is applied: a process that ends meanwhile must not end
 * so again when it is started again.
 */
#include <hotpatch/desired.h>

#include "desired.h"
#include "engine.h"
#include "patch.h"
#include "probation.h"
#include "quarantine.h"
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 10000

/* What waiting takes more than the deadline, at which it is turned round. */
#define GRACE_MS 5000

/* One run of hotpatch_converge(). */
struct run {
	const struct hotpatch_converge_options *options;
	struct hp_desired_set set;
	struct hotpatch_error *err; /* of the first that was refused */
	unsigned int changed;
	unsigned int refused;
};

static unsigned int timeout_of(const struct run *run)
{
	unsigned int ms = run->options ? run->options->timeout_ms : 0;

	return ms ? ms : DEFAULT_TIMEOUT_MS;
}

/* E_ALREADY counts as neither. */
static void tell(struct run *run, struct hotpatch_outcome *outcome,
		 const struct hotpatch_error *why)
{
	if (outcome->status == HOTPATCH_OK) {
		run->changed++;
	} else if (outcome->status != HOTPATCH_E_ALREADY) {
		hp_text_copy(outcome->sentence, sizeof(outcome->sentence),
			     why->sentence);
		if (!run->refused++ && run->err)
			*run->err = *why;
	}
	if (run->options && run->options->told)
		run->options->told(outcome, run->options->data);
}

/* Is a patch with these contents on, or on its way there? */
static bool is_active(const struct hp_identity *identity)
{
	const struct hotpatch_patch *patch;
	bool found = false;

	hp_engine_lock();
	for (patch = hp_patches; patch && !found; patch = patch->next)
		found = (patch->state == HOTPATCH_ACTIVE ||
			 patch->state == HOTPATCH_APPLYING) &&
			hp_identity_equals(&patch->identity, identity);
	hp_engine_unlock();
	return found;
}

/* What was accepted before may be older than what was accepted last: each had
 * its turn. */
static enum hotpatch_status open_copy(const struct hp_desired *desired,
				      bool check_only,
				      struct hotpatch_patch **patch,
				      struct hotpatch_error *err)
{
	struct hotpatch_open_options options = {
		.size = sizeof(options),
		.allow_constructors = desired->constructors,
		.rollback = true,
		.check_only = check_only,
	};
	enum hotpatch_status status;
	int signature_fd;
	int bundle_fd;

	*patch = NULL;
	status = hp_desired_open(&desired->identity, &bundle_fd, &signature_fd,
				 err);
	if (status != HOTPATCH_OK)
		return status;
	if (signature_fd >= 0)
		options.signature_fd = &signature_fd;
	status = hotpatch_patch_open_fd(bundle_fd, desired->identity.name,
					&options, patch, err);
	close(bundle_fd);
	if (signature_fd >= 0)
		close(signature_fd);
	return status == HOTPATCH_E_ALREADY ? HOTPATCH_OK : status;
}

/* Could it be applied? Runs nothing of it. */
static enum hotpatch_status judge(const struct hp_desired *desired,
				  struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;
	enum hotpatch_status status = open_copy(desired, true, &patch, err);

	hotpatch_patch_close(patch);
	return status;
}

static enum hotpatch_status check_state(const struct hotpatch_patch *patch,
					enum hotpatch_state wanted,
					struct hotpatch_error *err)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	if (info.state == wanted)
		return HOTPATCH_OK;
	return hp_error(err, info.status ? info.status : HOTPATCH_E_STATE, 0,
			info.name, "%s is %s%s%s", info.name,
			hotpatch_state_name(info.state),
			*info.reason ? ": " : "", info.reason);
}

static enum hotpatch_status wait_until_drained(struct hotpatch_patch *patch,
					       const struct run *run,
					       struct hotpatch_error *err)
{
	return hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
				   (int)(timeout_of(run) + GRACE_MS), err);
}

static struct hotpatch_apply_options change_options(const struct run *run)
{
	return (struct hotpatch_apply_options){
		.size = sizeof(struct hotpatch_apply_options),
		.deadline_ms = timeout_of(run),
		.turn_ms = timeout_of(run),
	};
}

static enum hotpatch_status apply(const struct run *run,
				  const struct hp_desired *desired,
				  struct hotpatch_error *err)
{
	struct hotpatch_apply_options options = change_options(run);
	struct hotpatch_patch *patch;
	enum hotpatch_status status;

	status = open_copy(desired, false, &patch, err);
	if (status == HOTPATCH_OK)
		status = hotpatch_patch_apply(patch, &options, err);
	if (status == HOTPATCH_OK || status == HOTPATCH_E_ALREADY)
		status = wait_until_drained(patch, run, err);
	if (status == HOTPATCH_OK)
		status = check_state(patch, HOTPATCH_ACTIVE, err);
	hotpatch_patch_close(patch);
	return status;
}

static enum hotpatch_status apply_marked(const struct run *run,
					 const struct hp_desired *desired,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status = judge(desired, err);

	if (status == HOTPATCH_OK)
		status = hp_probation_mark(&desired->identity, err);
	if (status != HOTPATCH_OK)
		return status;
	status = apply(run, desired, err);
	/* A marker that stays is looked at when the process has ended well. */
	hp_probation_clear(&desired->identity, NULL);
	return status;
}

static void converge_one(struct run *run, const struct hp_desired *desired)
{
	struct hotpatch_outcome outcome = {
		.sequence = desired->identity.sequence,
		.status = HOTPATCH_E_ALREADY,
	};
	struct hotpatch_error why = {HOTPATCH_OK, 0, "", ""};

	hp_text_copy(outcome.name, sizeof(outcome.name),
		     desired->identity.name);
	if (!is_active(&desired->identity))
		outcome.status = apply_marked(run, desired, &why);
	tell(run, &outcome, &why);
}

/* ---- What is not desired ---- */

static bool is_desired(const struct hp_desired_set *set,
		       const struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		if (hp_identity_equals(&set->list[i].identity,
				       &patch->identity))
			return true;
	return false;
}

static void revert(struct run *run, struct hotpatch_patch *patch,
		   const struct hotpatch_patch_info *info)
{
	struct hotpatch_outcome outcome = {
		.sequence = info->sequence,
		.reverted = true,
	};
	struct hotpatch_apply_options options = change_options(run);
	struct hotpatch_error why = {HOTPATCH_OK, 0, "", ""};

	hp_text_copy(outcome.name, sizeof(outcome.name), info->name);
	outcome.status = hotpatch_patch_revert(patch, &options, &why);
	if (outcome.status == HOTPATCH_OK ||
	    outcome.status == HOTPATCH_E_ALREADY)
		outcome.status = wait_until_drained(patch, run, &why);
	tell(run, &outcome, &why);
}

/* The newest first, since older ones may be required by them. */
static enum hotpatch_status revert_others(struct run *run,
					  struct hotpatch_error *err)
{
	size_t count = hotpatch_patch_list(NULL, 0);
	struct hotpatch_patch_info *infos = calloc(count + 1, sizeof(*infos));
	struct hotpatch_patch *patch;
	size_t found;

	if (!infos)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "patches",
				"no memory for the list of patches");
	found = hotpatch_patch_list(infos, count);
	for (count = found < count ? found : count; count-- > 0;) {
		if (infos[count].state != HOTPATCH_ACTIVE ||
		    hotpatch_patch_find(infos[count].name, &patch))
			continue;
		if (!is_desired(&run->set, patch))
			revert(run, patch, &infos[count]);
		hotpatch_patch_close(patch);
	}
	free(infos);
	return HOTPATCH_OK;
}

/* ---- The public functions ---- */

/* May the caller change patches at all? */
static enum hotpatch_status check_caller(struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int cancel_state;

	status = hp_engine_enter(&cancel_state, err);
	if (status == HOTPATCH_OK)
		hp_engine_leave(cancel_state);
	return status;
}

static enum hotpatch_status converge(struct run *run,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	if (run->set.off)
		return hp_error(err, HOTPATCH_E_SWITCHED_OFF, 0, "off",
				"the file off of the private directory keeps "
				"%zu bundles from being applied",
				run->set.count);
	for (i = 0; i < run->set.count; i++)
		converge_one(run, &run->set.list[i]);
	if (run->options && run->options->exact)
		status = revert_others(run, err);
	if (status != HOTPATCH_OK)
		return status;
	if (!run->refused)
		return run->changed ?
			       HOTPATCH_OK :
			       hp_error(err, HOTPATCH_E_ALREADY, 0, "desired",
					"all that is desired is active");
	if (err)
		err->status = HOTPATCH_E_DIVERGED;
	return HOTPATCH_E_DIVERGED;
}

enum hotpatch_status
hotpatch_converge(const struct hotpatch_converge_options *options,
		  struct hotpatch_error *err)
{
	struct run run = {.options = options, .err = err};
	char program[HOTPATCH_NAME_SIZE];
	enum hotpatch_status status;

	if (options && options->size != sizeof(*options))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "options",
				"options of the right size are wanted");
	status = check_caller(err);
	if (status != HOTPATCH_OK)
		return status;
	hp_program_name(program);
	status = hp_desired_read(program, &run.set, err);
	if (status == HOTPATCH_OK)
		status = converge(&run, err);
	free(run.set.list);
	return status;
}

enum hotpatch_status hotpatch_desire(const struct hotpatch_patch *patch,
				     struct hotpatch_error *err)
{
	struct hp_desired_bundle bundle;
	struct hp_desired desired;
	enum hotpatch_status status;
	bool under_way;

	if (!patch)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "patch",
				"a patch is wanted");
	status = check_caller(err);
	if (status != HOTPATCH_OK)
		return status;
	hp_engine_lock();
	under_way = hp_patch_is_under_way(patch);
	hp_engine_unlock();
	if (!under_way)
		return hp_error(err, HOTPATCH_E_STATE, 0, patch->manifest.name,
				"%s has gone", patch->manifest.name);
	desired.identity = patch->identity;
	desired.constructors = patch->manifest.constructors != 0;
	bundle = (struct hp_desired_bundle){
		.bundle = &patch->file,
		.signature = &patch->voucher.signature,
		.superseded = patch->manifest.supersedes,
		.count = patch->manifest.supersede_count,
	};
	return hp_desired_add(&desired, &bundle, err);
}

enum hotpatch_status hotpatch_undesire(const char *name,
				       struct hotpatch_error *err)
{
	char program[HOTPATCH_NAME_SIZE];
	enum hotpatch_status status = check_caller(err);

	if (status != HOTPATCH_OK)
		return status;
	hp_program_name(program);
	return hp_desired_remove(program, name, err);
}

/* ---- The list ---- */

/* What is filled, as far as there is room. */
struct report {
	struct hotpatch_desired_info *infos;
	size_t size;
	size_t count;
};

static void append(struct report *report,
		   const struct hotpatch_desired_info *info)
{
	if (report->count < report->size)
		report->infos[report->count] = *info;
	report->count++;
}

static void describe(struct hotpatch_desired_info *info,
		     const struct hp_identity *identity)
{
	memset(info, 0, sizeof(*info));
	hp_text_copy(info->name, sizeof(info->name), identity->name);
	info->sequence = identity->sequence;
	info->active = is_active(identity);
}

static void report_desired(struct report *report,
			   const struct hp_desired *desired)
{
	struct hotpatch_error why = {HOTPATCH_OK, 0, "", ""};
	struct hotpatch_desired_info info;

	describe(&info, &desired->identity);
	info.desired = true;
	if (!info.active && report->count < report->size)
		info.status = judge(desired, &why);
	info.quarantined = info.status == HOTPATCH_E_QUARANTINED;
	hp_text_copy(info.sentence, sizeof(info.sentence), why.sentence);
	append(report, &info);
}

static bool set_has(const struct hp_desired_set *set,
		    const struct hp_identity *identity)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		if (hp_identity_equals(&set->list[i].identity, identity))
			return true;
	return false;
}

static void report_quarantined(struct report *report,
			       const struct hp_desired_set *set,
			       const struct hp_quarantined *quarantined)
{
	struct hotpatch_desired_info info;

	if (set_has(set, &quarantined->identity))
		return;
	describe(&info, &quarantined->identity);
	info.quarantined = true;
	info.status = HOTPATCH_E_QUARANTINED;
	hp_text_copy(info.sentence, sizeof(info.sentence), quarantined->reason);
	append(report, &info);
}

static enum hotpatch_status report_others(struct report *report,
					  const char *program,
					  const struct hp_desired_set *set,
					  struct hotpatch_error *err)
{
	struct hp_quarantined *list =
		calloc(HP_QUARANTINE_LIMIT, sizeof(*list));
	enum hotpatch_status status;
	size_t count;
	size_t i;

	if (!list)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "quarantine",
				"no memory for the list of bundles in "
				"quarantine");
	status = hp_quarantine_list(program, list, HP_QUARANTINE_LIMIT, &count,
				    err);
	for (i = 0; status == HOTPATCH_OK && i < count; i++)
		report_quarantined(report, set, &list[i]);
	free(list);
	return status;
}

enum hotpatch_status hotpatch_desired_list(struct hotpatch_desired_info *infos,
					   size_t size, size_t *count,
					   bool *off,
					   struct hotpatch_error *err)
{
	struct report report = {.infos = infos, .size = infos ? size : 0};
	char program[HOTPATCH_NAME_SIZE];
	enum hotpatch_status status;
	struct hp_desired_set set;
	size_t i;

	if (!count || !off)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "count",
				"places for the count and the switch are "
				"wanted");
	*count = 0;
	*off = false;
	status = check_caller(err);
	if (status != HOTPATCH_OK)
		return status;
	hp_program_name(program);
	status = hp_desired_read(program, &set, err);
	for (i = 0; status == HOTPATCH_OK && i < set.count; i++)
		report_desired(&report, &set.list[i]);
	if (status == HOTPATCH_OK)
		status = report_others(&report, program, &set, err);
	*off = set.off;
	free(set.list);
	*count = status == HOTPATCH_OK ? report.count : 0;
	return status;
}
