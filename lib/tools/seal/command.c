/* SPDX-License-Identifier: MIT */
/*
 * The command seal: compares a bundle with the builds it is for, and either
 * says everything that is in the way or completes the bundle's notes.
 */
#include "seal.h"

#include "../../status.h"
#include "../sign.h"

#include <stdlib.h>
#include <string.h>

/* "REASON:NAME" */
static enum hotpatch_status read_allowance(const char *text,
					   struct hp_allowance *allowance,
					   struct hotpatch_error *err)
{
	const char *colon = strchr(text, ':');

	allowance->text = text;
	if (!colon || !colon[1] ||
	    !hp_reason_read(text, (size_t)(colon - text), &allowance->reason))
		return hp_error(err, HOTPATCH_E_USAGE, 0, text,
				"%s is not REASON:NAME as a refusal spells it; "
				"see hotpatch --help.",
				text);
	allowance->object = colon + 1;
	return HOTPATCH_OK;
}

static enum hotpatch_status read_allowances(const struct hp_options *options,
					    struct hp_problems *problems,
					    struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	problems->allowances = calloc(options->allows.count + 1,
				      sizeof(*problems->allowances));
	if (!problems->allowances)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "--allow",
				"no memory to seal");
	for (i = 0; i < options->allows.count && !status; i++)
		status = read_allowance(options->allows.items[i],
					&problems->allowances[i], err);
	problems->allowance_count = i;
	return status;
}

static json_t *report(const struct hp_seal *seal,
		      const struct hp_options *options, bool sealed)
{
	json_t *object = json_pack("{s:b, s:o, s:o}", "sealed", sealed, "name",
				   hp_wire_text(seal->manifest.name),
				   "problems",
				   hp_problems_report(&seal->problems));
	json_t *builds = json_array();
	size_t i;

	for (i = 0; i < seal->target_count; i++)
		json_array_append_new(
			builds,
			json_pack("{s:o, s:s, s:o}", "module",
				  hp_wire_text(seal->targets[i].module),
				  "build_id", seal->targets[i].build_id, "path",
				  hp_wire_text(seal->targets[i].path)));
	json_object_set_new(object, "targets", builds);
	if (seal->key_id[0])
		json_object_set_new(object, "key_id",
				    json_string(seal->key_id));
	if (options->explain)
		json_object_set_new(object, "explanation",
				    hp_problems_explain(&seal->problems,
							options->explain));
	return object;
}

static void print(const struct hp_seal *seal, const struct hp_options *options,
		  bool sealed)
{
	const char *output = options->output ? options->output : seal->path;

	if (options->explain)
		hp_problems_print_explanation(&seal->problems,
					      options->explain);
	else
		hp_problems_print(&seal->problems);
	if (sealed)
		hp_print("%s is sealed for %zu build%s%s%s\n",
			 seal->manifest.name, seal->target_count,
			 seal->target_count == 1 ? "" : "s",
			 options->dry_run ? "; nothing was written" : " in ",
			 options->dry_run ? "" : output);
	if (seal->key_id[0])
		hp_print("%s is signed by the key %s\n", output, seal->key_id);
}

static enum hotpatch_status refuse(const struct hp_seal *seal,
				   struct hotpatch_error *err)
{
	const struct hp_problem *problem = seal->problems.items.items;
	size_t count = hp_problems_refusing(&seal->problems);

	while (problem->allowed || !hp_reason_refuses(problem->reason))
		problem++;
	if (count == 1)
		return hp_error(err, HOTPATCH_E_SEAL, 0, problem->object, "%s",
				problem->sentence);
	return hp_error(err, HOTPATCH_E_SEAL, 0, problem->object,
			"%s cannot be sealed for %zu reasons, of which the "
			"first is: %s",
			seal->manifest.name, count, problem->sentence);
}

static enum hotpatch_status check_used(const struct hp_seal *seal,
				       struct hotpatch_error *err)
{
	const struct hp_allowance *allowance = seal->problems.allowances;
	size_t i;

	for (i = 0; i < seal->problems.allowance_count; i++)
		if (!allowance[i].used)
			return hp_error(err, HOTPATCH_E_USAGE, 0,
					allowance[i].text,
					"--allow %s allows nothing that was "
					"found; see hotpatch --help.",
					allowance[i].text);
	return HOTPATCH_OK;
}

/* A file that could not be signed stays sealed: signing it again is enough. */
static enum hotpatch_status write_out(struct hp_seal *seal,
				      const struct hp_options *options,
				      struct hotpatch_error *err)
{
	const struct hp_sign_options signing = {
		.key = options->key,
		.password_path = options->password_path,
		.comment = options->comment,
	};
	const char *output = options->output ? options->output :
					       options->operand;
	enum hotpatch_status status = hp_seal_write(seal, output, err);

	if (status == HOTPATCH_OK && options->key)
		status = hp_sign_file(output, &signing, seal->key_id, err);
	return status;
}

/* The result is shown also when it is a refusal: all of it, at once. */
static enum hotpatch_status run(struct hp_seal *seal,
				const struct hp_options *options,
				struct hotpatch_error *err)
{
	enum hotpatch_status status;
	bool sealed;

	status = read_allowances(options, &seal->problems, err);
	if (!status)
		status = hp_seal_open(seal, options->operand,
				      options->targets.items,
				      options->targets.count, err);
	if (!status)
		status = hp_seal_analyse(seal, err);
	if (!status)
		status = check_used(seal, err);
	if (status)
		return status;
	sealed = !hp_problems_refusing(&seal->problems);
	if (sealed && !options->dry_run)
		status = write_out(seal, options, err);
	if (status)
		return status;
	status = sealed ? HOTPATCH_OK : refuse(seal, err);
	if (options->json)
		hp_print_json(hp_json_outcome(report(seal, options, sealed),
					      status, err));
	else
		print(seal, options, sealed);
	return status;
}

enum hotpatch_status hp_command_seal(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	struct hp_seal seal = {.debug_directory = options->debug_directory};
	enum hotpatch_status status;
	struct hp_allowance *allowances;

	if (!options->targets.count)
		return hp_error(err, HOTPATCH_E_USAGE, 0, "seal",
				"seal needs a --target; see hotpatch --help.");
	status = run(&seal, options, err);
	allowances = seal.problems.allowances;
	hp_seal_close(&seal);
	free(allowances);
	return status;
}
