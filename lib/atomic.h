/* SPDX-License-Identifier: MIT */
/*
 * The only atomics of the library, named by their order (the inline functions
 * of the public headers aside). A relaxed operation orders nothing, and its
 * caller says why that suffices; an acquire load sees what was stored before
 * the release that it reads from, and its caller names that release.
 */
#ifndef HP_ATOMIC_H
#define HP_ATOMIC_H

#define hp_load_relaxed(place) __atomic_load_n((place), __ATOMIC_RELAXED)
#define hp_load_acquire(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define hp_store_relaxed(place, value)                                         \
	__atomic_store_n((place), (value), __ATOMIC_RELAXED)
#define hp_store_release(place, value)                                         \
	__atomic_store_n((place), (value), __ATOMIC_RELEASE)

/*
 * Sequentially consistent: of two threads that each store one place and then
 * load the other's, at least one sees the other's store.
 */
#define hp_load_fenced(place) __atomic_load_n((place), __ATOMIC_SEQ_CST)
#define hp_exchange_fenced(place, value)                                       \
	__atomic_exchange_n((place), (value), __ATOMIC_SEQ_CST)
#define hp_add_fenced(place, value)                                            \
	__atomic_fetch_add((place), (value), __ATOMIC_SEQ_CST)

#define hp_add_relaxed(place, value)                                           \
	__atomic_fetch_add((place), (value), __ATOMIC_RELAXED)

/* Strong; true if it replaced @expected. Acquire and release on success. */
#define hp_replace(place, expected, desired)                                   \
	__extension__({                                                        \
		__typeof__(*(place)) expected_ = (expected);                   \
		__atomic_compare_exchange_n((place), &expected_, (desired), 0, \
					    __ATOMIC_ACQ_REL,                  \
					    __ATOMIC_ACQUIRE);                 \
	})

#endif
