/* SPDX-License-Identifier: MIT */
/*
 * How many instructions a call of a redirected function takes, counted by the
 * CPU's trap flag: replaced, and replaced by something that forwards to the
 * original. Beside it what a hook of five bytes takes: to a replacement within
 * 2 GiB one jump, further away a second one through memory; what was
 * overwritten is run elsewhere and jumps back. (funchook's are of this kind.)
 */
#include "../../lib/atomic.h"
#include "../../lib/slot.h"
#include "../single_step.h"

#include <hotpatch/redirect.h>

#include <stdio.h>
#include <string.h>

#ifdef HAVE_SINGLE_STEP

typedef int function(int x);

function short_first;
function long_first;
function longer_first;
function near_hook;
function far_hook;
function hook_original;
function long_first_again;
function replacement;

/* All have the same three instructions after their first. The hooks stand for
 * long_first with its first five bytes overwritten. */
__asm__(".pushsection .text\n"
	".type short_first, @function\n"
	".globl short_first\n"
	"short_first: push %rbx\n"
	"lea 1(%rdi), %eax\n"
	"pop %rbx\n"
	"ret\n"
	".size short_first, . - short_first\n"
	".p2align 4\n"
	".type long_first, @function\n"
	".globl long_first\n"
	"long_first: mov $1, %eax\n"
	"add %edi, %eax\n"
	"nop\n"
	"ret\n"
	".size long_first, . - long_first\n"
	".p2align 4\n"
	".type longer_first, @function\n"
	".globl longer_first\n"
	"longer_first: mov 4f(%rip), %eax\n"
	"add %edi, %eax\n"
	"nop\n"
	"ret\n"
	".size longer_first, . - longer_first\n"
	".p2align 4\n"
	".globl near_hook\n"
	"near_hook: jmp replacement\n"
	".p2align 4\n"
	".globl far_hook\n"
	"far_hook: jmp 2f\n"
	".p2align 4\n"
	"2: jmp *3f(%rip)\n"
	".globl hook_original\n"
	"hook_original: mov $1, %eax\n"
	"jmp 1f\n"
	".globl long_first_again\n"
	"long_first_again: mov $1, %eax\n"
	"1: add %edi, %eax\n"
	"nop\n"
	"ret\n"
	".globl replacement\n"
	"replacement: lea 2(%rdi), %eax\n"
	"ret\n"
	".popsection\n"
	".pushsection .data\n"
	"3: .quad replacement\n"
	"4: .long 1\n"
	".popsection\n");

static unsigned long sum;

static void do_nothing(void)
{
}

/* With what calling takes. */
static unsigned long count(function *volatile called)
{
	step_prepare(do_nothing, 0);
	step_on();
	sum += (unsigned long)called(1);
	step_off();
	return step_count;
}

static struct hotpatch_slot *redirect(const char *name)
{
	const struct hotpatch_function_name wanted = {.name = name};
	struct hotpatch_slot *slot = NULL;
	const struct hp_module *module;
	struct hotpatch_error err;

	if (hotpatch_redirect(&wanted, 1, &err) != HOTPATCH_OK) {
		fprintf(stderr, "%s\n", err.sentence);
		return NULL;
	}
	for (module = hp_modules; module && !slot; module = module->next)
		if (hp_slot_find(module, "", name, &slot) != HOTPATCH_OK)
			slot = NULL;
	return slot;
}

static void point(struct hotpatch_slot *slot, function *target)
{
	/* Release: as hp_slot_settle(), whose partner is the jump. */
	hp_store_release(slot->target, (void (*)(void))target);
}

static int failures;

static void gate(const char *what, unsigned long figure, unsigned long limit)
{
	if (figure <= limit)
		return;
	fprintf(stderr, "%s takes %lu instructions, not %lu\n", what, figure,
		limit);
	failures++;
}

/* What is left of a call's instructions when those of the function are taken
 * off. */
static void measure(const char *name, function *called, unsigned long limit)
{
	unsigned long body = count(replacement);
	unsigned long original = count(called);
	struct hotpatch_slot *slot = redirect(name);
	unsigned long unchanged;
	unsigned long forwarded;
	unsigned long replaced;

	if (!slot) {
		failures++;
		return;
	}
	unchanged = count(called) - original;
	forwarded = count((function *)slot->original) - original;
	point(slot, replacement);
	replaced = count(called) - body;
	printf("%-14s %9lu %10lu %12lu\n", name, unchanged, replaced,
	       forwarded);
	gate("a call that is replaced", replaced, limit);
	gate("forwarding", forwarded,
	     count(hook_original) - count(long_first_again));
	gate("a call that is not replaced", unchanged, replaced + forwarded);
}

int main(void)
{
	unsigned long body = count(replacement);
	unsigned long forwarded =
		count(hook_original) - count(long_first_again);
	unsigned long near_cost = count(near_hook) - body;
	unsigned long far_cost = count(far_hook) - body;

	printf("%-14s %9s %10s %12s\n", "instructions", "unchanged", "replaced",
	       "forwarding");
	printf("%-14s %9s %10lu %12lu\n", "hook, near", "", near_cost,
	       forwarded);
	printf("%-14s %9s %10lu %12lu\n", "hook, far", "", far_cost, forwarded);
	measure("short_first", short_first, far_cost);
	measure("long_first", long_first, far_cost);
	measure("longer_first", longer_first, near_cost);
	return failures != 0;
}

#else

int main(void)
{
	return 77;
}

#endif
