/* SPDX-License-Identifier: MIT */
/*
 * What is done to one host. The hotpatch command does it, so that the test sees
 * what an operator would; what it says on the way is kept.
 */
#include "instance.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_MS 2

/* The first reason counts; those after it follow from it. */
__attribute__((format(printf, 3, 4))) static void
note(struct hotpatch_rollout_result *result, enum hotpatch_status status,
     const char *format, ...)
{
	va_list arguments;

	if (result->sentence[0])
		return;
	result->status = status;
	va_start(arguments, format);
	vsnprintf(result->sentence, sizeof(result->sentence), format,
		  arguments);
	va_end(arguments);
}

static enum hotpatch_status status_of_name(const char *name, size_t length)
{
#define NAME(status, value, text) {#status, HOTPATCH_##status},
	static const struct {
		const char *name;
		enum hotpatch_status status;
	} all[] = {HOTPATCH_STATUS_MAP(NAME)};
#undef NAME
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strlen(all[i].name) == length &&
		    !strncmp(all[i].name, name, length))
			return all[i].status;
	return HOTPATCH_E_UNREACHABLE;
}

/* Takes "hotpatch: NAME: SENTENCE" out of what a command wrote. */
static void note_error(const struct hp_output *output, const char *what,
		       struct hotpatch_rollout_result *result)
{
	static const char begin[] = "hotpatch: E_";
	const char *name = strstr(output->text, begin);
	const char *sentence = name ? strstr(name, ": ") : NULL;

	sentence = sentence ? strstr(sentence + 1, ": ") : NULL;
	if (!sentence) {
		note(result, HOTPATCH_E_UNREACHABLE,
		     "hotpatch %s ended with %d and without a word", what,
		     output->exit_status);
		return;
	}
	name += strlen("hotpatch: ");
	note(result, status_of_name(name, (size_t)(sentence - name)), "%.*s",
	     (int)strcspn(sentence + 2, "\n"), sentence + 2);
}

bool hp_rollout_run(const struct hp_rollout *rollout, const char *directory,
		    const char *const *argv, struct hp_output *output,
		    struct hotpatch_rollout_result *result)
{
	const char *what = argv[1];

	if (!hp_command_run(argv, directory, rollout->command_ms, output))
		note(result, HOTPATCH_E_LIMIT, "hotpatch %s was not started",
		     what);
	else if (!output->in_time)
		note(result, HOTPATCH_E_TIMEOUT,
		     "hotpatch %s did not end in %ld ms", what,
		     rollout->command_ms);
	else if (output->exit_status)
		note_error(output, what, result);
	else
		return true;
	return false;
}

/* "hotpatch WHAT OPERAND", in which threads have half of the time, so that the
 * command can tell of those that did not come. */
static bool change(const struct hp_rollout *rollout,
		   const struct hp_instance *instance, const char *what,
		   const char *operand, struct hp_output *output)
{
	char seconds[32];
	const char *const argv[] = {rollout->command, what,    operand,
				    "--timeout",      seconds, NULL};

	snprintf(seconds, sizeof(seconds), "%ld.%03ld",
		 rollout->command_ms / 2000, rollout->command_ms / 2 % 1000);
	return hp_rollout_run(rollout, instance->directory, argv, output,
			      instance->result);
}

static bool ask_status(const struct hp_rollout *rollout,
		       const struct hp_instance *instance,
		       struct hp_output *output)
{
	const char *const argv[] = {rollout->command, "status", NULL};

	return hp_rollout_run(rollout, instance->directory, argv, output,
			      instance->result);
}

static bool is_socket(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot, ".sock");
}

/* Calls @visit for the sockets in @directory until it returns true. */
static bool find_socket(const char *directory, bool (*visit)(const char *path))
{
	struct sockaddr_un address;
	const struct dirent *entry;
	bool found = false;
	DIR *list = opendir(directory);

	if (!list)
		return false;
	while (!found && (entry = readdir(list))) {
		if (is_socket(entry->d_name) &&
		    snprintf(address.sun_path, sizeof(address.sun_path),
			     "%s/%s", directory,
			     entry->d_name) < (int)sizeof(address.sun_path))
			found = visit(address.sun_path);
	}
	closedir(list);
	return found;
}

