/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, with which options. Every option may stand
 * anywhere; one that the command does not take is refused.
 */
#include "tool.h"
#include "value.h"

#include "../status.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 10000
#define MOST_PERCENT 1000000

/* Values of the options, and the letters in hp_command.accepts. */
enum {
	SOCKET = 's',
	PID = 'p',
	PROGRAM = 'm',
	UNIT = 'u',
	JSON = 'j',
	HELP = 'h',
	VERSION = 'V',
	TIMEOUT = 't',
	POLICY = 'P',
	ADOPT = 'a',
	CONSTRUCTORS = 'c',
	WAIT = 'w',
	GOAL = 'g',
	DRY_RUN = 'n',
	ALL = 'A',
	ALL_PATCHES = 'B',
	KEY = 'k',
	KEYS = 'K',
	PASSWORD_FILE = 'f',
	NO_PASSWORD = 'W',
	COMMENT = 'C',
	SIGNATURE = 'x',
	ROLLBACK = 'R',
	TARGET = 'T',
	ALLOW = 'l',
	OUTPUT = 'o',
	EXPLAIN = 'e',
	DEBUG_DIR = 'd',
	SIGN = 'S',
	RENDEZVOUS = 'r',
	VERIFY = 'v',
	FOLLOW = 'F',
	NOW = 'N',
	KEEP = 'q',
	FORGIVE = 'O',
	EXACT = 'X',
	DIRECTORY = 'D',
	PROBATION = 'b',
	HEALTH_ERRORS = 'E',
	HEALTH_LATENCY = 'L',
	HEALTH_TAIL = 'I',
	CANARY = '%',
	CANARY_KEY = '#',
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, SOCKET},
	{"pid", required_argument, NULL, PID},
	{"program", required_argument, NULL, PROGRAM},
	{"unit", required_argument, NULL, UNIT},
	{"json", no_argument, NULL, JSON},
	{"help", no_argument, NULL, HELP},
	{"version", no_argument, NULL, VERSION},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"policy", required_argument, NULL, POLICY},
	{"adopt-sleepers", no_argument, NULL, ADOPT},
	{"allow-constructors", no_argument, NULL, CONSTRUCTORS},
	{"wait", required_argument, NULL, WAIT},
	{"goal", required_argument, NULL, GOAL},
	{"dry-run", no_argument, NULL, DRY_RUN},
	{"all", no_argument, NULL, ALL},
	{"all-patches", no_argument, NULL, ALL_PATCHES},
	{"key", required_argument, NULL, KEY},
	{"keys", required_argument, NULL, KEYS},
	{"password-file", required_argument, NULL, PASSWORD_FILE},
	{"no-password", no_argument, NULL, NO_PASSWORD},
	{"comment", required_argument, NULL, COMMENT},
	{"signature", required_argument, NULL, SIGNATURE},
	{"rollback", no_argument, NULL, ROLLBACK},
	{"target", required_argument, NULL, TARGET},
	{"allow", required_argument, NULL, ALLOW},
	{"output", required_argument, NULL, OUTPUT},
	{"explain", required_argument, NULL, EXPLAIN},
	{"debug-dir", required_argument, NULL, DEBUG_DIR},
	{"sign", required_argument, NULL, SIGN},
	{"rendezvous", required_argument, NULL, RENDEZVOUS},
	{"verify", required_argument, NULL, VERIFY},
	{"follow", no_argument, NULL, FOLLOW},
	{"now", no_argument, NULL, NOW},
	{"keep", no_argument, NULL, KEEP},
	{"forgive", no_argument, NULL, FORGIVE},
	{"exact", no_argument, NULL, EXACT},
	{"directory", required_argument, NULL, DIRECTORY},
	{"probation", required_argument, NULL, PROBATION},
	{"health-errors", required_argument, NULL, HEALTH_ERRORS},
	{"health-latency", required_argument, NULL, HEALTH_LATENCY},
	{"health-tail", required_argument, NULL, HEALTH_TAIL},
	{"canary", required_argument, NULL, CANARY},
	{"canary-key", required_argument, NULL, CANARY_KEY},
	{NULL, 0, NULL, 0},
};

