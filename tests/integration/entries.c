/* SPDX-License-Identifier: MIT */
/*
 * Entries of patchable functions: arguments and results of every kind pass
 * through them, before a patch, behind it, and through the detour that they
 * take while tasks disagree; their addresses never change; and a stack can be
 * unwound from each of their instructions.
 */
#include "support.h"

#include "../single_step.h"
#include "entries/entries.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <unwind.h>

#define EXTRA 1000 /* what the patched functions add */

HOTPATCH_FUNCTION(long, sum_ten,
		  (long a, long b, long c, long d, long e, long f, long g,
		   long h, long i, long j))
{
	return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h +
	       9 * i + 10 * j;
}

HOTPATCH_FUNCTION(double, weigh,
		  (int a, double b, float c, long d, double e, double f,
		   double g, double h, double i, double j, double k, double l))
{
	return a + 2 * b + 3 * (double)c + 4 * (double)d + 5 * e + 6 * f +
	       7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l;
}

/* Pairs of an int and a double. */
HOTPATCH_FUNCTION(double, sum_list, (int count, ...))
{
	double sum = 0;
	va_list list;
	int i;

	va_start(list, count);
	for (i = 0; i < count; i++) {
		sum += va_arg(list, int);
		sum += va_arg(list, double);
	}
	va_end(list);
	return sum;
}

HOTPATCH_FUNCTION(struct large, make_large, (long first))
{
	struct large large;
	int i;

	for (i = 0; i < 9; i++)
		large.values[i] = first + i;
	return large;
}

HOTPATCH_FUNCTION(struct mixed, turn_mixed,
		  (struct mixed mixed, struct small small))
{
	struct mixed turned;

	turned.rate = (double)mixed.count + small.a;
	turned.count = (long)mixed.rate + small.b;
	return turned;
}

HOTPATCH_FUNCTION(struct floats, scale, (struct floats floats, float factor))
{
	floats.x *= factor;
	floats.y *= factor;
	floats.z *= factor;
	return floats;
}

HOTPATCH_FUNCTION(double, total,
		  (struct large large, struct floats floats,
		   struct mixed mixed))
{
	return (double)(large.values[0] + large.values[8]) + (double)floats.x +
	       (double)floats.z + mixed.rate + (double)mixed.count;
}

HOTPATCH_FUNCTION(long double, halve, (long double number))
{
	return number / 2;
}

HOTPATCH_FUNCTION(long, depth, (long levels))
{
	return levels ? 1 + depth(levels - 1) : 0;
}

HOTPATCH_STATIC_FUNCTION(int, shade, (void))
{
	return 10;
}

int shade_here(void)
{
	return shade();
}

void *address_of_depth(void);

HOTPATCH_FUNCTION(void *, address_of_depth, (void))
{
	return (void *)(uintptr_t)depth;
}

static bool is_large(struct large large, long first)
{
	return large.values[0] == first && large.values[4] == first + 4 &&
	       large.values[8] == first + 8;
}

static bool is_mixed(struct mixed mixed, double rate, long count)
{
	return mixed.rate == rate && mixed.count == count;
}

static bool are_floats(struct floats floats, float x, float y, float z)
{
	return floats.x == x && floats.y == y && floats.z == z;
}

static const struct large nine = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
static const struct floats three = {1.5f, 2.5f, 4.5f};
static const struct mixed two = {0.25, 7};
static const struct small pair = {3, 4};

/* How many answers are not the expected ones plus @extra, where F makes of a
 * function's name what is called. */
#define WRONG_ANSWERS(F, extra)                                                \
	((F(sum_ten)(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) != 385 + (extra)) +        \
	 (F(weigh)(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) !=                   \
	  (double)(650 + (extra))) +                                           \
	 (F(sum_list)(5, 1, 0.5, 2, 1.5, 3, 2.5, 4, 3.5, 5, 4.5) !=            \
	  27.5 + (double)(extra)) +                                            \
	 !is_large(F(make_large)(11), 11 + (extra)) +                          \
	 !is_mixed(F(turn_mixed)(two, pair), 10 + (double)(extra),             \
		   4 + (extra)) +                                              \
	 !are_floats(F(scale)(three, 2), 3, 5, 9 + (float)(extra)) +           \
	 (F(total)(nine, three, two) != 23.25 + (double)(extra)) +             \
	 (F(halve)(5) != 2.5L + (extra)) +                                     \
	 (F(depth)(10) != ((extra) ? 20 : 10)))

