/* SPDX-License-Identifier: MIT */
/*
 * Functions of every shape that redirecting knows, each int f(int x) that gives
 * back x + 1, written in assembly so that no compiler changes their first
 * instructions. SHAPES(X) lists X(name, tier, written): how many bytes of the
 * first instruction a jump may take.
 */
#ifndef REDIRECT_SHAPES_H
#define REDIRECT_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* clang-format off */
#define SHAPES(X)                                                              \
	X(push_one, 2, 1)     /* one byte, then a register move */             \
	X(push_two, 2, 2)     /* two bytes */                                  \
	X(move_three, 2, 3)   /* three bytes, the memcpy family's */           \
	X(sub_four, 2, 4)     /* four bytes */                                 \
	X(move_five, 1, 5)    /* room for a jump */                            \
	X(load_six, 1, 6)     /* relative to the instruction pointer */        \
	X(compare_seven, 1, 6) /* the same with a constant behind it */        \
	X(landing, 2, 1)      /* endbr64 first */                              \
	X(landing_five, 1, 5) /* the same before a long one */                 \
	X(jump_short, 2, 2)   /* jmp rel8 */                                   \
	X(branch_short, 2, 2) /* jcc rel8 */                                   \
	X(branch_long, 1, 6)  /* jcc rel32 */                                  \
	X(count_zero, 2, 2)   /* jrcxz */                                      \
	X(count_loop, 2, 2)   /* loop */                                       \
	X(call_first, 1, 5)   /* call rel32 */                                 \
	X(tiny, 2, 1)         /* four bytes altogether */                      \
	X(across_line, 1, 5)  /* its first instruction crosses a cache line */ \
	X(across_page, 1, 5)  /* and a page */                                 \
	X(across_short, 2, 1) /* the second one does */                        \
	X(entered, 2, 1)      /* another function enters its second byte */    \
	X(pair_one, 2, 1)     /* its jump alone would lead into this module */ \
	X(pair_two, 2, 2)     /* the same */                                   \
	X(pair_branch, 2, 2)  /* the same with jcc rel8 behind it */           \
	X(pair_call, 2, 1)    /* the same with call rel32 behind it */         \
	X(nops, 0, 1)         /* -fpatchable-function-entry, by gcc */         \
	X(landing_nops, 0, 1) /* the same behind endbr64 */                    \
	X(long_nop, 0, 5)     /* the same by clang */                          \
	X(hook, 0, 6)         /* ms_hook_prologue */

#define SHAPE(name, ...)                                                       \
	".globl shape_" #name "\n.type shape_" #name ", @function\n"           \
	"shape_" #name ":\n" __VA_ARGS__ "\n"                                  \
	".size shape_" #name ", . - shape_" #name "\n"

