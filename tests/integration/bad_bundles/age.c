/* SPDX-License-Identifier: MIT */
/*
 * Rows that are older than what was accepted: a good bundle of sequence 5 was.
 */
#include "table.h"

#ifdef HOTPATCH_TEST_SIGNATURES

static void one_older(void)
{
	set_sequence(4);
}

static void oldest(void)
{
	set_sequence(0);
}

static const struct bad_bundle rows[] = {
	{.promise = "bundle_that_is_played_back",
	 .expected = HOTPATCH_E_REPLAYED,
	 .word = "sequence 4",
	 .spoil = one_older},
	{.promise = "bundle_without_a_sequence",
	 .expected = HOTPATCH_E_REPLAYED,
	 .word = "sequence 0",
	 .spoil = oldest},
	{.promise = "rollback_to_what_was_never_accepted",
	 .expected = HOTPATCH_E_NOT_RECORDED,
	 .word = "never accepted",
	 .spoil = one_older,
	 .rollback = true},
};

BAD_GROUP(age_rows, rows);

#endif
