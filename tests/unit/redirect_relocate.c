/* SPDX-License-Identifier: MIT */
/*
 * Moved instructions, run: what was moved and the rest of its function together
 * do what the function does.
 */
#include "../../lib/redirect/decode.h"
#include "../redirect_shapes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW 32 /* bytes of a function that are looked at */
#define AREA 4096
#define FAR ((uintptr_t)1 << 40)

static unsigned char *area;

/* Near this program, so that 32 bits reach from there to here. */
static void setup(void)
{
	uintptr_t hint = ((uintptr_t)shape_push_one & ~(uintptr_t)(AREA - 1)) -
			 ((uintptr_t)64 << 20);

	area = mmap((void *)hint, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, MAP_FAILED);
}

static void teardown(void)
{
	munmap(area, AREA);
}

static void check_runs(const struct shape *shape, size_t count)
{
	struct hp_relocated relocated;
	int (*moved)(int x) = NULL;
	int x;

	ck_assert_msg(hp_relocate((const unsigned char *)shape->function,
				  WINDOW, (uintptr_t)shape->function,
				  (uintptr_t)area, count, &relocated),
		      "%s", shape->name);
	ck_assert_uint_le(relocated.size, sizeof(relocated.bytes));
	ck_assert_int_eq(mprotect(area, AREA, PROT_READ | PROT_WRITE), 0);
	memcpy(area, relocated.bytes, relocated.size);
	ck_assert_int_eq(mprotect(area, AREA, PROT_READ | PROT_EXEC), 0);
	memcpy(&moved, &area, sizeof(moved));
	for (x = -3; x < 100; x++)
		ck_assert_msg(moved(x) == shape->function(x), "%s(%d)",
			      shape->name, x);
}

START_TEST(a_moved_first_instruction_does_what_it_did)
{
	check_runs(&shapes[_i], 1);
}
END_TEST

START_TEST(two_moved_instructions_do_what_they_did)
{
	struct hp_head head;

	ck_assert(hp_decode_head((const unsigned char *)shapes[_i].function,
				 WINDOW, &head));
	if (head.length < 5 && head.next_length)
		check_runs(&shapes[_i], 2);
}
END_TEST

START_TEST(what_is_out_of_reach_is_refused)
{
	struct hp_relocated relocated;

	ck_assert(!hp_relocate((const unsigned char *)shape_load_six, WINDOW,
			       (uintptr_t)shape_load_six,
			       (uintptr_t)shape_load_six + FAR, 1, &relocated));
}
END_TEST

START_TEST(a_push_is_told_to_the_unwinder)
{
	struct hp_relocated relocated;

	ck_assert(hp_relocate((const unsigned char *)shape_push_one, WINDOW,
			      (uintptr_t)shape_push_one, (uintptr_t)area, 1,
			      &relocated));
	ck_assert(relocated.moved[0].known_stack);
	ck_assert_int_eq(relocated.moved[0].stack_depth, 8);
	ck_assert_int_eq(relocated.moved[0].saved, 3); /* rbx */
	ck_assert(hp_relocate((const unsigned char *)shape_sub_four, WINDOW,
			      (uintptr_t)shape_sub_four, (uintptr_t)area, 1,
			      &relocated));
	ck_assert_int_eq(relocated.moved[0].stack_depth, 24);
	ck_assert_int_eq(relocated.moved[0].saved, -1);
}
END_TEST

START_TEST(an_unknown_change_of_the_stack_pointer_is_not_described)
{
	/* mov %rbx, %rsp; ret */
	static const unsigned char bytes[16] = {0x48, 0x89, 0xdc, 0xc3};
	struct hp_relocated relocated;

	ck_assert(hp_relocate(bytes, sizeof(bytes), (uintptr_t)bytes,
			      (uintptr_t)bytes + AREA, 1, &relocated));
	ck_assert(!relocated.moved[0].known_stack);
}
END_TEST

START_TEST(what_is_no_instruction_is_not_decoded)
{
	static const unsigned char bad[16] = {0x06};
	struct hp_instruction instruction;
	struct hp_head head;

	ck_assert(!hp_decode(bad, sizeof(bad), 0, &instruction));
	ck_assert(!hp_decode_head(bad, sizeof(bad), &head));
	ck_assert(!hp_decode((const unsigned char *)"\xe8\1\2", 3, 0,
			     &instruction));
}
END_TEST

START_TEST(instructions_of_cut_or_transactional_distance_stay)
{
	/* jecxz; lea 0(%eip), %eax; xbegin */
	static const unsigned char bytes[3][16] = {
		{0x67, 0xe3, 0x10},
		{0x67, 0x8d, 0x05, 0, 0, 0, 0},
		{0xc7, 0xf8, 0, 0, 0, 0},
	};
	struct hp_head head;

	ck_assert(hp_decode_head(bytes[_i], sizeof(bytes[_i]), &head));
	ck_assert(!head.movable);
}
END_TEST

START_TEST(branches_are_recognised_with_their_targets)
{
	static const struct {
		unsigned char bytes[8];
		enum hp_flow flow;
		uint64_t target;
	} cases[] = {
		{{0xeb, 0x10}, HP_FLOW_JUMP, 0x1012},
		{{0xe9, 0xfb, 0xff, 0xff, 0xff}, HP_FLOW_JUMP, 0x1000},
		{{0x74, 0xfe}, HP_FLOW_BRANCH, 0x1000},
		{{0x0f, 0x85, 0, 1, 0, 0}, HP_FLOW_BRANCH, 0x1106},
		{{0xe2, 0x05}, HP_FLOW_BRANCH, 0x1007},
		{{0xe8, 0, 0, 0, 0}, HP_FLOW_CALL, 0x1005},
		{{0xff, 0xe0}, HP_FLOW_INDIRECT, 0},
		{{0xc3}, HP_FLOW_END, 0},
		{{0x0f, 0x0b}, HP_FLOW_END, 0},
		{{0x90}, HP_FLOW_PLAIN, 0},
	};
	struct hp_instruction instruction;

	ck_assert(hp_decode(cases[_i].bytes, sizeof(cases[_i].bytes), 0x1000,
			    &instruction));
	ck_assert_int_eq(instruction.flow, cases[_i].flow);
	if (cases[_i].target)
		ck_assert_uint_eq(instruction.target, cases[_i].target);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redirect_relocate");
	TCase *tcase = tcase_create("redirect_relocate");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_moved_first_instruction_does_what_it_did,
			    0, SHAPE_COUNT);
	tcase_add_loop_test(tcase, two_moved_instructions_do_what_they_did, 0,
			    SHAPE_COUNT);
	tcase_add_test(tcase, what_is_out_of_reach_is_refused);
	tcase_add_test(tcase, a_push_is_told_to_the_unwinder);
	tcase_add_test(tcase,
		       an_unknown_change_of_the_stack_pointer_is_not_described);
	tcase_add_test(tcase, what_is_no_instruction_is_not_decoded);
	tcase_add_loop_test(tcase,
			    instructions_of_cut_or_transactional_distance_stay,
			    0, 3);
	tcase_add_loop_test(tcase, branches_are_recognised_with_their_targets,
			    0, 10);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
