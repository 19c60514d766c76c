/* SPDX-License-Identifier: MIT */
/*
 * Put before the sources of the example server, it makes the same server with
 * plain functions and without sections: what the other is compared with.
 */
#ifndef HOTPATCH_BENCH_SERVED_PLAIN_H
#define HOTPATCH_BENCH_SERVED_PLAIN_H

#include <hotpatch/hotpatch.h>

#undef HOTPATCH_FUNCTION
#define HOTPATCH_FUNCTION(ret, name, params) ret name params
#define hotpatch_enter() ((void)0)
#define hotpatch_leave() ((void)0)
#define hotpatch_safe_point() ((void)0)

#endif
