/* SPDX-License-Identifier: MIT */
/*
 * Wants what nobody exports.
 */
#include "../../integration/imports/imports.h"

#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("missing", 1);

HOTPATCH_IMPORT(int, no_such_variable);

HOTPATCH_REPLACE(long, reach, (enum what what))
{
	return what + HOTPATCH_IMPORTED(no_such_variable);
}
