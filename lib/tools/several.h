/* SPDX-License-Identifier: MIT */
/*
 * Several processes at once, which --program, --unit and --all choose: their
 * connections, and what each answered.
 */
#ifndef HP_SEVERAL_H
#define HP_SEVERAL_H

#include "tool.h"

#include <hotpatch/patch.h>

/* What became of a process; as the schema's words, which say more. */
enum hp_outcome {
	HP_OUTCOME_UNTOUCHED,
	HP_OUTCOME_ACTIVE,
	HP_OUTCOME_ALREADY,
	HP_OUTCOME_APPLYING,
	HP_OUTCOME_DIFFERS,
	HP_OUTCOME_FAILED,
	HP_OUTCOME_LOST,
	HP_OUTCOME_REACHED,
	HP_OUTCOME_REVERTED,
	HP_OUTCOME_REVERTING,
	HP_OUTCOME_UNDONE,
};

/*
 * @taking:  whether it takes part in the next step
 * @id:      of the request that it was sent last
 * @status, @err: how the last step that it took part in went
 * @result:  of that step
 * @patch:   name of the patch that it is about
 * @outcome: what became of it; set by the command
 * @before:  what it ran before anything was changed
 * @first, @first_err: of the step that failed, while it is undone
 */
struct hp_process {
	struct hp_found found;
	struct hp_session session;
	bool taking;
	json_int_t id;
	enum hotpatch_status status;
	struct hotpatch_error err;
	json_t *result;
	char patch[HOTPATCH_NAME_SIZE];
	char before[256];
	enum hp_outcome outcome;
	enum hotpatch_status first;
	struct hotpatch_error first_err;
};

struct hp_fleet {
	struct hp_process *processes;
	size_t count;
};

/* Does the command line choose any number of processes, even if only one
 * matches? */
bool hp_wants_several(const struct hp_options *options);

/*
 * Finds and greets all that @options mean. E_NO_PROCESS; that one cannot be
 * reached is its own status. The caller owes the release in every case.
 */
enum hotpatch_status hp_fleet_open(const struct hp_options *options,
				   struct hp_fleet *fleet,
				   struct hotpatch_error *err);
void hp_fleet_release(struct hp_fleet *fleet);

/*
 * One step: each process that is taking part is sent a request, and then each
 * is waited for, until @timeout_ms from the start, negative for ever. @params
 * makes the parameters of each.
 */
struct hp_step {
	const char *method;
	json_t *(*params)(const struct hp_options *options,
			  const struct hp_process *process);
	const struct hp_options *options;
	int bundle_fd;
	int signature_fd;
	long timeout_ms;
};
void hp_fleet_step(struct hp_fleet *fleet, const struct hp_step *step);

/* The first that failed, NULL if there is none. */
const struct hp_process *hp_fleet_failed(const struct hp_fleet *fleet);
/* Its status and error, the sentence with the process's name before it. */
enum hotpatch_status hp_fleet_error(const struct hp_process *failed,
				    struct hotpatch_error *err);

/* The patch in its last result, or NULL. */
const json_t *hp_process_patch(const struct hp_process *process);

/* Prints what became of each, and gives back what began it if one failed. */
enum hotpatch_status hp_fleet_show(struct hp_fleet *fleet,
				   const struct hp_options *options,
				   struct hotpatch_error *err);

/* {"pid":…,"program":…,"socket":…}, with the build-id of one that greeted. */
json_t *hp_process_report(const struct hp_process *process);

/*
 * Runs a command that only looks: on the one process that is meant, or on each
 * of several, one after the other.
 *
 * @ask:   fetches the answer
 * @print: for people, one process's
 * @sum:   for people, of several processes; NULL if @print is called for each,
 *         under its name
 */
struct hp_visit {
	enum hotpatch_status (*ask)(struct hp_session *session,
				    const struct hp_options *options,
				    json_t **result,
				    struct hotpatch_error *err);
	void (*print)(const json_t *result, const json_t *greeting);
	void (*sum)(const struct hp_fleet *fleet);
};
enum hotpatch_status hp_visit(const struct hp_options *options,
			      const struct hp_visit *visit,
			      struct hotpatch_error *err);

#endif
