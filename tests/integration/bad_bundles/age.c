/* SPDX-License-Identifier: MIT */
/*
 * Rows that are older than what was accepted: a good bundle of sequence 5 was.
 */
#include "table.h"

#ifdef HOTPATCH_TEST_SIGNATURES

static void set_sequence(uint64_t sequence)
{
	struct hotpatch_note_bundle *head =
		elf_description(&world.elf, HOTPATCH_NOTE_BUNDLE, 0);

	head->sequence = sequence;
}

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