#define BY_NAME(name) name

static unsigned int wrong_by_name(long extra)
{
	return (unsigned int)WRONG_ANSWERS(BY_NAME, extra);
}

static unsigned int wrong_by_call(long extra)
{
	return (unsigned int)WRONG_ANSWERS(HOTPATCH_CALL, extra);
}

/* Taken when the program starts, as a table of callbacks would be. */
#define POINTER(name) __typeof__(&(name)) volatile pointer_##name = name
static POINTER(sum_ten);
static POINTER(weigh);
static POINTER(sum_list);
static POINTER(make_large);
static POINTER(turn_mixed);
static POINTER(scale);
static POINTER(total);
static POINTER(halve);
static POINTER(depth);
#define BY_POINTER(name) pointer_##name

static unsigned int wrong_by_pointer(long extra)
{
	return (unsigned int)WRONG_ANSWERS(BY_POINTER, extra);
}

static unsigned int wrong_answers(long extra)
{
	return wrong_by_name(extra) + wrong_by_call(extra) +
	       wrong_by_pointer(extra);
}

/* What a holder finds wrong if its view is the original's. */
static void count_wrong_originals(void *wrong)
{
	*(unsigned int *)wrong = wrong_answers(0);
}

static void count_wrong_replacements(void *wrong)
{
	*(unsigned int *)wrong = wrong_answers(EXTRA);
}

static unsigned int wrong_elsewhere(void (*count)(void *))
{
	unsigned int wrong = 1;

	run_elsewhere(count, &wrong);
	return wrong;
}

static unsigned int wrong_in(struct holder *holder, void (*count)(void *))
{
	unsigned int wrong = 1;

	holder_run(holder, count, &wrong);
	return wrong;
}

START_TEST(every_kind_of_argument_passes_an_entry)
{
	struct hotpatch_patch *patch;

	ck_assert_uint_eq(wrong_elsewhere(count_wrong_originals), 0);
	patch = apply_bundle("plus");
	ck_assert_uint_eq(wrong_elsewhere(count_wrong_replacements), 0);
	remove_patch(patch);
	ck_assert_uint_eq(wrong_elsewhere(count_wrong_originals), 0);
}
END_TEST

START_TEST(every_kind_of_argument_passes_the_detour_in_every_view)
{
	struct hotpatch_patch *patch = open_bundle("plus");
	struct holder old;
	struct holder young;

	holder_start(&old);
	begin_apply(patch);
	holder_start(&young);
	ck_assert_uint_eq(wrong_in(&old, count_wrong_originals), 0);
	ck_assert_uint_eq(wrong_in(&young, count_wrong_replacements), 0);
	ck_assert_uint_eq(wrong_elsewhere(count_wrong_replacements), 0);
	begin_revert(patch);
	ck_assert_uint_eq(wrong_in(&old, count_wrong_originals), 0);
	ck_assert_uint_eq(wrong_in(&young, count_wrong_replacements), 0);
	ck_assert_uint_eq(wrong_elsewhere(count_wrong_originals), 0);
	expect_state(patch, HOTPATCH_REVERTING);
	holder_stop(&old);
	holder_stop(&young);
	await_unmapped(patch);
	ck_assert_uint_eq(wrong_elsewhere(count_wrong_originals), 0);
}
END_TEST