static bool listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected;

	if (fd < 0)
		return false;
	strcpy(address.sun_path, path);
	connected = !connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return connected;
}

static bool take_away(const char *path)
{
	unlink(path);
	return false;
}

static const struct hotpatch_rollout_injection *
find_injection(const struct hp_rollout *rollout,
	       const struct hp_instance *instance,
	       enum hotpatch_rollout_failure failure)
{
	const struct hotpatch_rollout_options *options = rollout->options;
	const struct hotpatch_rollout_injection *injection;
	size_t i;

	for (i = 0; i < options->injection_count; i++) {
		injection = &options->injections[i];
		if (injection->number == instance->shown.number &&
		    injection->failure == failure)
			return injection;
	}
	return NULL;
}

static bool is_due(const struct hp_rollout *rollout,
		   const struct hp_instance *instance,
		   enum hotpatch_rollout_failure failure,
		   enum hotpatch_rollout_step step)
{
	const struct hotpatch_rollout_injection *injection =
		find_injection(rollout, instance, failure);

	return injection && injection->step == step;
}

void hp_instance_inject(const struct hp_rollout *rollout,
			struct hp_instance *instance,
			enum hotpatch_rollout_step step)
{
	if (hp_instance_has_ended(instance))
		return;
	if (is_due(rollout, instance, HOTPATCH_ROLLOUT_CUT_OFF, step))
		find_socket(instance->directory, take_away);
	if (is_due(rollout, instance, HOTPATCH_ROLLOUT_HANGS, step))
		hp_process_stop(instance->shown.pid);
	if (is_due(rollout, instance, HOTPATCH_ROLLOUT_DIES, step)) {
		hp_process_kill(instance->shown.pid);
		instance->ended = true;
		instance->exit_status = 128 + SIGKILL;
	}
}

static int end_at_once(const struct hotpatch_rollout_instance *instance)
{
	(void)instance;
	return EXIT_FAILURE;
}

bool hp_instance_start(const struct hp_rollout *rollout,
		       struct hp_instance *instance)
{
	const struct hotpatch_rollout_options *options = rollout->options;

	if (find_injection(rollout, instance, HOTPATCH_ROLLOUT_NOT_STARTED))
		instance->shown.pid =
			hp_process_start(NULL, end_at_once, &instance->shown);
	else
		instance->shown.pid = hp_process_start(
			options->program, options->main, &instance->shown);
	return instance->shown.pid != 0;
}

bool hp_instance_has_ended(struct hp_instance *instance)
{
	if (!instance->ended)
		instance->ended = hp_process_has_ended(instance->shown.pid,
						       &instance->exit_status);
	return instance->ended;
}

void hp_instance_end(struct hp_instance *instance)
{
	if (instance->shown.pid && !hp_instance_has_ended(instance))
		hp_process_kill(instance->shown.pid);
	instance->ended = true;
}

static bool is_alive(struct hp_instance *instance)
{
	if (!hp_instance_has_ended(instance))
		return true;
	note(instance->result, HOTPATCH_E_NO_PROCESS,
	     "the process has ended, with %d", instance->exit_status);
	return false;
}

bool hp_instance_await(const struct hp_rollout *rollout,
		       struct hp_instance *instance)
{
	while (!find_socket(instance->directory, listens)) {
		if (!is_alive(instance))
			return false;
		if (hp_clock_ms() >= rollout->start_end_ms) {
			note(instance->result, HOTPATCH_E_TIMEOUT,
			     "the process did not listen in time");
			return false;
		}
		hp_pause_ms(LOOK_MS);
	}
	return true;
}

bool hp_instance_apply(const struct hp_rollout *rollout,
		       struct hp_instance *instance)
{
	struct hp_output output;

	hp_instance_inject(rollout, instance, HOTPATCH_ROLLOUT_AT_APPLY);
	if (instance->result->sentence[0] || !is_alive(instance))
		return false;
	instance->had = change(rollout, instance, "apply",
			       rollout->options->bundle, &output);
	instance->patched_ms = hp_clock_ms();
	instance->refused = !instance->had;
	instance->unknown = !instance->had && !output.in_time;
	return instance->had;
}

