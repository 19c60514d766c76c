/* SPDX-License-Identifier: MIT */
/*
 * Whom a canary takes, as the protocol has it: {"share":500,"keys":[7]}.
 */
#ifndef HP_CONTROL_SHARE_H
#define HP_CONTROL_SHARE_H

#include <hotpatch/patch.h>
#include <jansson.h>

/* @canary's keys are @keys. */
struct hp_share {
	struct hotpatch_canary canary;
	uint64_t keys[HOTPATCH_CANARY_KEYS];
};

/* E_ARGUMENT; a member that is missing stands for 0 or none. */
enum hotpatch_status hp_share_read(const json_t *object, struct hp_share *share,
				   struct hotpatch_error *err);

#endif
