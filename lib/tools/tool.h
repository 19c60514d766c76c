/* SPDX-License-Identifier: MIT */
/*
 * The hotpatch command, as its files see each other: options, the session
 * with one process, output, and the commands themselves.
 */
#ifndef HP_TOOL_H
#define HP_TOOL_H

#include "../control/socket.h"
#include "../control/wire.h"

#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct hp_command;

/* The values of an option that may be given several times. */
#define HP_LIST_LIMIT 64
struct hp_list {
	const char *items[HP_LIST_LIMIT];
	size_t count;
};

/*
 * @pid:        0 if none was given
 * @program, @unit, @all: choose any number of processes; at most one of these,
 *              @socket and @pid is given
 * @all_patches: of revert, in the place of a name
 * @timeout_ms: 0 means no limit
 * @rendezvous_ms: 0 means what the process takes by itself
 * @goal:       of waiting: "active", "drained", "unmapped", "healthy" or
 *              "none"; NULL for the command's own default
 * @key:        path of a key, or the public key itself
 * @keys:       path of a directory of public keys
 * @password_path: of a file with a password
 * @comment:    to be signed
 * @signature:  path of a detached signature
 * @signed_bundle: the signature goes along; set for one request
 * @operand:    the file or name, or NULL
 * @targets:    paths of builds; of check, a path or a process's number
 * @allows:     REASON:NAME
 * @canary:     show it to @canary_share of 10,000, and to @canary_keys; of the
 *              command canary false for all
 * @now:        of enable and disable: change the process, too
 * @keep:       of apply: record it, too
 * @forgive:    although it is in quarantine
 * @exact:      of converge: revert what is not desired
 * @directory:  of processes that need not run; NULL to ask the process
 * @output, @explain, @debug_directory: NULL if not given
 * @verify:     of log, a path; of apply, a command for the shell; or NULL
 * @probation_ms, @health_errors, @health_latency, @health_tail: as the process
 *              takes them, 0 if not given
 */
struct hp_options {
	const struct hp_command *command;
	const char *socket;
	pid_t pid;
	const char *program;
	const char *unit;
	bool json;
	bool all;
	bool all_patches;
	bool dry_run;
	bool adopt_sleepers;
	bool allow_constructors;
	bool rollback;
	bool now;
	bool keep;
	bool forgive;
	bool exact;
	bool no_password;
	long timeout_ms;
	long rendezvous_ms;
	long probation_ms;
	long health_errors;
	long health_latency;
	long health_tail;
	const char *policy;
	const char *goal;
	const char *key;
	const char *keys;
	const char *password_path;
	const char *comment;
	const char *signature;
	bool signed_bundle;
	const char *operand;
	struct hp_list targets;
	struct hp_list allows;
	const char *directory;
	const char *output;
	const char *explain;
	const char *debug_directory;
	const char *verify;
	bool follow;
	bool canary;
	unsigned int canary_share;
	uint64_t canary_keys[HOTPATCH_CANARY_KEYS];
	size_t canary_key_count;
};

/*
 * @accepts: the letters of the options that it takes besides the global ones
 * @operand: what the usage calls it, or NULL if it takes none
 * @run:     prints the result if it succeeds, and nothing otherwise; those
 *           that judge a bundle print what they found in any case
 */
struct hp_command {
	const char *name;
	const char *accepts;
	const char *operand;
	enum hotpatch_status (*run)(const struct hp_options *options,
				    struct hotpatch_error *err);
};

enum hotpatch_status hp_options_parse(int argc, char **argv,
				      struct hp_options *options,
				      struct hotpatch_error *err);

/* {"commands":[{"name":…,"operand":…,"options":[…]}…],"options":[…]}, where the
 * last are those that all commands take. */
json_t *hp_options_report(void);

/* The command's exit code for each status; -1 for one that is not listed. */
int hp_exit_code(enum hotpatch_status status);

/* A connection to one process. */
struct hp_session {
	int fd;
	char path[HP_SOCKET_PATH_SIZE];
	json_int_t last_id;
	struct hp_buffer input;
	json_t *greeting;
};

/* E_NO_PROCESS, E_SEVERAL, E_UNREACHABLE, E_PROTOCOL. */
enum hotpatch_status hp_session_open(const struct hp_options *options,
				     struct hp_session *session,
				     struct hotpatch_error *err);
enum hotpatch_status hp_session_connect(const char *path,
					struct hp_session *session,
					struct hotpatch_error *err);
void hp_session_close(struct hp_session *session);

/*
 * Sends a request, taking over @params, which may be NULL, and passing
 * @bundle_fd, and @signature_fd after it, unless they are -1; then waits for
 * its answer, for @timeout_ms at the most, negative for ever. With @progress
 * it shows on standard error, if that is a terminal, what is in the way.
 */
struct hp_request_options {
	int bundle_fd;
	int signature_fd;
	long timeout_ms;
	bool progress;
};
enum hotpatch_status hp_session_call(struct hp_session *session,
				     const char *method, json_t *params,
				     const struct hp_request_options *options,
				     json_t **result,
				     struct hotpatch_error *err);

