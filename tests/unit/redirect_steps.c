/* SPDX-License-Identifier: MIT */
/*
 * A thread may be at any instruction when a function's bytes change, and go on
 * from there years later. Each function of every shape is interrupted before
 * each of its instructions in turn, and before each that it then goes through;
 * meanwhile it is redirected, or gets its bytes back.
 */
#include "../redirect_shapes.h"
#include "../single_step.h"

#include <check.h>
#include <execinfo.h>
#include <hotpatch/redirect.h>
#include <stdlib.h>

#ifdef HAVE_SINGLE_STEP

#define STEP_LIMIT 200

static struct hotpatch_function_name name;
static enum hotpatch_status answer;

static void redirect(void)
{
	answer = hotpatch_redirect(&name, 1, NULL);
}

static void release(void)
{
	answer = hotpatch_redirect_release(&name, 1, NULL);
}

static void release_and_redirect(void)
{
	release();
	if (answer == HOTPATCH_OK)
		redirect();
}

/* One call, with @work before its instruction @at; false if it is shorter. */
static bool call_interrupted(const struct shape *shape, void (*work)(void),
			     unsigned long at)
{
	int (*volatile function)(int x) = shape->function;
	int result;

	answer = HOTPATCH_OK;
	step_prepare(work, at);
	step_on();
	result = function(41);
	step_off();
	ck_assert_msg(result == 42, "%s gave %d after %lu instructions",
		      shape->name, result, at);
	ck_assert_msg(answer == HOTPATCH_OK, "%s: %s", shape->name,
		      hotpatch_status_name(answer));
	return step_was_reached();
}

/* @before: what the function is made to be first. */
static void try_each(const struct shape *shape, void (*before)(void),
		     void (*work)(void))
{
	unsigned long at = 0;
	bool reached;

	do {
		at++;
		before();
		ck_assert_int_eq(answer, HOTPATCH_OK);
		reached = call_interrupted(shape, work, at);
		ck_assert_uint_lt(at, STEP_LIMIT);
	} while (reached);
	ck_assert_uint_gt(at, 4);
}

START_TEST(whoever_is_inside_goes_on_when_it_is_redirected)
{
	name.name = shapes[_i].name;
	try_each(&shapes[_i], release, redirect);
}
END_TEST

START_TEST(whoever_is_inside_goes_on_when_it_is_released)
{
	name.name = shapes[_i].name;
	try_each(&shapes[_i], redirect, release);
}
END_TEST

START_TEST(whoever_is_inside_goes_on_when_both_happens)
{
	name.name = shapes[_i].name;
	try_each(&shapes[_i], redirect, release_and_redirect);
}
END_TEST

START_TEST(whoever_is_in_nops_goes_on_when_they_become_others)
{
	const struct shape *shape = find_shape("shape_nops");

	ck_assert(take_place_of_nops(shape));
	name.name = shape->name;
	try_each(shape, release, redirect);
	try_each(shape, redirect, release);
}
END_TEST

int unwound(int x);

/* shape_pair_one, described for unwinders. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl unwound\n"
	".type unwound, @function\n"
	"unwound:\n"
	".cfi_startproc\n"
	"push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	".cfi_rel_offset %rbx, 0\n"
	"mov $1, %ebx\n"
	"lea (%rbx, %rdi), %eax\n"
	"pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	".cfi_restore %rbx\n"
	"ret\n"
	".cfi_endproc\n"
	".size unwound, . - unwound\n"
	".popsection\n");

#define FRAMES 64

static unsigned long change_at;
static void *outermost;
static bool lost;

static void *find_outermost(void)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES);

	return count > 0 && count < FRAMES ? frames[count - 1] : NULL;
}

static void unwind(void)
{
	if (step_count == change_at)
		redirect();
	lost |= find_outermost() != outermost;
}

START_TEST(whoever_is_inside_can_be_unwound)
{
	const struct shape shape = {.name = "unwound", .function = unwound};

	name.name = shape.name;
	outermost = find_outermost();
	ck_assert_ptr_nonnull(outermost);
	/* 0: it is redirected before. */
	for (change_at = 0; change_at < 24; change_at++) {
		release();
		if (change_at == 0)
			redirect();
		call_interrupted(&shape, unwind, 0);
		ck_assert_msg(!lost, "when redirected at %lu", change_at);
	}
}
END_TEST

#endif

int main(void)
{
#ifdef HAVE_SINGLE_STEP
	Suite *suite = suite_create("redirect_steps");
	TCase *tcase = tcase_create("redirect_steps");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
			    whoever_is_inside_goes_on_when_it_is_redirected, 0,
			    SHAPE_COUNT);
	tcase_add_loop_test(tcase,
			    whoever_is_inside_goes_on_when_it_is_released, 0,
			    SHAPE_COUNT);
	tcase_add_loop_test(tcase, whoever_is_inside_goes_on_when_both_happens,
			    0, SHAPE_COUNT);
	tcase_add_test(tcase,
		       whoever_is_in_nops_goes_on_when_they_become_others);
	tcase_add_test(tcase, whoever_is_inside_can_be_unwound);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
#else
	return 77;
#endif
}
