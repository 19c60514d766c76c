/* SPDX-License-Identifier: MIT */
/*
 * Health: what the host tells of how it does, so that a patch that does harm
 * is taken back without anybody's help. A patch that was applied with a
 * probation_ms is watched for that long: the host's function is asked, and the
 * requests that it reported are compared with those before the patch. The
 * first that is not well takes the patch back, and the patch says why.
 *
 * Probation begins when the patch is active. It is moved on by whoever moves
 * changes on, hotpatch_poll(), hotpatch_patch_wait() or the control server, and
 * never by a task. It is over when its time is and the function was well once
 * more; when the patch is reverted or replaced it ends without a verdict.
 */
#ifndef HOTPATCH_HEALTH_H
#define HOTPATCH_HEALTH_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/**
 * hotpatch_health_check() - say how to ask whether this process is well
 * @check:    gets @argument; returns NULL if all is well, else one sentence
 *            that stays valid until the next call; NULL in its place for none
 * @argument: handed on
 * @err:      or NULL
 *
 * While a patch is on probation it is called every health_interval_ms, and at
 * the end once more, by the thread that moves things on, with no lock of the
 * library's held. It is the whole process that is asked: of several patches on
 * probation the one that became active last is taken back.
 *
 * It may call patchable functions and take long. A call that took longer than
 * ten intervals, and than a second, counts as a failure: when it returns, or
 * earlier if another thread polls. What changes patches is refused in it with
 * HOTPATCH_E_IN_CALLBACK.
 *
 * Context: any thread outside a section; waits until a call that is running in
 *          another thread has returned; also from the function itself.
 * Return:  HOTPATCH_OK; HOTPATCH_E_IN_SECTION; HOTPATCH_E_IN_CALLBACK in other
 *          callbacks of the library; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_health_check(const char *(*check)(void *argument), void *argument,
		      struct hotpatch_error *err);

/* A latency that nobody measured. */
#define HOTPATCH_LATENCY_UNKNOWN UINT64_MAX

/**
 * hotpatch_health_report() - one request is over
 * @failed:     it was answered with an error, or not at all
 * @latency_us: microseconds that it took, or HOTPATCH_LATENCY_UNKNOWN
 *
 * Only counts, in words that a few threads share. What comes of it is known up
 * to what other threads report at the same time. Latencies are kept as their
 * sum, which is exact, and as counts of eight classes for each power of two up
 * to 71 minutes: so a percentile is known within an eighth.
 *
 * Context: any, also a signal handler; waits for nobody.
 */
HOTPATCH_API void hotpatch_health_report(bool failed, uint64_t latency_us);

HOTPATCH_END_DECLS

#endif
