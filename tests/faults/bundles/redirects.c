/* SPDX-License-Identifier: MIT */
/*
 * The functions of picture.h give 100 more; what the host prepared answers 5.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("redirects", 5);

HOTPATCH_REPLACE(int, first_version, (void))
{
	return 5;
}

HOTPATCH_REPLACE(int, second_version, (void))
{
	return 5;
}

HOTPATCH_REDIRECT(int, shape_push_one, (int x))
{
	return HOTPATCH_ORIGINAL(shape_push_one)(x) + 100;
}

HOTPATCH_REDIRECT(int, shape_move_five, (int x))
{
	return HOTPATCH_ORIGINAL(shape_move_five)(x) + 100;
}

HOTPATCH_REDIRECT(int, shape_pair_two, (int x))
{
	return HOTPATCH_ORIGINAL(shape_pair_two)(x) + 100;
}

HOTPATCH_REDIRECT(int, shape_landing, (int x))
{
	return HOTPATCH_ORIGINAL(shape_landing)(x) + 100;
}

HOTPATCH_REDIRECT(int, shape_nops, (int x))
{
	return HOTPATCH_ORIGINAL(shape_nops)(x) + 100;
}

HOTPATCH_REDIRECT_IN("plugin.so", int, plugin_plain, (int x))
{
	return HOTPATCH_ORIGINAL(plugin_plain)(x) + 100;
}

HOTPATCH_REDIRECT_IN("plugin.so", int, plugin_chosen, (int x))
{
	return HOTPATCH_ORIGINAL(plugin_chosen)(x) + 100;
}