static const struct hp_command commands[] = {
	{"list", "", NULL, hp_command_list},
	{"status", "", NULL, hp_command_status},
	{"apply", "tPacwnxRrqObvELI%#", "FILE", hp_command_apply},
	{"canary", "tw#", "NAME", hp_command_canary},
	{"revert", "tPawnBr", "NAME", hp_command_revert},
	{"wait", "tgw", "NAME", hp_command_wait},
	{"enable", "tPacxRrNOD", "FILE", hp_command_enable},
	{"disable", "tPaBrND", "NAME", hp_command_disable},
	{"converge", "tnX", NULL, hp_command_converge},
	{"verify", "", NULL, hp_command_verify},
	{"inspect", "", "FILE", hp_command_inspect},
	{"keygen", "fW", "NAME", hp_command_keygen},
	{"sign", "kfCx", "FILE", hp_command_sign},
	{"verify-signature", "kKx", "FILE", hp_command_verify_signature},
	{"seal", "TloednSfC", "FILE", hp_command_seal},
	{"check", "Td", "FILE", hp_command_check},
	{"assess", "d", "FILE", hp_command_assess},
	{"log", "vF", NULL, hp_command_log},
	{"metrics", "o", NULL, hp_command_metrics},
	{"help", "", NULL, hp_command_help},
	{"version", "", NULL, hp_command_version},
};

static bool is_global(int letter)
{
	return strchr((const char[]){SOCKET, PID, PROGRAM, UNIT, ALL, JSON,
				     HELP, VERSION, '\0'},
		      letter) != NULL;
}

/* Names of the options that are global, or that a command accepts. */
static json_t *report_options(const char *accepts)
{
	const struct option *option = long_options;
	json_t *list = json_array();

	for (; option->name; option++)
		if (accepts ? strchr(accepts, option->val) != NULL :
			      is_global(option->val))
			json_array_append_new(list, json_string(option->name));
	return list;
}

json_t *hp_options_report(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o}", "name", commands[i].name,
				  "operand",
				  commands[i].operand ? commands[i].operand :
							"",
				  "options",
				  report_options(commands[i].accepts)));
	return json_pack("{s:o, s:o}", "commands", list, "options",
			 report_options(NULL));
}

static const struct hp_command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static const char *option_name(int letter)
{
	const struct option *option = long_options;

	while (option->name && option->val != letter)
		option++;
	return option->name ? option->name : "";
}

/* Those whose value is any text; NULL for other options. */
static const char **text_place(int letter, struct hp_options *options)
{
	switch (letter) {
	case SOCKET:
		return &options->socket;
	case PROGRAM:
		return &options->program;
	case UNIT:
		return &options->unit;
	case KEY:
	case SIGN:
		return &options->key;
	case KEYS:
		return &options->keys;
	case PASSWORD_FILE:
		return &options->password_path;
	case COMMENT:
		return &options->comment;
	case SIGNATURE:
		return &options->signature;
	case VERIFY:
		return &options->verify;
	case DIRECTORY:
		return &options->directory;
	default:
		return NULL;
	}
}

static enum hotpatch_status add_value(struct hp_list *list, const char *text,
				      struct hotpatch_error *err)
{
	if (list->count == HP_LIST_LIMIT)
		return hp_usage_error(err, text, "is one too many of its kind");
	list->items[list->count++] = text;
	return HOTPATCH_OK;
}

/* What a probation is about. */
static enum hotpatch_status read_health_value(int letter, const char *text,
					      struct hp_options *options,
					      struct hotpatch_error *err)
{
	switch (letter) {
	case HEALTH_ERRORS:
		return hp_value_number(text, 10000, &options->health_errors,
				       err);
	case HEALTH_LATENCY:
		return hp_value_number(text, MOST_PERCENT,
				       &options->health_latency, err);
	case HEALTH_TAIL:
		return hp_value_number(text, MOST_PERCENT,
				       &options->health_tail, err);
	default:
		return hp_value_seconds(text, &options->probation_ms, err);
	}
}

/* Options of the commands that look at files. */
static enum hotpatch_status read_file_value(int letter, const char *text,
					    struct hp_options *options,
					    struct hotpatch_error *err)
{
	switch (letter) {
	case TARGET:
		return add_value(&options->targets, text, err);
	case ALLOW:
		return add_value(&options->allows, text, err);
	case OUTPUT:
		options->output = text;
		return HOTPATCH_OK;
	case EXPLAIN:
		options->explain = text;
		return HOTPATCH_OK;
	case DEBUG_DIR:
		options->debug_directory = text;
		return HOTPATCH_OK;
	default:
		return hp_usage_error(err, "", "An option is not known");
	}
}

