/* SPDX-License-Identifier: MIT */
#include "several.h"

#include "../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool hp_wants_several(const struct hp_options *options)
{
	return options->program || options->unit || options->all;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum hotpatch_status hp_fleet_open(const struct hp_options *options,
				   struct hp_fleet *fleet,
				   struct hotpatch_error *err)
{
	struct hp_process *process;
	struct hp_found *found;
	size_t count;
	size_t i;
	enum hotpatch_status status =
		hp_find_processes(options, &found, &count, err);

	*fleet = (struct hp_fleet){0};
	if (status)
		return status;
	fleet->processes = calloc(count, sizeof(*fleet->processes));
	if (!fleet->processes) {
		free(found);
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "",
				"There is no memory for all processes.");
	}
	fleet->count = count;
	for (i = 0; i < count; i++) {
		process = &fleet->processes[i];
		process->found = found[i];
		process->status = hp_session_connect(
			found[i].path, &process->session, &process->err);
	}
	free(found);
	return HOTPATCH_OK;
}

void hp_fleet_release(struct hp_fleet *fleet)
{
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		json_decref(fleet->processes[i].result);
		hp_session_close(&fleet->processes[i].session);
	}
	free(fleet->processes);
	*fleet = (struct hp_fleet){0};
}

static void send_step(struct hp_process *process, const struct hp_step *step)
{
	json_decref(process->result);
	process->result = NULL;
	process->status = hp_session_send(
		&process->session, step->method,
		step->params ? step->params(step->options, process) : NULL,
		step->bundle_fd, step->signature_fd, &process->err);
	process->id = process->session.last_id;
}

static void await_step(struct hp_process *process, long left_ms)
{
	const struct hp_request_options request = {
		.bundle_fd = -1,
		.signature_fd = -1,
		.timeout_ms = left_ms,
		.progress = true,
	};

	process->status = hp_session_await(&process->session, process->id,
					   &request, &process->result,
					   &process->err);
}

/* The names of the processes stand in the progress line, while there are
 * several. */
static void name_progress(const struct hp_fleet *fleet, size_t index)
{
	const struct hp_found *found = &fleet->processes[index].found;
	char text[64];

	snprintf(text, sizeof(text), "%zu of %zu, %.24s %d: ", index + 1,
		 fleet->count, found->program, (int)found->pid);
	hp_progress_name(text);
}

void hp_fleet_step(struct hp_fleet *fleet, const struct hp_step *step)
{
	const long end_ms = now_ms() + step->timeout_ms;
	struct hp_process *process;
	long left_ms;
	size_t i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->processes[i].taking)
			send_step(&fleet->processes[i], step);
	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		if (!process->taking || process->status)
			continue;
		left_ms = end_ms - now_ms();
		left_ms = left_ms < 0 ? 0 : left_ms;
		name_progress(fleet, i);
		await_step(process, step->timeout_ms < 0 ? -1 : left_ms);
	}
	hp_progress_clear();
	hp_progress_name("");
}

const struct hp_process *hp_fleet_failed(const struct hp_fleet *fleet)
{
	size_t i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->processes[i].status)
			return &fleet->processes[i];
	return NULL;
}

enum hotpatch_status hp_fleet_error(const struct hp_process *failed,
				    struct hotpatch_error *err)
{
	const struct hotpatch_error why = failed->err;

	return hp_error(err, failed->status, why.os_error, why.object,
			"%s %d: %s", failed->found.program,
			(int)failed->found.pid, why.sentence);
}

json_t *hp_process_report(const struct hp_process *process)
{
	const char *build_id =
		hp_json_text(process->session.greeting, "build_id");

	return json_pack("{s:I, s:o, s:o, s:s*}", "pid",
			 (json_int_t)process->found.pid, "program",
			 hp_wire_text(process->found.program), "socket",
			 hp_wire_text(process->found.path), "build_id",
			 *build_id ? build_id : NULL);
}

static json_t *report_visit(const struct hp_process *process)
{
	json_t *object =
		json_pack("{s:o}", "process", hp_process_report(process));

	if (process->status)
		json_object_set_new(object, "error",
				    hp_wire_error(&process->err));
	else
		json_object_set(object, "result", process->result);
	return object;
}

static json_t *report_fleet(const struct hp_fleet *fleet)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < fleet->count; i++)
		json_array_append_new(list, report_visit(&fleet->processes[i]));
	return json_pack("{s:o}", "processes", list);
}

static void print_each(const struct hp_fleet *fleet,
		       const struct hp_visit *visit)
{
	const struct hp_process *process;
	size_t i;

	for (i = 0; i < fleet->count; i++) {
		process = &fleet->processes[i];
		hp_print("%s%s, process %d\n", i ? "\n" : "",
			 process->found.program, (int)process->found.pid);
		if (process->status)
			hp_print("%s\n", process->err.sentence);
		else
			visit->print(process->result,
				     process->session.greeting);
	}
}

static enum hotpatch_status visit_several(const struct hp_options *options,
					  const struct hp_visit *visit,
					  struct hotpatch_error *err)
{
	struct hp_fleet fleet;
	struct hp_process *process;
	const struct hp_process *failed;
	size_t i;
	enum hotpatch_status status = hp_fleet_open(options, &fleet, err);

	for (i = 0; !status && i < fleet.count; i++) {
		process = &fleet.processes[i];
		if (!process->status)
			process->status = visit->ask(&process->session, options,
						     &process->result,
						     &process->err);
	}
	failed = hp_fleet_failed(&fleet);
	if (failed)
		status = hp_fleet_error(failed, err);
	if (fleet.count && options->json)
		hp_print_json(
			hp_json_outcome(report_fleet(&fleet), status, err));
	else if (fleet.count && visit->sum)
		visit->sum(&fleet);
	else if (fleet.count)
		print_each(&fleet, visit);
	hp_fleet_release(&fleet);
	return status;
}

enum hotpatch_status hp_visit(const struct hp_options *options,
			      const struct hp_visit *visit,
			      struct hotpatch_error *err)
{
	struct hp_session session;
	json_t *result = NULL;
	enum hotpatch_status status;

	if (hp_wants_several(options))
		return visit_several(options, visit, err);
	status = hp_session_open(options, &session, err);
	if (status)
		return status;
	status = visit->ask(&session, options, &result, err);
	if (!status && options->json)
		hp_print_json(json_incref(result));
	else if (!status)
		visit->print(result, session.greeting);
	json_decref(result);
	hp_session_close(&session);
	return status;
}
