/* SPDX-License-Identifier: MIT */
/*
 * Which moves between the states of a patch are legal, written out here once
 * more, so that a slip in the library's own table shows.
 */
#include "../../lib/patch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define STATES 9

/* Row: from; column: to; in the order of enum hotpatch_state. */
static const char *const legal[STATES] = {
	/*                LSAarRCTF */
	/* loaded    */ ".S....CTF",
	/* staged    */ "..A.....F",
	/* applying  */ "...ar....",
	/* active    */ "....r....",
	/* reverting */ "..A..R...",
	/* reverted  */ "......CT.",
	/* closed    */ ".........",
	/* retained  */ "......C..",
	/* failed    */ "......CT.",
};

static const enum hotpatch_state states[STATES] = {
	HOTPATCH_LOADED, HOTPATCH_STAGED,    HOTPATCH_APPLYING,
	HOTPATCH_ACTIVE, HOTPATCH_REVERTING, HOTPATCH_REVERTED,
	HOTPATCH_CLOSED, HOTPATCH_RETAINED,  HOTPATCH_FAILED,
};

START_TEST(table_allows_exactly_the_legal_moves)
{
	size_t from = (size_t)_i / STATES;
	size_t to = (size_t)_i % STATES;

	ck_assert_msg(hp_state_may_move(states[from], states[to]) ==
			      (legal[from][to] != '.'),
		      "from %s to %s", hotpatch_state_name(states[from]),
		      hotpatch_state_name(states[to]));
}
END_TEST

START_TEST(refused_move_leaves_the_patch_where_it_was)
{
	size_t from = (size_t)_i / STATES;
	size_t to = (size_t)_i % STATES;
	bool allowed = legal[from][to] != '.';
	struct hotpatch_patch patch = {.state = states[from]};

	ck_assert_int_eq(hp_patch_move(&patch, states[to]), allowed);
	ck_assert_int_eq(patch.state, allowed ? states[to] : states[from]);
}
END_TEST

START_TEST(value_that_is_no_state_may_not_move)
{
	const enum hotpatch_state no_state = (enum hotpatch_state)STATES;

	ck_assert(!hp_state_may_move(no_state, HOTPATCH_CLOSED));
	ck_assert(!hp_state_may_move(HOTPATCH_LOADED, no_state));
	ck_assert_str_eq(hotpatch_state_name(no_state), "unknown");
}
END_TEST

START_TEST(every_state_has_a_name_of_its_own)
{
	int i;

	for (i = 0; i < STATES; i++)
		ck_assert(i == _i ||
			  strcmp(hotpatch_state_name(states[i]),
				 hotpatch_state_name(states[_i])) != 0);
	ck_assert_str_ne(hotpatch_state_name(states[_i]), "unknown");
}
END_TEST

/* A patch can be given up for good from every state that it can be in. */
START_TEST(every_state_leads_to_closed)
{
	unsigned int reached = 1u << _i;
	int round;
	int from;
	int to;

	for (round = 0; round < STATES; round++)
		for (from = 0; from < STATES; from++)
			for (to = 0; to < STATES; to++)
				if ((reached & (1u << from)) &&
				    hp_state_may_move(states[from], states[to]))
					reached |= 1u << to;
	ck_assert(reached & (1u << HOTPATCH_CLOSED));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("states");
	TCase *all = tcase_create("states");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, table_allows_exactly_the_legal_moves, 0,
			    STATES * STATES);
	tcase_add_loop_test(all, refused_move_leaves_the_patch_where_it_was, 0,
			    STATES * STATES);
	tcase_add_test(all, value_that_is_no_state_may_not_move);
	tcase_add_loop_test(all, every_state_has_a_name_of_its_own, 0, STATES);
	tcase_add_loop_test(all, every_state_leads_to_closed, 0, STATES);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
