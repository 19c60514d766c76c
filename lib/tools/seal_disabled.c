/* SPDX-License-Identifier: MIT */
/*
 * Stands in for seal/ where the command is built without HOTPATCH_SEAL.
 */
#include "tool.h"

#include "../status.h"

static enum hotpatch_status unsupported(const struct hp_options *options,
					struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, options->command->name,
			"This hotpatch was built without %s (HOTPATCH_SEAL).",
			options->command->name);
}

enum hotpatch_status hp_command_seal(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	return unsupported(options, err);
}

enum hotpatch_status hp_command_check(const struct hp_options *options,
				      struct hotpatch_error *err)
{
	return unsupported(options, err);
}

enum hotpatch_status hp_command_assess(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	return unsupported(options, err);
}
