/* SPDX-License-Identifier: MIT */
/*
 * The commands of keys and signatures in a build without libsodium.
 */
#include "../status.h"
#include "sign.h"
#include "tool.h"

static enum hotpatch_status unsupported(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "libsodium",
			"This hotpatch was built without signatures.");
}

enum hotpatch_status hp_sign_file(const char *path,
				  const struct hp_sign_options *options,
				  char key_id[HOTPATCH_KEY_ID_SIZE],
				  struct hotpatch_error *err)
{
	(void)path;
	(void)options;
	key_id[0] = '\0';
	return unsupported(err);
}

enum hotpatch_status hp_command_keygen(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	(void)options;
	return unsupported(err);
}

enum hotpatch_status hp_command_sign(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	(void)options;
	return unsupported(err);
}

enum hotpatch_status
hp_command_verify_signature(const struct hp_options *options,
			    struct hotpatch_error *err)
{
	(void)options;
	return unsupported(err);
}