START_TEST(address_of_an_entry_never_changes)
{
	void *before = (void *)(uintptr_t)depth;
	struct hotpatch_patch *patch;

	ck_assert_ptr_eq(address_of_depth(), before);
	patch = apply_bundle("plus");
	/* Now it is the bundle that takes the address. */
	ck_assert_ptr_eq(address_of_depth(), before);
	ck_assert_ptr_eq((void *)(uintptr_t)depth, before);
	remove_patch(patch);
	ck_assert_ptr_eq((void *)(uintptr_t)depth, before);
}
END_TEST

struct shades {
	int here;
	int called; /* here, by HOTPATCH_CALL() */
	int there;
};

static void read_shades(void *place)
{
	struct shades *shades = place;

	shades->here = shade_here();
	shades->called = HOTPATCH_CALL(shade)();
	shades->there = shade_there();
}

static void expect_shades(int here, int there)
{
	struct shades shades;

	run_elsewhere(read_shades, &shades);
	ck_assert_int_eq(shades.here, here);
	ck_assert_int_eq(shades.called, here);
	ck_assert_int_eq(shades.there, there);
}

START_TEST(static_functions_of_one_name_are_told_apart_by_file)
{
	struct hotpatch_patch *here;
	struct hotpatch_patch *there;

	expect_shades(10, 20);
	there = apply_bundle("there");
	expect_shades(10, 20 + EXTRA);
	here = apply_bundle("plus");
	expect_shades(10 + EXTRA, 20 + EXTRA);
	remove_patch(there);
	expect_shades(10 + EXTRA, 20);
	remove_patch(here);
	expect_shades(10, 20);
}
END_TEST

START_TEST(functions_are_listed_with_their_types_as_spelled)
{
	struct hotpatch_slot_info infos[32];
	size_t count = hotpatch_slot_list(infos, 32);
	unsigned int shades = 0;
	bool spelled = false;
	size_t i;

	ck_assert_uint_le(count, 32);
	for (i = 0; i < count; i++) {
		shades += strcmp(infos[i].name, "entries.c:shade") == 0;
		shades += strcmp(infos[i].name, "other.c:shade") == 0;
		spelled |= strcmp(infos[i].prototype,
				  "double (int count, ...)") == 0;
	}
	ck_assert_uint_eq(shades, 2);
	ck_assert(spelled);
}
END_TEST

#if defined(__x86_64__)

struct registers registers_seen;

static void probe__original(void) __attribute__((naked));
HOTPATCH_FUNCTION(void, probe, (void))
{
	__asm__(STORE_REGISTERS("1"));
}

#define LOAD_WIDE_(number, offset)                                             \
	"vmovups " offset "(%%r11), %%ymm" number "\n"
#define LOAD_NARROW_(number, offset)                                           \
	"movups " offset "(%%r11), %%xmm" number "\n"
#define LOAD_GENERAL_(name, offset) "movq " offset "(%%r11), %%" name "\n"

/* Calls the probe with all registers as @given; the red zone is left alone. */
__attribute__((noinline)) static void call_probe(const struct registers *given)
{
	__asm__ volatile(
		"movq %0, %%r11\n"
		"cmpl $0, " WIDE_OFFSET "(%%r11)\n"
		"je 1f\n" EACH_VECTOR_(
			LOAD_WIDE_) "jmp 2f\n"
				    "1:\n" EACH_VECTOR_(LOAD_NARROW_) "2:\n" EACH_GENERAL_(
					    LOAD_GENERAL_) "leaq -128(%%rsp), %%rsp\n"
							   "call probe@PLT\n"
							   "leaq 128(%%rsp), %%rsp\n"
		:
		: "rm"(given)
		: "rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax", "r10", "r11",
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
		  "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
		  "xmm14", "xmm15", "memory", "cc");
}

