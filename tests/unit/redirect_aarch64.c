/* SPDX-License-Identifier: MIT */
/*
 * Redirecting on aarch64, for each kind of first instruction: the original does
 * what it did from where it was moved to, calls get the one or the other, and
 * released functions have their bytes back. Also while two threads call.
 */
#include "../../lib/atomic.h"
#include "../../lib/slot.h"

#include <check.h>
#include <hotpatch/redirect.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CALLERS 2

/* All give back x + 1, for any x. */
#define SHAPE(name, pad, body)                                                 \
	int name(int x);                                                       \
	__asm__(".pushsection .text\n"                                         \
		".balign 16\n"                                                 \
		".globl " #name "\n"                                           \
		".type " #name ", %function\n" #name ":\n" pad                 \
		".cfi_startproc\n" body ".cfi_endproc\n"                       \
		".size " #name ", . - " #name "\n"                             \
		".popsection\n")

SHAPE(shape_plain, "", "add w0, w0, #1\nret\n");
SHAPE(shape_landing, "hint #34\n", "add w0, w0, #1\nret\n");
SHAPE(shape_nop, "", "nop\nnop\nadd w0, w0, #1\nret\n");
SHAPE(shape_pair, "",
      "stp x29, x30, [sp, #-16]!\nmov x29, sp\nadd w0, w0, #1\n"
      "ldp x29, x30, [sp], #16\nret\n");
SHAPE(shape_frame, "",
      "sub sp, sp, #32\nadd w0, w0, #1\nadd sp, sp, #32\nret\n");
SHAPE(shape_signed, "",
      "hint #25\nadd w0, w0, #1\nhint #29\nret\n"); /* paciasp, autiasp */
SHAPE(shape_address, "",
      "adr x1, 1f\nldr w1, [x1]\nadd w0, w0, w1\nret\n"
      "1: .word 1\n");
SHAPE(shape_page, "",
      "adrp x1, one\nadd x1, x1, :lo12:one\nldr w1, [x1]\n"
      "add w0, w0, w1\nret\n");
SHAPE(shape_literal, "", "ldr w1, 1f\nadd w0, w0, w1\nret\n1: .word 1\n");
SHAPE(shape_long_literal, "",
      "ldr x1, 1f\nadd x0, x0, x1\nret\n.balign 8\n1: .quad 1\n");
SHAPE(shape_signed_literal, "",
      "ldrsw x1, 1f\nsub w0, w0, w1\nret\n"
      "1: .word -1\n");
SHAPE(shape_vector_literal, "",
      "ldr s0, 1f\nfcvtzs w1, s0\nadd w0, w0, w1\nret\n"
      "1: .float 1.0\n");
SHAPE(shape_jump, "", "b 1f\nbrk #1\n1: add w0, w0, #1\nret\n");
SHAPE(shape_zero, "", "cbz w0, 1f\nadd w0, w0, #1\nret\n1: mov w0, #1\nret\n");
SHAPE(shape_bit, "",
      "tbnz w0, #0, 1f\nadd w0, w0, #1\nret\n"
      "1: sub w0, w0, #-1\nret\n");
SHAPE(shape_condition, "",
      "b.eq 1f\nadd w0, w0, #1\nret\n"
      "1: add w0, w0, #1\nret\n");
/* Its own loop leads back to its first instruction. */
SHAPE(shape_loop, "", "subs w0, w0, #1\nb.ne shape_loop\nret\n");
/* A prefetch is not moved. */
SHAPE(shape_prefetch, "",
      "prfm pldl1keep, 1f\nadd w0, w0, #1\nret\n"
      "1: .word 0\n");

const int one __attribute__((used)) = 1;

struct shape {
	const char *name;
	int (*function)(int x);
	unsigned int tier;
};

#define ROW(name, tier)                                                        \
	{                                                                      \
#name, name, tier                                              \
	}

