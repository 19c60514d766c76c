/* SPDX-License-Identifier: MIT */
/*
 * A bundle that installs the state "layout" unless it is there, and hands the
 * host's pointer on with it. The including file defines NAME, SEQUENCE,
 * VERSION and NUMBER.
 */
#include <hotpatch/bundle.h>

extern void *install_layout(void);
extern void restore_layout(void *data);
extern unsigned int found_installed;
extern void *found_data;
extern const char *refusal;

HOTPATCH_BUNDLE(NAME, SEQUENCE);
HOTPATCH_STATE("layout", VERSION);

HOTPATCH_PREPARE(context)
{
	struct hotpatch_context_state *state =
		hotpatch_context_find_state(context, "layout");

	found_installed = state->installed;
	found_data = state->data;
	if (refusal)
		hotpatch_refuse(context, refusal);
	else if (!state->installed)
		state->data = install_layout();
}

HOTPATCH_AFTER_REVERT(context)
{
	found_installed =
		hotpatch_context_find_state(context, "layout")->installed;
}

HOTPATCH_CLEAN_UP("layout", context)
{
	restore_layout(hotpatch_context_find_state(context, "layout")->data);
}

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + NUMBER;
}