__asm__(".pushsection .text\n.p2align 12\n"
	SHAPE(push_one, "push %rbx\n mov %edi, %ebx\n lea 1(%rbx), %eax\n"
			"pop %rbx\n ret\n .p2align 4")
	SHAPE(push_two, "push %r12\n push %r13\n push %r14\n mov %edi, %r12d\n"
			"lea 1(%r12), %eax\n pop %r14\n pop %r13\n pop %r12\n"
			"ret\n .p2align 4")
	SHAPE(move_three, "mov %rdi, %rax\n inc %rax\n mov %rax, %rcx\n"
			  "mov %rcx, %rax\n ret\n .p2align 4")
	SHAPE(sub_four, "sub $24, %rsp\n mov %edi, 8(%rsp)\n mov 8(%rsp), %eax\n"
			"inc %eax\n add $24, %rsp\n ret\n .p2align 4")
	SHAPE(move_five, "mov $1, %eax\n add %edi, %eax\n ret\n .p2align 4")
	SHAPE(load_six, "mov shape_one(%rip), %eax\n add %edi, %eax\n ret\n"
			".p2align 4")
	SHAPE(compare_seven, "cmpl $1, shape_one(%rip)\n sete %al\n"
			     "movzbl %al, %eax\n add %edi, %eax\n ret\n"
			     ".p2align 4")
	SHAPE(landing, "endbr64\n push %rbx\n mov %edi, %ebx\n"
		       "lea 1(%rbx), %eax\n pop %rbx\n ret\n .p2align 4")
	SHAPE(landing_five, "endbr64\n mov $1, %eax\n add %edi, %eax\n ret\n"
			    ".p2align 4")
	SHAPE(jump_short, ".byte 0xeb, 1f - . - 1\n mov $0x41424344, %eax\n"
			  "mov $0x41424344, %eax\n ud2\n"
			  "1: lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(branch_short, ".byte 0x70, 1f - . - 1\n mov %rdi, %r8\n mov %r8, %rax\n inc %eax\n"
			    "ret\n 1: lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(branch_long, ".byte 0x0f, 0x80\n .long 1f - . - 4\n"
			   "lea 1(%rdi), %eax\n ret\n"
			   "1: lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(count_zero, "jrcxz 1f\n mov %rdi, %r8\n mov %r8, %rax\n inc %eax\n"
			  "ret\n 1: lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(count_loop, "loop 1f\n mov %rdi, %r8\n mov %r8, %rax\n inc %eax\n"
			  "ret\n 1: lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(call_first, "call shape_helper\n inc %eax\n ret\n .p2align 4")
	SHAPE(tiny, "xchg %eax, %edi\n inc %eax\n ret\n .p2align 4")
	".p2align 6\n .skip 62, 0xcc\n"
	SHAPE(across_line, "mov $1, %eax\n add %edi, %eax\n ret\n .p2align 4")
	".p2align 12\n .skip 4093, 0xcc\n"
	SHAPE(across_page, "mov $1, %eax\n add %edi, %eax\n ret\n .p2align 4")
	".p2align 12\n .skip 4095, 0xcc\n"
	SHAPE(across_short, "push %rbx\n mov %edi, %ebx\n lea 1(%rbx), %eax\n"
			    "pop %rbx\n ret\n .p2align 4")
	SHAPE(entered, ".byte 0x66\n 1: .byte 0x90\n mov $0x51, %r8d\n"
		       "lea 1(%rdi), %eax\n ret\n .p2align 4\n"
		       ".globl shape_enters\n .type shape_enters, @function\n"
		       "shape_enters: mov $7, %ecx\n jmp 1b\n"
		       ".size shape_enters, . - shape_enters\n .p2align 4\n")
	SHAPE(pair_one, "push %rbx\n mov $1, %ebx\n lea (%rbx, %rdi), %eax\n"
			"pop %rbx\n ret\n .p2align 4")
	SHAPE(pair_two, "xor %eax, %eax\n mov $1, %ecx\n"
			"lea (%rcx, %rdi), %eax\n ret\n .p2align 4")
	SHAPE(pair_branch, "xor %eax, %eax\n .byte 0x71, 0x00\n"
			   "add %al, %al\n lea 1(%rdi), %eax\n ret\n"
			   ".p2align 4")
	SHAPE(pair_call, "push %rbx\n call shape_helper\n inc %eax\n"
			 "pop %rbx\n ret\n .p2align 4")
	SHAPE(nops, "nop\n nop\n nop\n nop\n nop\n lea 1(%rdi), %eax\n ret\n"
		    ".p2align 4")
	SHAPE(landing_nops, "endbr64\n nop\n nop\n nop\n nop\n nop\n"
			    "lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(long_nop, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x08\n"
			"lea 1(%rdi), %eax\n ret\n .p2align 4")
	SHAPE(hook, ".byte 0x48, 0x8d, 0xa4, 0x24, 0, 0, 0, 0\n"
		    "lea 1(%rdi), %eax\n ret\n .p2align 4")
	/* What is refused: a loop that begins with the function. */
	SHAPE(loop, "inc %esi\n cmp $100, %esi\n jne shape_loop\n"
		    "lea 1(%rdi), %eax\n ret\n .p2align 4")
	/* The same by way of a part that was split off. */
	SHAPE(split_loop, "mov %edi, %eax\n ret")
	SHAPE(split, "mov %edi, %eax\n 1: ret")
	".p2align 4\n .globl \"shape_split.cold\"\n"
	".type \"shape_split.cold\", @function\n"
	"\"shape_split.cold\": mov $2, %eax\n jz shape_split_loop\n jmp 1b\n"
	".size \"shape_split.cold\", . - \"shape_split.cold\"\n .p2align 4\n"
	"shape_helper: mov %edi, %eax\n ret\n"
	".p2align 2\n shape_one: .long 1\n"
	".popsection\n");
/* clang-format on */

#define DECLARE_SHAPE(name, tier, written) int shape_##name(int x);
SHAPES(DECLARE_SHAPE)
#undef DECLARE_SHAPE
int shape_enters(int x);
int shape_loop(int x);

struct shape {
	const char *name;
	int (*function)(int x);
	unsigned int tier;
	unsigned int written;
};

static const struct shape shapes[] = {
#define SHAPE_ENTRY(name, tier, written)                                       \
	{"shape_" #name, shape_##name, tier, written},
	SHAPES(SHAPE_ENTRY)
#undef SHAPE_ENTRY
};

#define SHAPE_COUNT (sizeof(shapes) / sizeof(shapes[0]))

/* NULL for none. */
static inline const struct shape *find_shape(const char *name)
{
	size_t i;

	for (i = 0; i < SHAPE_COUNT; i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

/* Takes the place that five nops lead to, as the distance of a jump. */
static inline bool take_place_of_nops(const struct shape *shape)
{
	uintptr_t place = (uintptr_t)shape->function + 5 - 0x6f6f6f70;
	void *page = (void *)(place & ~(uintptr_t)4095);

	return mmap(page, 8192, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == page;
}

#endif