/* Its halves, for the progress line and for several processes at once. */
enum hotpatch_status hp_session_send(struct hp_session *session,
				     const char *method, json_t *params,
				     int bundle_fd, int signature_fd,
				     struct hotpatch_error *err);
enum hotpatch_status hp_session_await(struct hp_session *session, json_int_t id,
				      const struct hp_request_options *options,
				      json_t **result,
				      struct hotpatch_error *err);
/* HOTPATCH_E_TIMEOUT if no line came. */
enum hotpatch_status hp_session_receive(struct hp_session *session,
					long timeout_ms, json_t **message,
					struct hotpatch_error *err);

/* Picks the socket that @options mean; @path has HP_SOCKET_PATH_SIZE bytes. */
enum hotpatch_status hp_find_socket(const struct hp_options *options,
				    char *path, struct hotpatch_error *err);

/* A socket that somebody listens on; @program as its name has it, or all of a
 * name of another form; @pid by which this command sees the process, else the
 * name's, else 0. */
struct hp_found {
	char path[HP_SOCKET_PATH_SIZE];
	char program[NAME_MAX + 1];
	pid_t pid;
};

/* All that @options mean, sorted, in an array that the caller frees.
 * E_NO_PROCESS if there are none. */
enum hotpatch_status hp_find_processes(const struct hp_options *options,
				       struct hp_found **found, size_t *count,
				       struct hotpatch_error *err);

/* Does the text of /proc/PID/cgroup say that the process is of this unit? */
bool hp_cgroup_has_unit(const char *text, const char *unit);

/* Is the terminal, if there is one, known for more than writing lines? */
bool hp_terminal_obeys(void);

/* One line of progress from the result of the method status. */
bool hp_progress_wanted(void);
void hp_progress_show(const json_t *status);
void hp_progress_clear(void);
/* What every line begins with from now on. */
void hp_progress_name(const char *text);

/* A table of texts whose columns are aligned; the first row is its head. */
struct hp_table {
	size_t columns;
	size_t count;
	char **cells;
};
__attribute__((format(printf, 2, 3))) void
hp_table_add(struct hp_table *table, const char *format, ...);
void hp_table_print(const struct hp_table *table);
void hp_table_release(struct hp_table *table);

/* Members of an object, "" or 0 if they are missing. */
const char *hp_json_text(const json_t *object, const char *key);
json_int_t hp_json_number(const json_t *object, const char *key);

/* Writes without letting foreign bytes reach the terminal as commands. */
__attribute__((format(printf, 1, 2))) void hp_print(const char *format, ...);
void hp_print_json(json_t *object); /* and releases it */
/* Puts the error into the object of a command that shows its result also when
 * that is a refusal; it is not printed again then. */
json_t *hp_json_outcome(json_t *object, enum hotpatch_status status,
			const struct hotpatch_error *err);
void hp_print_error(const struct hotpatch_error *err, bool json);

enum hotpatch_status hp_command_list(const struct hp_options *options,
				     struct hotpatch_error *err);
enum hotpatch_status hp_command_status(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_apply(const struct hp_options *options,
				      struct hotpatch_error *err);
enum hotpatch_status hp_command_revert(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_canary(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_wait(const struct hp_options *options,
				     struct hotpatch_error *err);
enum hotpatch_status hp_command_inspect(const struct hp_options *options,
					struct hotpatch_error *err);
enum hotpatch_status hp_command_keygen(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_sign(const struct hp_options *options,
				     struct hotpatch_error *err);
enum hotpatch_status
hp_command_verify_signature(const struct hp_options *options,
			    struct hotpatch_error *err);
enum hotpatch_status hp_command_seal(const struct hp_options *options,
				     struct hotpatch_error *err);
enum hotpatch_status hp_command_check(const struct hp_options *options,
				      struct hotpatch_error *err);
enum hotpatch_status hp_command_assess(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_enable(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_disable(const struct hp_options *options,
					struct hotpatch_error *err);
enum hotpatch_status hp_command_converge(const struct hp_options *options,
					 struct hotpatch_error *err);
enum hotpatch_status hp_command_verify(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_command_log(const struct hp_options *options,
				    struct hotpatch_error *err);
enum hotpatch_status hp_command_metrics(const struct hp_options *options,
					struct hotpatch_error *err);
enum hotpatch_status hp_command_help(const struct hp_options *options,
				     struct hotpatch_error *err);
enum hotpatch_status hp_command_version(const struct hp_options *options,
					struct hotpatch_error *err);

/* The process itself judges the bundle, as for an apply; *@already if it has
 * it. */
enum hotpatch_status hp_ask_process(struct hp_session *session,
				    const struct hp_options *options,
				    bool *already, struct hotpatch_error *err);

/* What apply --dry-run does once it is connected. */
enum hotpatch_status hp_check_bundle(struct hp_session *session,
				     const struct hp_options *options,
				     struct hotpatch_error *err);

#endif
