/* SPDX-License-Identifier: MIT */
/*
 * The process that redirect_debugger.sh runs under gdb: it calls two functions
 * before they are redirected, while they are, and afterwards, and says what
 * redirecting and releasing answered. By itself it only has to end well.
 */
#include <hotpatch/hotpatch.h>
#include <hotpatch/redirect.h>

#include <stdio.h>

int debugged(int x);
int debugged_call(int x);
int debugged_leaf(int x);
void debugged_redirected(void);
void debugged_released(void);

/* The first instruction of one has room for a jump; of the other it is a call,
 * which returns to where it was moved. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl debugged\n"
	".type debugged, @function\n"
	"debugged:\n"
	".cfi_startproc\n"
	"movl $1, %eax\n"
	".globl debugged_body\n"
	"debugged_body:\n"
	"addl %edi, %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size debugged, . - debugged\n"
	".p2align 4\n"
	".globl debugged_call\n"
	".type debugged_call, @function\n"
	"debugged_call:\n"
	".cfi_startproc\n"
	"call 1f\n"
	"ret\n"
	".cfi_endproc\n"
	".size debugged_call, . - debugged_call\n"
	".p2align 4\n"
	".type debugged_inner, @function\n"
	"debugged_inner:\n"
	"1:\n"
	".cfi_startproc\n"
	"subq $16, %rsp\n"
	".cfi_adjust_cfa_offset 16\n"
	"call debugged_leaf\n"
	"addq $16, %rsp\n"
	".cfi_adjust_cfa_offset -16\n"
	"ret\n"
	".cfi_endproc\n"
	".size debugged_inner, . - debugged_inner\n"
	".popsection\n");

__attribute__((noinline)) int debugged_leaf(int x)
{
	return x + 1;
}

/* For breakpoints. */
__attribute__((noinline)) void debugged_redirected(void)
{
	__asm__ volatile("");
}

__attribute__((noinline)) void debugged_released(void)
{
	__asm__ volatile("");
}

static const struct hotpatch_function_name names[] = {
	{.name = "debugged"},
	{.name = "debugged_call"},
};

static void tell(const char *what, enum hotpatch_status status)
{
	printf("%s: %s, %d and %d\n", what, hotpatch_status_name(status),
	       debugged(1), debugged_call(2));
	fflush(stdout);
}

int main(void)
{
	tell("before", HOTPATCH_OK);
	tell("redirect", hotpatch_redirect(names, 2, NULL));
	debugged_redirected();
	tell("redirected", HOTPATCH_OK);
	tell("release", hotpatch_redirect_release(names, 2, NULL));
	debugged_released();
	tell("released", HOTPATCH_OK);
	return 0;
}