static void fill_registers(struct registers *given)
{
	unsigned char *bytes = (unsigned char *)given;
	size_t i;

	for (i = 0; i < sizeof(*given); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	given->wide = __builtin_cpu_supports("avx") != 0;
	registers_seen.wide = given->wide;
}

/* True if the probe that answers is @version, and saw what was given. */
static bool registers_survive(uint32_t version)
{
	struct registers given;
	int i;

	memset(&registers_seen, 0, sizeof(registers_seen));
	fill_registers(&given);
	call_probe(&given);
	if (registers_seen.version != version ||
	    memcmp(registers_seen.general, given.general,
		   sizeof(given.general)) != 0)
		return false;
	for (i = 0; i < 16; i++)
		if (memcmp(registers_seen.vectors[i], given.vectors[i],
			   given.wide ? 32 : 16) != 0)
			return false;
	return true;
}

static void probe_for_original(void *wrong)
{
	*(unsigned int *)wrong = !registers_survive(1);
}

static void probe_for_replacement(void *wrong)
{
	*(unsigned int *)wrong = !registers_survive(2);
}

START_TEST(every_argument_register_survives_entry_and_detour)
{
	struct hotpatch_patch *patch = open_bundle("plus");
	struct holder old;
	struct holder young;

	ck_assert(registers_survive(1));
	holder_start(&old);
	begin_apply(patch);
	holder_start(&young);
	ck_assert_uint_eq(wrong_in(&old, probe_for_original), 0);
	ck_assert_uint_eq(wrong_in(&young, probe_for_replacement), 0);
	ck_assert(registers_survive(2));
	holder_stop(&young);
	holder_stop(&old);
	await_drained(patch);
	ck_assert(registers_survive(2));
}
END_TEST

#endif

#ifdef HAVE_SINGLE_STEP

static unsigned int unwound;	 /* steps at which the caller was found */
static unsigned int lost;	 /* and was not */
static unsigned int in_dispatch; /* steps within hotpatch_dispatch */
/* Looked up, because its address in C may be a stub that spoils registers. */
static void *dispatch;

__attribute__((noinline)) static void call_under_steps(void)
{
	volatile long levels = 0;

	step_on();
	depth(levels);
	step_off();
}

static _Unwind_Reason_Code visit_frame(struct _Unwind_Context *context,
				       void *argument)
{
	bool *found = argument;
	int before = 0;
	uintptr_t place = _Unwind_GetIPInfo(context, &before);
	void *function;

	function = _Unwind_FindEnclosingFunction(
		(void *)(before ? place : place - 1));
	in_dispatch += before && function == dispatch;
	*found = function == (void *)call_under_steps;
	/* Stepping itself moves the stack pointer there. */
	return *found ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void unwind_here(void)
{
	bool found = false;

	_Unwind_Backtrace(visit_frame, &found);
	unwound += found;
	lost += !found;
}

START_TEST(stack_unwinds_from_every_instruction_of_entry_and_detour)
{
	struct hotpatch_patch *patch = open_bundle("plus");
	struct holder old;

	dispatch = dlsym(RTLD_DEFAULT, "hotpatch_dispatch");
	ck_assert_ptr_nonnull(dispatch);
	step_prepare(unwind_here, 0);
	call_under_steps();
	ck_assert_uint_gt(unwound, 2);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_eq(in_dispatch, 0);
	holder_start(&old);
	begin_apply(patch);
	call_under_steps();
	hotpatch_enter();
	call_under_steps();
	hotpatch_leave();
	ck_assert_uint_eq(lost, 0);
	/* Once as no task and once as one; each goes another way. */
	ck_assert_uint_gt(in_dispatch, 20);
	holder_stop(&old);
	await_drained(patch);
	call_under_steps();
	ck_assert_uint_eq(lost, 0);
}
END_TEST

#endif

int main(void)
{
	const TTest *const tests[] = {
		every_kind_of_argument_passes_an_entry,
		every_kind_of_argument_passes_the_detour_in_every_view,
		address_of_an_entry_never_changes,
		static_functions_of_one_name_are_told_apart_by_file,
		functions_are_listed_with_their_types_as_spelled,
#if defined(__x86_64__)
		every_argument_register_survives_entry_and_detour,
#endif
#ifdef HAVE_SINGLE_STEP
		stack_unwinds_from_every_instruction_of_entry_and_detour,
#endif
	};

	return run_tests("entries", tests, sizeof(tests) / sizeof(tests[0]));
}
