/* SPDX-License-Identifier: MIT */
/*
 * What lib/redirect has to know of a CPU's jumps and frames as numbers.
 */
#ifndef HP_ARCH_JUMP_H
#define HP_ARCH_JUMP_H

/*
 * HP_JUMP_SIZE:    bytes of a jump to a fixed target
 * HP_THROUGH_SIZE: of the largest one that a function's head can become
 * HP_JUMP_REACH:   how far trampolines may lie from their module, which leaves
 *                  the rest of a jump's reach to the module itself
 * HP_DISPATCH_AT, HP_ORIGINAL_AT: places in a trampoline of 64 bytes
 * HP_FRAME_*:      DWARF's numbers of the stack pointer and the return address,
 *                  and how far the caller's frame is from the former at entry
 * HP_ADDRESS_LIMIT: the end of a process's address space, where nobody asks for
 *                  more
 */
#if defined(__x86_64__)
#define HP_JUMP_SIZE 5
#define HP_THROUGH_SIZE 6
#define HP_JUMP_REACH ((uintptr_t)1 << 30)
#define HP_DISPATCH_AT 8u
#define HP_ORIGINAL_AT 24u
#define HP_RELOCATED_LIMIT 40
#define HP_FRAME_STACK 7
#define HP_FRAME_RETURN 16
#define HP_FRAME_DEPTH 8
#define HP_ADDRESS_LIMIT ((uintptr_t)0x7ffffffff000)
#else
#define HP_JUMP_SIZE 4
#define HP_THROUGH_SIZE 4
#define HP_JUMP_REACH ((uintptr_t)64 << 20)
#define HP_DISPATCH_AT 8u
#define HP_ORIGINAL_AT 32u
#define HP_RELOCATED_LIMIT 32
#define HP_FRAME_STACK 31
#define HP_FRAME_RETURN 30
#define HP_FRAME_DEPTH 0
#define HP_ADDRESS_LIMIT ((uintptr_t)0xfffffffff000)
#endif

#endif
