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
#include <setjmp.h>
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

/**
 * hotpatch_health_contain() - tell faults in patches on probation from others
 * @err: or NULL
 *
 * From now on the library handles SIGSEGV, SIGBUS, SIGILL and SIGFPE, on the
 * alternate stack where there is one, and hands each on to what handled it
 * before; where nothing did the process ends with the same core dump. But if
 * the fault was in the code of a patch that is on probation, or on its way
 * there, then before that
 *
 * - there is an event HOTPATCH_PHASE_FAULT, which core dumps have, and the
 *   patch's marker in the directory of hotpatch_configure() gets the reason:
 *   the next start of the program finds the bundle in quarantine because of it;
 * - a call that can be made again (HOTPATCH_RESTARTABLE()) is made again with
 *   the old version; the thread goes on, and the next poll takes the patch back
 *   and puts it into quarantine.
 *
 * In the code is meant literally: a fault in the C library that the patch calls
 * is handed on as ever. Up to 16 patches on probation are told from each other.
 * Whoever sets a handler of its own afterwards takes the library's away.
 *
 * Context: any thread outside a section; once.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY; HOTPATCH_E_UNSUPPORTED if a handler
 *          could not be set; HOTPATCH_E_IN_SECTION; HOTPATCH_E_IN_CALLBACK;
 *          HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_health_contain(struct hotpatch_error *err);

/* How many patches are on probation while faults are contained. */
extern HOTPATCH_API uint32_t hotpatch_contained;

/* A call that can be made again, on its thread's stack; for the macro below. */
struct hotpatch_restart {
	struct hotpatch_restart *outer;
	void (*entry)(void);
	void (*volatile body)(void);
	uint32_t depth;
	bool armed;
	jmp_buf place;
};

/* For the macro below. */
HOTPATCH_API bool hotpatch_restart_begin(struct hotpatch_restart *restart,
					 void (*entry)(void));
HOTPATCH_API void hotpatch_restart_end(struct hotpatch_restart *restart);
HOTPATCH_API void hotpatch_restart_tell(void);

HOTPATCH_END_DECLS

/**
 * HOTPATCH_RESTARTABLE() - declare that calls of a function can be made again
 * @ret:    as in its HOTPATCH_FUNCTION()
 * @name:   likewise; defined or declared above
 * @params: likewise; not variadic
 * @args:   the names of the parameters, in parentheses
 *
 * HOTPATCH_RESTARTABLE_CALL(name)(…) then is a call of it that, if a patch on
 * probation faults in it, is made again with the version beneath, with the same
 * arguments. Without a patch on probation it costs one test more than a plain
 * call. To be used at file scope, in each file that calls so.
 *
 * The host promises that it does no harm if the new version stops at any of its
 * instructions and the old one begins: what the new one did until then must be
 * what the old one may find and do once more, it holds no lock of its own or of
 * what called it back, and nothing leaves the call by longjmp() or an
 * exception. What the new version allocated is lost.
 *
 * The section's one view is given up for that call: what it calls in turn is
 * still seen as the section sees it.
 *
 * Only a thread in a section is brought back, no fiber, and no signal handler
 * may call so. A fault in the old version, or in whatever is not the patch's
 * own code, is an ordinary one.
 */
#define HOTPATCH_RESTARTABLE(ret, name, params, args)                          \
	HOTPATCH_RESTART_WARNINGS_OFF_                                         \
	__attribute__((noinline, unused)) static ret name##__guarded params    \
	{                                                                      \
		__attribute__((cleanup(                                        \
			hotpatch_restart_end))) struct hotpatch_restart        \
			restart_;                                              \
                                                                               \
		if (!hotpatch_restart_begin(&restart_, (void (*)(void))name))  \
			return name args;                                      \
		if (setjmp(restart_.place) == 0)                               \
			return name args;                                      \
		hotpatch_restart_tell();                                       \
		return ((ret(*) params)restart_.body)args;                     \
	}                                                                      \
	__attribute__((unused)) static inline ret name##__restartable params   \
	{                                                                      \
		/* Relaxed: who misses it calls as ever. */                    \
		if (__builtin_expect(__atomic_load_n(&hotpatch_contained,      \
						     __ATOMIC_RELAXED) == 0,   \
				     1))                                       \
			return name args;                                      \
		return name##__guarded args;                                   \
	}                                                                      \
	HOTPATCH_RESTART_WARNINGS_ON_

/* Functions without a result return what those that they call return, and
 * compilers take parameters that never change for clobbered. */
#define HOTPATCH_RESTART_WARNINGS_OFF_                                         \
	_Pragma("GCC diagnostic push")                                         \
		_Pragma("GCC diagnostic ignored \"-Wpedantic\"") _Pragma(      \
			"GCC diagnostic ignored \"-Wcast-function-type\"")
#define HOTPATCH_RESTART_WARNINGS_ON_ _Pragma("GCC diagnostic pop")

/** HOTPATCH_RESTARTABLE_CALL() - see HOTPATCH_RESTARTABLE() */
#define HOTPATCH_RESTARTABLE_CALL(name) (name##__restartable)

#endif
