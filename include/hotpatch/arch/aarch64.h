/* SPDX-License-Identifier: MIT */
/*
 * What the public headers need to know of aarch64: the entry of a patchable
 * function, the registration of a module, and three reads for sections. An
 * entry may use x16 and x17 alone, the registers that a linker's veneer may
 * use too (AAPCS64 6.1.1). A branch through x16 or x17 is accepted by the
 * "bti c" of the function that it reaches.
 */
#ifndef HOTPATCH_ARCH_AARCH64_H
#define HOTPATCH_ARCH_AARCH64_H

#include <stdint.h>

#define HOTPATCH_ARCH_LANDING_ "hint #34\n" /* bti c */

/* clang-format off */
#define HOTPATCH_ARCH_ENTRY_(entry, target, slot)                              \
	".p2align 4\n"                                                         \
	".type " entry ", %function\n" entry ":\n"                             \
	".cfi_startproc\n" HOTPATCH_ARCH_LANDING_ "adrp x16, " target          \
	"\n"                                                                   \
	"ldr x16, [x16, #:lo12:" target "]\n"                                  \
	"br x16\n"                                                             \
	".cfi_endproc\n"                                                       \
	".size " entry ", . - " entry "\n"                                     \
	".p2align 3\n"                                                         \
	".type " slot "_dispatch, %function\n" slot "_dispatch:\n"             \
	".cfi_startproc\n" HOTPATCH_ARCH_LANDING_                              \
	"adrp x16, :got:hotpatch_dispatch\n"                                   \
	"ldr x16, [x16, #:got_lo12:hotpatch_dispatch]\n"                       \
	"adrp x17, " slot "\n"                                                 \
	"add x17, x17, #:lo12:" slot "\n"                                      \
	"br x16\n"                                                             \
	".cfi_endproc\n"                                                       \
	".size " slot "_dispatch, . - " slot "_dispatch\n"

/* Calls @function with the bounds of this module's table. */
#define HOTPATCH_ARCH_TABLE_CALL_(function)                                    \
	HOTPATCH_ARCH_LANDING_                                                 \
	"adrp x0, __start_hotpatch_slots\n"                                    \
	"add x0, x0, #:lo12:__start_hotpatch_slots\n"                          \
	"adrp x1, __stop_hotpatch_slots\n"                                     \
	"add x1, x1, #:lo12:__stop_hotpatch_slots\n"                           \
	"adrp x16, :got:" function "\n"                                        \
	"ldr x16, [x16, #:got_lo12:" function "]\n"                            \
	"br x16\n"
/* clang-format on */

/*
 * Reads the thread pointer afresh each time: the compiler may keep it across
 * a call, and a fiber may come back from that call on another thread.
 */
#define HOTPATCH_ARCH_SELF()                                                   \
	__extension__({                                                        \
		struct hotpatch_task **at_;                                    \
		__asm__ volatile("mrs %0, tpidr_el0\n\t"                       \
				 "adrp x16, :gottprel:hotpatch_self\n\t"       \
				 "ldr x16, [x16, "                             \
				 "#:gottprel_lo12:hotpatch_self]\n\t"          \
				 "add %0, %0, x16"                             \
				 : "=&r"(at_)                                  \
				 :                                             \
				 : "x16");                                     \
		*at_;                                                          \
	})

#define HOTPATCH_ARCH_IS_ZERO(place) ((place) == 0)

/*
 * Stores @entrance into @seen; zero if @generation is still another one. The
 * store and the second load may change places, which the writer's membarrier
 * allows for. The acquires keep the section's loads behind, and show it what
 * was stored before either number.
 */
#define HOTPATCH_ARCH_PUBLISH(seen, entrance, generation)                      \
	__extension__({                                                        \
		uint64_t view_ =                                               \
			__atomic_load_n(&(entrance), __ATOMIC_ACQUIRE);        \
		__atomic_store_n(&(seen), view_, __ATOMIC_RELAXED);            \
		__asm__ volatile("" ::: "memory");                             \
		view_ == __atomic_load_n(&(generation), __ATOMIC_ACQUIRE);     \
	})

/* Stores the stack pointer into @place. */
#define HOTPATCH_ARCH_RECORD_FRAME(place)                                      \
	do {                                                                   \
		void *frame_;                                                  \
		__asm__ volatile("mov %0, sp" : "=r"(frame_));                 \
		(place) = frame_;                                              \
	} while (0)

/* The address that thread-local variables of the program are counted from; read
 * afresh each time, because a fiber may come back on another thread. */
#define HOTPATCH_ARCH_THREAD_POINTER()                                         \
	__extension__({                                                        \
		uintptr_t pointer_;                                            \
		__asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer_));        \
		pointer_;                                                      \
	})

#define HOTPATCH_ARCH_WHERE()                                                  \
	__extension__({                                                        \
		const void *where_;                                            \
		__asm__ volatile("adr %0, ." : "=r"(where_));                  \
		where_;                                                        \
	})

#endif