/* Does what "status" says of the effective version have the patch in it? */
static bool tells_patch(const struct hp_rollout *rollout,
			const struct hp_output *output)
{
	char wanted[sizeof(rollout->patch) + 2];
	const char *running = strstr(output->text, "running ");
	const char *found;

	snprintf(wanted, sizeof(wanted), "+%s@", rollout->patch);
	found = running ? strstr(running, wanted) : NULL;
	return found && found < running + strcspn(running, "\n");
}

bool hp_instance_has_patch(const struct hp_rollout *rollout,
			   struct hp_instance *instance)
{
	struct hp_output output;

	if (!is_alive(instance) || !ask_status(rollout, instance, &output))
		return false;
	if (tells_patch(rollout, &output))
		return true;
	note(instance->result, HOTPATCH_E_NO_PATCH,
	     "the process does not run %s any more", rollout->patch);
	return false;
}

static bool is_made_bad(const struct hp_rollout *rollout,
			const struct hp_instance *instance)
{
	const struct hotpatch_rollout_injection *injection =
		find_injection(rollout, instance, HOTPATCH_ROLLOUT_UNHEALTHY);

	return injection && hp_clock_ms() - instance->patched_ms >=
				    (long)injection->after_ms;
}

static bool run_health(const struct hp_rollout *rollout,
		       const struct hp_instance *instance)
{
	const char *const *argv = rollout->options->health;
	struct hp_output output;

	if (!hp_command_run(argv, instance->directory, rollout->command_ms,
			    &output))
		note(instance->result, HOTPATCH_E_LIMIT, "%s was not started",
		     argv[0]);
	else if (!output.in_time)
		note(instance->result, HOTPATCH_E_TIMEOUT,
		     "%s did not end in %ld ms", argv[0], rollout->command_ms);
	else if (output.exit_status)
		note(instance->result, HOTPATCH_OK,
		     "its health is bad: %s ended with %d", argv[0],
		     output.exit_status);
	else
		return true;
	return false;
}

bool hp_instance_is_healthy(const struct hp_rollout *rollout,
			    struct hp_instance *instance)
{
	const struct hotpatch_rollout_options *options = rollout->options;
	bool healthy = !is_made_bad(rollout, instance);

	if (!is_alive(instance))
		return false;
	if (healthy && options->is_healthy)
		healthy = options->is_healthy(&instance->shown);
	if (healthy && options->health)
		healthy = run_health(rollout, instance);
	if (!healthy)
		note(instance->result, HOTPATCH_OK, "its health is bad");
	return healthy;
}

void hp_instance_revert(const struct hp_rollout *rollout,
			struct hp_instance *instance)
{
	struct hp_output output;

	if (!instance->had && !instance->unknown)
		return;
	hp_instance_inject(rollout, instance, HOTPATCH_ROLLOUT_AT_REVERT);
	if (is_alive(instance))
		change(rollout, instance, "revert", rollout->patch, &output);
}

void hp_instance_judge(const struct hp_rollout *rollout,
		       struct hp_instance *instance)
{
	struct hotpatch_rollout_result *result = instance->result;
	struct hp_output output;
	bool told = is_alive(instance) &&
		    ask_status(rollout, instance, &output);

	/* It may have ended instead of answering. */
	if (!is_alive(instance))
		result->outcome = HOTPATCH_ROLLOUT_DEAD;
	else if (!told)
		result->outcome = HOTPATCH_ROLLOUT_UNREACHABLE;
	else if (tells_patch(rollout, &output))
		result->outcome = HOTPATCH_ROLLOUT_PATCHED;
	else if (instance->had)
		result->outcome = HOTPATCH_ROLLOUT_REVERTED;
	else if (instance->refused)
		result->outcome = HOTPATCH_ROLLOUT_REFUSED;
	else
		result->outcome = HOTPATCH_ROLLOUT_UNTOUCHED;
}
