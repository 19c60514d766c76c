/* SPDX-License-Identifier: MIT */
/*
 * ONE(n) for each n of a number of digits: TIMES_3(ONE, 7) is ONE(7000) to
 * ONE(7999).
 */
#ifndef HOTPATCH_BENCH_APPLY_FUNCTIONS_H
#define HOTPATCH_BENCH_APPLY_FUNCTIONS_H

/* Statements without semicolons are not what clang-format expects. */
/* clang-format off */
#define TIMES_0(one, n) one(n)
#define TIMES_1(one, n) \
	TIMES_0(one, n##0) TIMES_0(one, n##1) TIMES_0(one, n##2) \
	TIMES_0(one, n##3) TIMES_0(one, n##4) TIMES_0(one, n##5) \
	TIMES_0(one, n##6) TIMES_0(one, n##7) TIMES_0(one, n##8) \
	TIMES_0(one, n##9)
#define TIMES_2(one, n) \
	TIMES_1(one, n##0) TIMES_1(one, n##1) TIMES_1(one, n##2) \
	TIMES_1(one, n##3) TIMES_1(one, n##4) TIMES_1(one, n##5) \
	TIMES_1(one, n##6) TIMES_1(one, n##7) TIMES_1(one, n##8) \
	TIMES_1(one, n##9)
#define TIMES_3(one, n) \
	TIMES_2(one, n##0) TIMES_2(one, n##1) TIMES_2(one, n##2) \
	TIMES_2(one, n##3) TIMES_2(one, n##4) TIMES_2(one, n##5) \
	TIMES_2(one, n##6) TIMES_2(one, n##7) TIMES_2(one, n##8) \
	TIMES_2(one, n##9)
#define TIMES_4(one, n) \
	TIMES_3(one, n##0) TIMES_3(one, n##1) TIMES_3(one, n##2) \
	TIMES_3(one, n##3) TIMES_3(one, n##4) TIMES_3(one, n##5) \
	TIMES_3(one, n##6) TIMES_3(one, n##7) TIMES_3(one, n##8) \
	TIMES_3(one, n##9)
/* clang-format on */

#endif