static enum hotpatch_status read_value(int letter, const char *text,
				       struct hp_options *options,
				       struct hotpatch_error *err)
{
	static const char *const policies[] = {"reverse", "wait", "force",
					       NULL};
	static const char *const goals[] = {"active",  "drained", "unmapped",
					    "healthy", "none",	  NULL};
	const char **place = text_place(letter, options);

	if (place) {
		*place = text;
		return HOTPATCH_OK;
	}
	switch (letter) {
	case PID:
		return hp_value_pid(text, &options->pid, err);
	case TIMEOUT:
		return hp_value_seconds(text, &options->timeout_ms, err);
	case RENDEZVOUS:
		return hp_value_seconds(text, &options->rendezvous_ms, err);
	case PROBATION:
	case HEALTH_ERRORS:
	case HEALTH_LATENCY:
	case HEALTH_TAIL:
		return read_health_value(letter, text, options, err);
	case CANARY:
		return hp_value_share(text, options, err);
	case CANARY_KEY:
		return hp_value_key(text, options, err);
	case POLICY:
		return hp_value_choice(text, policies, &options->policy, err);
	case WAIT:
	case GOAL:
		return hp_value_choice(text, goals, &options->goal, err);
	default:
		return read_file_value(letter, text, options, err);
	}
}

static bool set_flag(int letter, struct hp_options *options)
{
	switch (letter) {
	case JSON:
		return options->json = true;
	case ADOPT:
		return options->adopt_sleepers = true;
	case CONSTRUCTORS:
		return options->allow_constructors = true;
	case DRY_RUN:
		return options->dry_run = true;
	case ALL:
		return options->all = true;
	case ALL_PATCHES:
		return options->all_patches = true;
	case ROLLBACK:
		return options->rollback = true;
	case NO_PASSWORD:
		return options->no_password = true;
	case FOLLOW:
		return options->follow = true;
	case NOW:
		return options->now = true;
	case KEEP:
		return options->keep = true;
	case FORGIVE:
		return options->forgive = true;
	case EXACT:
		return options->exact = true;
	case HELP:
		options->command = find_command("help");
		return true;
	case VERSION:
		options->command = find_command("version");
		return true;
	default:
		return false;
	}
}

static bool is_command(const struct hp_options *options, const char *name)
{
	return !strcmp(options->command->name, name);
}

/* Of apply: what is not waited for cannot be verified, and what nobody watches
 * has no limits. */
static enum hotpatch_status judge_health(const struct hp_options *options,
					 struct hotpatch_error *err)
{
	bool limits = options->health_errors || options->health_latency ||
		      options->health_tail;

	if (!is_command(options, "apply"))
		return HOTPATCH_OK;
	if (limits && !options->probation_ms)
		return hp_usage_error(err, "apply",
				      "needs a --probation for its --health "
				      "limits");
	if (options->verify && options->goal &&
	    strcmp(options->goal, "healthy") != 0)
		return hp_usage_error(err, "apply",
				      "cannot --verify without waiting for a "
				      "healthy patch");
	return HOTPATCH_OK;
}

static enum hotpatch_status judge_goal(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	const char *goal = options->goal ? options->goal : "drained";

	if (is_command(options, "canary") && !strcmp(goal, "unmapped"))
		return hp_usage_error(
			err, "canary",
			"cannot wait for the patch to be unmapped");
	if (is_command(options, "apply") && options->canary && options->keep)
		return hp_usage_error(
			err, "apply",
			"cannot --keep what --canary shows to some: record it "
			"with enable once it has come to all");
	if (is_command(options, "apply") && options->canary && options->verify)
		return hp_usage_error(
			err, "apply",
			"cannot --verify what --canary shows to some: ask by "
			"other means, and end it with canary or revert");
	if (is_command(options, "apply") && !strcmp(goal, "unmapped"))
		return hp_usage_error(
			err, "apply",
			"cannot wait for the patch to be unmapped");
	if (is_command(options, "revert") &&
	    (!strcmp(goal, "active") || !strcmp(goal, "healthy")))
		return hp_usage_error(err, "revert",
				      "cannot wait for the patch to be active");
	if (is_command(options, "wait") && !strcmp(goal, "none"))
		return hp_usage_error(err, "wait", "needs a goal");
	return judge_health(options, err);
}