static const struct shape shapes[] = {
	ROW(shape_plain, 1),
	ROW(shape_landing, 1),
	ROW(shape_nop, 0),
	ROW(shape_pair, 1),
	ROW(shape_frame, 1),
	ROW(shape_signed, 1),
	ROW(shape_address, 1),
	ROW(shape_page, 1),
	ROW(shape_literal, 1),
	ROW(shape_long_literal, 1),
	ROW(shape_signed_literal, 1),
	ROW(shape_vector_literal, 1),
	ROW(shape_jump, 1),
	ROW(shape_zero, 1),
	ROW(shape_bit, 1),
	ROW(shape_condition, 1),
};
#define SHAPE_COUNT ((int)(sizeof(shapes) / sizeof(*shapes)))

static int replacement(int x)
{
	return x + 2;
}

static void redirect(const char *symbol, enum hotpatch_status wanted)
{
	const struct hotpatch_function_name name = {.name = symbol};
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect(&name, 1, &err) == wanted, "%s: %s",
		      symbol, err.sentence);
}

static void release(const char *symbol)
{
	const struct hotpatch_function_name name = {.name = symbol};
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect_release(&name, 1, &err) == HOTPATCH_OK,
		      "%s", err.sentence);
}

static struct hotpatch_slot *slot_of(const char *symbol)
{
	struct hotpatch_slot *slot = NULL;
	const struct hp_module *module;

	for (module = hp_modules; module && !slot; module = module->next)
		if (hp_slot_find(module, "", symbol, &slot) != HOTPATCH_OK)
			slot = NULL;
	ck_assert_ptr_nonnull(slot);
	return slot;
}

static void point(struct hotpatch_slot *slot, bool replaced)
{
	void (*target)(void) = replaced ? (void (*)(void))replacement :
					  slot->original;

	/* Release: as hp_slot_settle(), whose partner is the jump. */
	hp_store_release(slot->target, target);
}

static void expect_sums(const struct shape *shape, int more)
{
	int (*volatile function)(int x) = shape->function;
	int x;

	for (x = -4; x < 100; x++)
		ck_assert_msg(function(x) == x + more, "%s(%d) is %d",
			      shape->name, x, function(x));
}

START_TEST(each_first_instruction_is_moved_and_comes_back)
{
	const struct shape *shape = &shapes[_i];
	const struct hotpatch_function_name name = {.name = shape->name};
	struct hotpatch_function_info info;
	unsigned char before[16];
	struct hotpatch_slot *slot;

	memcpy(before, (const void *)shape->function, sizeof(before));
	ck_assert_int_eq(hotpatch_redirect_look(&name, &info, NULL),
			 HOTPATCH_OK);
	ck_assert_uint_eq(info.tier, shape->tier);
	ck_assert_uint_eq(info.written, 4);
	redirect(shape->name, HOTPATCH_OK);
	ck_assert_int_ne(memcmp(before, (const void *)shape->function,
				sizeof(before)),
			 0);
	expect_sums(shape, 1);
	slot = slot_of(shape->name);
	point(slot, true);
	expect_sums(shape, 2);
	point(slot, false);
	expect_sums(shape, 1);
	release(shape->name);
	ck_assert_mem_eq(before, (const void *)shape->function, sizeof(before));
	expect_sums(shape, 1);
}
END_TEST

START_TEST(what_cannot_be_moved_is_refused_with_its_reason)
{
	static const struct {
		const char *name;
		enum hotpatch_refusal refusal;
	} refused[] = {
		{"shape_loop", HOTPATCH_REFUSAL_LOOP},
		{"shape_prefetch", HOTPATCH_REFUSAL_IMMOVABLE},
	};
	struct hotpatch_function_info info;
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct hotpatch_function_name name = {
			.name = refused[i].name};

		ck_assert_int_eq(hotpatch_redirect_look(&name, &info, NULL),
				 HOTPATCH_OK);
		ck_assert_int_eq(info.refusal, refused[i].refusal);
		redirect(refused[i].name, HOTPATCH_E_IMMUTABLE);
	}
}
END_TEST

