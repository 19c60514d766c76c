/* SPDX-License-Identifier: MIT */
/*
 * What the public headers need to know of x86-64: the entry of a patchable
 * function, the registration of a module, and three reads for sections. An
 * entry may use r11 alone: every other register can carry an argument, the
 * static chain or the number of vector arguments (psABI 3.2.3).
 */
#ifndef HOTPATCH_ARCH_X86_64_H
#define HOTPATCH_ARCH_X86_64_H

#include <stdint.h>

#if defined(__CET__) && (__CET__ & 1)
#define HOTPATCH_ARCH_LANDING_ "endbr64\n"
#else
#define HOTPATCH_ARCH_LANDING_ ""
#endif

/* clang-format off */
#define HOTPATCH_ARCH_ENTRY_(entry, target, slot)                              \
	".p2align 4\n"                                                         \
	".type " entry ", @function\n" entry ":\n"                             \
	".cfi_startproc\n" HOTPATCH_ARCH_LANDING_ "jmp *" target               \
	"(%rip)\n"                                                             \
	".cfi_endproc\n"                                                       \
	".size " entry ", . - " entry "\n"                                     \
	".p2align 3\n"                                                         \
	".type " slot "_dispatch, @function\n" slot "_dispatch:\n"             \
	".cfi_startproc\n" HOTPATCH_ARCH_LANDING_ "leaq " slot                 \
	"(%rip), %r11\n"                                                       \
	"jmp *hotpatch_dispatch@GOTPCREL(%rip)\n"                              \
	".cfi_endproc\n"                                                       \
	".size " slot "_dispatch, . - " slot "_dispatch\n"

/* Calls @function with the bounds of this module's table. */
#define HOTPATCH_ARCH_TABLE_CALL_(function)                                    \
	HOTPATCH_ARCH_LANDING_                                                 \
	"leaq __start_hotpatch_slots(%rip), %rdi\n"                            \
	"leaq __stop_hotpatch_slots(%rip), %rsi\n"                             \
	"jmp *" function "@GOTPCREL(%rip)\n"
/* clang-format on */

#define HOTPATCH_ARCH_SELF() (hotpatch_self)

/* Is the 32-bit @place zero? One comparison with memory, which gcc splits. */
#define HOTPATCH_ARCH_IS_ZERO(place)                                           \
	__extension__({                                                        \
		int zero_;                                                     \
		__asm__("cmpl $0, %1" : "=@cce"(zero_) : "m"(place));          \
		zero_;                                                         \
	})

/*
 * Stores @entrance into @seen; zero if @generation is still another one.
 * Compilers would not compare with memory that they were told is atomic. Loads
 * of x86-64 are acquiring; the store and the second load may change places,
 * which the writer's membarrier allows for.
 */
#define HOTPATCH_ARCH_PUBLISH(seen, entrance, generation)                      \
	__extension__({                                                        \
		uint64_t view_;                                                \
		int same_;                                                     \
		__asm__ volatile("movq %3, %0\n\t"                             \
				 "movq %0, %1\n\t"                             \
				 "cmpq %4, %0"                                 \
				 : "=&r"(view_), "=m"(seen), "=@cce"(same_)    \
				 : "m"(entrance), "m"(generation)              \
				 : "memory");                                  \
		same_;                                                         \
	})

/* Stores the stack pointer into @place, in one instruction. */
#define HOTPATCH_ARCH_RECORD_FRAME(place)                                      \
	__asm__ volatile("movq %%rsp, %0" : "=m"(place))

/* The address that thread-local variables of the program are counted from; read
 * afresh each time, because a fiber may come back on another thread. */
#define HOTPATCH_ARCH_THREAD_POINTER()                                         \
	__extension__({                                                        \
		uintptr_t pointer_;                                            \
		__asm__ volatile("movq %%fs:0, %0" : "=r"(pointer_));          \
		pointer_;                                                      \
	})

#define HOTPATCH_ARCH_WHERE()                                                  \
	__extension__({                                                        \
		const void *where_;                                            \
		__asm__ volatile("leaq (%%rip), %0" : "=r"(where_));           \
		where_;                                                        \
	})

#endif