/* @used holds the letters of the options that are not global. */
static enum hotpatch_status judge_options(const struct hp_options *options,
					  const char *used,
					  struct hotpatch_error *err)
{
	const struct hp_command *command = options->command;

	if (!!options->socket + !!options->pid + !!options->program +
		    !!options->unit + options->all >
	    1)
		return hp_usage_error(err, "",
				      "Give one of --socket, --pid, --program, "
				      "--unit and --all");
	for (; *used; used++) {
		if (!strchr(command->accepts, *used))
			return hp_error(err, HOTPATCH_E_USAGE, 0, command->name,
					"%s takes no --%s; see hotpatch "
					"--help.",
					command->name, option_name(*used));
	}
	return judge_goal(options, err);
}

/* "revert --all" and "disable --all" mean every patch, of one process: to
 * revert something in every process has to be said in full. */
static void read_all(struct hp_options *options, const char *operand)
{
	if ((!is_command(options, "revert") &&
	     !is_command(options, "disable")) ||
	    operand || !options->all || options->all_patches)
		return;
	options->all = false;
	options->all_patches = true;
}

/* What the command canary takes besides the name. */
static enum hotpatch_status read_whom(const char *text,
				      struct hp_options *options,
				      struct hotpatch_error *err)
{
	if (text && strcmp(text, "all") != 0)
		return hp_value_share(text, options, err);
	if (text && !options->canary_key_count)
		return HOTPATCH_OK;
	return hp_usage_error(err, "canary",
			      text ? "for all has no keys" :
				     "needs a share, such as 5%, or all");
}

static enum hotpatch_status read_operands(char **operands,
					  struct hp_options *options,
					  struct hotpatch_error *err)
{
	const struct hp_command *command = options->command;
	enum hotpatch_status status;

	/* --help and --version take the place of any command. */
	if (command)
		return HOTPATCH_OK;
	if (!*operands)
		return hp_usage_error(err, "", "No command was given");
	command = find_command(*operands);
	if (!command)
		return hp_usage_error(err, *operands, "is no command");
	options->command = command;
	operands++;
	read_all(options, *operands);
	if (command->operand && !options->all_patches)
		options->operand = *operands ? *operands++ : NULL;
	if (command->operand && !options->all_patches && !options->operand)
		return hp_error(err, HOTPATCH_E_USAGE, 0, command->name,
				"%s needs a %s; see hotpatch --help.",
				command->name, command->operand);
	if (is_command(options, "canary") &&
	    (status = read_whom(*operands++, options, err)))
		return status;
	if (*operands)
		return hp_usage_error(err, *operands,
				      "is one operand too many");
	return HOTPATCH_OK;
}

/* Remembers in @used that an option was given which not all commands take. */
static void note_use(int letter, char *used)
{
	size_t length = strlen(used);

	if (is_global(letter) || strchr(used, letter))
		return;
	used[length] = (char)letter;
	used[length + 1] = '\0';
}

static enum hotpatch_status read_option(int letter, const char *text,
					struct hp_options *options,
					struct hotpatch_error *err)
{
	if (letter == '?')
		return hp_usage_error(err, text, "is not understood");
	if (letter == ':')
		return hp_usage_error(err, text, "needs a value");
	if (set_flag(letter, options))
		return HOTPATCH_OK;
	return read_value(letter, optarg, options, err);
}

enum hotpatch_status hp_options_parse(int argc, char **argv,
				      struct hp_options *options,
				      struct hotpatch_error *err)
{
	char used[sizeof(long_options) / sizeof(*long_options)] = "";
	enum hotpatch_status first = HOTPATCH_OK;
	enum hotpatch_status status;
	int letter;

	*options = (struct hp_options){
		.timeout_ms = DEFAULT_TIMEOUT_MS,
		.policy = "reverse",
	};
	opterr = 0;
	/* All are read even after a fault: --json decides how it is told. */
	while ((letter = getopt_long(argc, argv, ":hV", long_options, NULL)) !=
	       -1) {
		status = read_option(letter, argv[optind - 1], options,
				     first ? NULL : err);
		first = first ? first : status;
		if (letter != '?' && letter != ':')
			note_use(letter, used);
	}
	if (!first)
		first = read_operands(argv + optind, options, err);
	if (!first)
		first = judge_options(options, used, err);
	return first;
}
