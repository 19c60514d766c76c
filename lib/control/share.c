/* SPDX-License-Identifier: MIT */
#include "share.h"

#include "../status.h"
#include "wire.h"

static enum hotpatch_status refuse_keys(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "keys",
			"The keys are not a list of at most %u integers.",
			HOTPATCH_CANARY_KEYS);
}

/* JSON has no integers above the signed ones: keys are the same 64 bits. */
static enum hotpatch_status read_keys(const json_t *keys,
				      struct hp_share *share,
				      struct hotpatch_error *err)
{
	const json_t *key;
	size_t i;

	if (!json_is_array(keys) ||
	    json_array_size(keys) > HOTPATCH_CANARY_KEYS)
		return refuse_keys(err);
	for (i = 0; i < json_array_size(keys); i++) {
		key = json_array_get(keys, i);
		if (!json_is_integer(key))
			return refuse_keys(err);
		share->keys[i] = (uint64_t)json_integer_value(key);
	}
	share->canary.key_count = i;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_share_read(const json_t *object, struct hp_share *share,
				   struct hotpatch_error *err)
{
	const json_t *keys = json_object_get(object, "keys");
	json_int_t number = 0;
	enum hotpatch_status status;

	*share = (struct hp_share){.canary.size = sizeof(share->canary)};
	share->canary.keys = share->keys;
	if (!json_is_object(object))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "canary",
				"The canary is no object.");
	status = hp_params_number(object, "share", 0, HOTPATCH_CANARY_WHOLE,
				  &number, err);
	share->canary.share = (unsigned int)number;
	if (!status && keys)
		status = read_keys(keys, share, err);
	return status;
}
