/* SPDX-License-Identifier: MIT */
/*
 * The read sides that are compared. Each calls one body through a pointer, or
 * through its entry, within a section of its own kind.
 */
#ifndef HOTPATCH_BENCH_SECTIONS_H
#define HOTPATCH_BENCH_SECTIONS_H

/*
 * @start: makes the calling thread known, or NULL
 * @run:   goes round @count times
 * @stop:  forgets the calling thread, or NULL
 */
struct side {
	const char *name;
	void (*start)(void);
	void (*run)(unsigned long count);
	void (*stop)(void);
};

/* What a pointer leads to; another one could be stored at any time. */
extern int (*sections_pointer)(int number);

#define CALL_POINTER(number)                                                   \
	(__atomic_load_n(&sections_pointer, __ATOMIC_RELAXED)(number))

/* Those of the peers that were there when this was built, NULL at the end. */
extern const struct side *const peers[];

extern const struct side urcu_memb_side;
extern const struct side urcu_mb_side;
extern const struct side urcu_bp_side;
extern const struct side urcu_qsbr_side;
extern const struct side ck_epoch_side;

#endif
