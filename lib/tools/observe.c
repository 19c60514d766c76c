/* SPDX-License-Identifier: MIT */
/*
 * The commands that observe: log, which shows a process's events or judges a
 * log's chain, and metrics.
 */
#include "tool.h"

#include "../observe/chain.h"
#include "../observe/metrics.h"
#include "../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 30000

static const struct hp_request_options plain = {
	.bundle_fd = -1,
	.signature_fd = -1,
	.timeout_ms = ANSWER_MS,
};

/* The clock of events is the kernel's own, the same for all processes. */
static void format_time(json_int_t time_ns, char *text, size_t size)
{
	struct timespec steady;
	struct timespec wall;
	struct tm parts;
	long long us;
	time_t seconds;
	char date[32];

	clock_gettime(CLOCK_MONOTONIC, &steady);
	clock_gettime(CLOCK_REALTIME, &wall);
	us = ((long long)wall.tv_sec - steady.tv_sec) * 1000000 +
	     (wall.tv_nsec - steady.tv_nsec) / 1000 + time_ns / 1000;
	seconds = (time_t)(us / 1000000);
	if (!localtime_r(&seconds, &parts))
		parts = (struct tm){0};
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &parts);
	snprintf(text, size, "%s.%06lld", date, us % 1000000);
}

static void print_event(const json_t *event)
{
	const char *status = hp_json_text(event, "status");
	const char *patch = hp_json_text(event, "patch");
	const char *object = hp_json_text(event, "object");
	char text[64];

	format_time(hp_json_number(event, "time_ns"), text, sizeof(text));
	hp_print("%s  %-12s  %s%s%s%s%s\n", text, hp_json_text(event, "phase"),
		 patch, *patch && *object ? "  " : "", object,
		 strcmp(status, "OK") != 0 ? "  " : "",
		 strcmp(status, "OK") != 0 ? status : "");
}

static enum hotpatch_status fetch_events(struct hp_session *session,
					 json_t *events, json_int_t *after,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	json_t *result;
	json_t *list;
	size_t count;

	do {
		status = hp_session_call(session, "events",
					 json_pack("{s:I}", "after", *after),
					 &plain, &result, err);
		if (status)
			return status;
		list = json_object_get(result, "events");
		count = json_array_size(list);
		if (count)
			*after = hp_json_number(json_array_get(list, count - 1),
						"sequence");
		json_array_extend(events, list);
		json_decref(result);
	} while (count);
	return HOTPATCH_OK;
}

static void print_line(const json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT);

	if (line)
		puts(line);
	free(line);
}

/* Each message of a subscription is one event; answers are none. */
static void show_message(const json_t *message, bool json)
{
	const json_t *event = json_object_get(message, "event");
	json_int_t lost = hp_json_number(message, "lost");

	if (event && json) {
		print_line(message);
	} else if (event) {
		if (lost)
			hp_print("%lld events were lost\n", (long long)lost);
		print_event(event);
	}
	fflush(stdout);
}

/* Until the process goes away, or whoever called us. */
static enum hotpatch_status follow(struct hp_session *session, json_int_t after,
				   bool json, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	json_t *message;

	status = hp_session_call(session, "subscribe",
				 json_pack("{s:I}", "after", after), &plain,
				 &message, err);
	json_decref(message);
	while (!status && !ferror(stdout)) {
		status = hp_session_receive(session, -1, &message, err);
		if (status)
			break;
		show_message(message, json);
		json_decref(message);
	}
	return status;
}

static enum hotpatch_status show_events(const struct hp_options *options,
					struct hotpatch_error *err)
{
	struct hp_session session;
	enum hotpatch_status status = hp_session_open(options, &session, err);
	json_t *events = json_array();
	json_int_t after = 0;
	json_t *event;
	size_t i;

	if (!status)
		status = fetch_events(&session, events, &after, err);
	if (!status && options->json && !options->follow)
		hp_print_json(json_pack("{s:O}", "events", events));
	json_array_foreach(events, i, event)
	{
		if (!status && !options->json)
			print_event(event);
	}
	json_decref(events);
	fflush(stdout);
	if (!status && options->follow)
		status = follow(&session, options->json ? 0 : after,
				options->json, err);
	hp_session_close(&session);
	return status;
}

static json_t *report_chain(const struct hp_chain_report *report)
{
	return json_pack("{s:I, s:I, s:I, s:s, s:i}", "lines",
			 (json_int_t)report->count, "first",
			 (json_int_t)report->first, "last",
			 (json_int_t)report->last.number, "hash",
			 report->last.hash, "files", (int)report->files);
}

static enum hotpatch_status verify_log(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_chain_report report;
	enum hotpatch_status status =
		hp_chain_verify(options->verify, &report, err);
	json_t *object;

	if (status && status != HOTPATCH_E_LOG_BROKEN)
		return status;
	if (options->json) {
		object = report_chain(&report);
		if (status) {
			json_object_set_new(object, "broken_file",
					    hp_wire_text(report.path));
			json_object_set_new(
				object, "broken_line",
				json_integer((json_int_t)report.line));
		}
		hp_print_json(hp_json_outcome(object, status, err));
	} else if (!status) {
		hp_print("%llu lines are whole, from number %llu to %llu\n"
			 "last hash %s\n",
			 (unsigned long long)report.count,
			 (unsigned long long)report.first,
			 (unsigned long long)report.last.number,
			 report.last.hash);
	}
	return status;
}

enum hotpatch_status hp_command_log(const struct hp_options *options,
				    struct hotpatch_error *err)
{
	if (options->verify && options->follow)
		return hp_error(err, HOTPATCH_E_USAGE, 0, "log",
				"Give --verify or --follow, not both.");
	return options->verify ? verify_log(options, err) :
				 show_events(options, err);
}

enum hotpatch_status hp_command_metrics(const struct hp_options *options,
					struct hotpatch_error *err)
{
	bool to_file = options->output;
	struct hp_session session;
	json_t *result = NULL;
	const char *text;
	enum hotpatch_status status = hp_session_open(options, &session, err);

	if (!status)
		status =
			hp_session_call(&session, "metrics",
					json_pack("{s:b, s:b}", "textfile",
						  to_file, "labelled", to_file),
					&plain, &result, err);
	text = hp_json_text(result, "text");
	if (!status && to_file)
		status = hp_metrics_replace(options->output, text, strlen(text),
					    err);
	if (!status && options->json && to_file)
		hp_print_json(json_pack("{s:s}", "file", options->output));
	else if (!status && options->json)
		hp_print_json(json_pack("{s:s}", "text", text));
	else if (!status && !to_file)
		fputs(text, stdout);
	json_decref(result);
	hp_session_close(&session);
	return status;
}
