/* SPDX-License-Identifier: MIT */
/*
 * The offsets that hotpatch_dispatch, which is assembly, knows; slot.c asserts
 * that they are the compiler's.
 */
#ifndef HP_ARCH_LAYOUT_H
#define HP_ARCH_LAYOUT_H

#define HP_TASK_SEEN 0
#define HP_SLOT_NEWEST 56
#define HP_SLOT_VIEW 64
#define HP_VIEW_PREVIOUS 0
#define HP_VIEW_NEXT 8
#define HP_VIEW_SINCE 16

#endif