START_TEST(all_are_redirected_and_released_at_once)
{
	struct hotpatch_function_name names[SHAPE_COUNT];
	struct hotpatch_error err = {.sentence = ""};
	int i;

	memset(names, 0, sizeof(names));
	for (i = 0; i < SHAPE_COUNT; i++)
		names[i].name = shapes[i].name;
	ck_assert_msg(hotpatch_redirect(names, SHAPE_COUNT, &err) ==
			      HOTPATCH_OK,
		      "%s", err.sentence);
	for (i = 0; i < SHAPE_COUNT; i++)
		expect_sums(&shapes[i], 1);
	ck_assert_msg(hotpatch_redirect_release(names, SHAPE_COUNT, &err) ==
			      HOTPATCH_OK,
		      "%s", err.sentence);
	for (i = 0; i < SHAPE_COUNT; i++)
		expect_sums(&shapes[i], 1);
}
END_TEST

/* During a transition calls take the detour with the slot in x17: outside of a
 * section they get the newest. */
START_TEST(detour_leads_to_the_newest_body)
{
	const struct shape *shape = &shapes[_i];
	struct hotpatch_slot *slot;

	redirect(shape->name, HOTPATCH_OK);
	slot = slot_of(shape->name);
	/* Relaxed: there is one thread. */
	hp_store_relaxed(&slot->newest, (void (*)(void))replacement);
	hp_store_relaxed(slot->target, slot->dispatch);
	expect_sums(shape, 2);
	hp_store_relaxed(&slot->newest, slot->original);
	expect_sums(shape, 1);
	hp_store_relaxed(slot->target, slot->original);
	release(shape->name);
}
END_TEST

struct fire {
	int (*function)(int x);
	bool stop;
	unsigned long wrong;
	unsigned long calls;
};

static void *call(void *argument)
{
	struct fire *fire = argument;
	unsigned long wrong = 0;
	unsigned long calls = 0;
	int sum;

	do {
		sum = fire->function((int)(calls & 0xffff)) -
		      (int)(calls & 0xffff);
		wrong += sum != 1 && sum != 2;
		calls++;
		/* Relaxed: the join orders the rest. */
	} while (!hp_load_relaxed(&fire->stop));
	hp_add_fenced(&fire->wrong, wrong); /* read after the join */
	hp_add_fenced(&fire->calls, calls); /* read after the join */
	return NULL;
}

START_TEST(writing_and_switching_under_fire_never_mixes)
{
	const struct shape *shape = &shapes[_i];
	struct fire fire = {.function = shape->function};
	pthread_t threads[CALLERS];
	const char *rounds = getenv("HOTPATCH_TEST_ROUNDS");
	unsigned long left = rounds ? strtoul(rounds, NULL, 10) : 30;
	size_t i;

	for (i = 0; i < CALLERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &fire),
				 0);
	for (; left; left--) {
		redirect(shape->name, HOTPATCH_OK);
		for (i = 0; i < 4; i++)
			point(slot_of(shape->name), i % 2 == 0);
		release(shape->name);
	}
	hp_store_relaxed(&fire.stop, true); /* as above */
	for (i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_gt(fire.calls, 0);
	ck_assert_uint_eq(fire.wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redirect_aarch64");
	TCase *cases = tcase_create("shapes");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(cases,
			    each_first_instruction_is_moved_and_comes_back, 0,
			    SHAPE_COUNT);
	tcase_add_test(cases, what_cannot_be_moved_is_refused_with_its_reason);
	tcase_add_test(cases, all_are_redirected_and_released_at_once);
	tcase_add_loop_test(cases, detour_leads_to_the_newest_body, 0,
			    SHAPE_COUNT);
	tcase_add_loop_test(cases, writing_and_switching_under_fire_never_mixes,
			    0, SHAPE_COUNT);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
