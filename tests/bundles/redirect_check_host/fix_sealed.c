/* SPDX-License-Identifier: MIT */
/*
 * Redirects a static function, whose bytes are known from the seal.
 */
#include <hotpatch/bundle.h>

HOTPATCH_BUNDLE("fix", 1);

HOTPATCH_REDIRECT_STATIC("redirect_check_host.c", int, hidden, (int x))
{
	return HOTPATCH_ORIGINAL(hidden)(x) + 100;
}
