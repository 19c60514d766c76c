/* SPDX-License-Identifier: MIT */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("control-version", 1);

HOTPATCH_REPLACE(int, control_version, (void))
{
	return 1;
}
