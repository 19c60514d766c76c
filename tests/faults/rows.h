/* SPDX-License-Identifier: MIT */
/*
 * What each failure is answered with, for the steps of steps.h.
 */
#ifndef FAULTS_ROWS_H
#define FAULTS_ROWS_H

#include "runner.h"

#define PUT_OFF(fault, object)                                                    \
	{                                                                         \
		FAULT_##fault, object, STEP_UNMAP, OK, HOTPATCH_E_TIMEOUT,        \
			"the proof fails, and is tried again a millisecond later" \
	}
#define WRITTEN_OTHERWISE(fault, object)                                       \
	{                                                                      \
		FAULT_##fault, object, STEP_OPEN, OK, HOTPATCH_E_STORE,        \
			"it is done otherwise, or left for the next one"       \
	}
#define UNSWEPT(fault, object)                                                 \
	TOLERATED(fault, object, STEP_OPEN,                                    \
		  "what others left lies there for the next one")

/* Opening a file and loading what is in it. */
#define OPEN_ROWS                                                              \
	REFUSED(openat, ".so", STEP_OPEN, HOTPATCH_E_IO),                      \
		REFUSED(openat, "quarantine", STEP_OPEN, HOTPATCH_E_IO),       \
		WRITTEN_OTHERWISE(openat, "anonymous"),                        \
		WRITTEN_OTHERWISE(openat, "/proc/"),                           \
		WRITTEN_OTHERWISE(openat, "./"), UNSWEPT(opendir, NULL),       \
		UNSWEPT(fdopendir, NULL), UNSWEPT(readdir, NULL),              \
		UNSWEPT(flock, NULL),                                          \
		REFUSED(openat, NULL, STEP_OPEN, HOTPATCH_E_STORE),            \
		REFUSED(fstat, "#1", STEP_OPEN, HOTPATCH_E_IO),                \
		REFUSED(fstat, NULL, STEP_OPEN, HOTPATCH_E_STORE),             \
		REFUSED(pread, NULL, STEP_OPEN, HOTPATCH_E_IO),                \
		REFUSED(malloc, NULL, STEP_OPEN, HOTPATCH_E_NO_MEMORY),        \
		REFUSED(calloc, NULL, STEP_OPEN, HOTPATCH_E_NO_MEMORY),        \
		REFUSED(write, NULL, STEP_OPEN, HOTPATCH_E_STORE),             \
		{FAULT_fchmod,	   NULL,                                       \
		 STEP_OPEN,	   OK,                                         \
		 HOTPATCH_E_STORE, "a file with a name is written instead"},   \
		REFUSED(linkat, NULL, STEP_OPEN, HOTPATCH_E_STORE),            \
		TOLERATED(statvfs, NULL, STEP_OPEN,                            \
			  "the loader refuses a noexec directory as well"),    \
		REFUSED(dlopen, NULL, STEP_OPEN, HOTPATCH_E_LOAD),             \
		REFUSED(dlsym, NULL, STEP_OPEN, HOTPATCH_E_SWAPPED)

/* Before the others where a directory is configured: it is opened twice, first
 * for the look at the quarantine, then for the copy. */
#define QUARANTINE_ROWS                                                        \
	WRITTEN_OTHERWISE(fstat, "#7"), WRITTEN_OTHERWISE(fstat, "#8"),        \
		REFUSED(fstat, "#10", STEP_OPEN, HOTPATCH_E_STORE),            \
		REFUSED(fstat, "#11", STEP_OPEN, HOTPATCH_E_STORE),            \
		REFUSED(fstat, "#12", STEP_OPEN, HOTPATCH_E_STORE),            \
		REFUSED(fstat, "#13", STEP_OPEN, HOTPATCH_E_STORE),            \
		REFUSED(fstat, "#14", STEP_OPEN, HOTPATCH_E_STORE),            \
		WRITTEN_OTHERWISE(lstat, NULL),                                \
		WRITTEN_OTHERWISE(flock, "#1"),                                \
		WRITTEN_OTHERWISE(flock, "#2"),                                \
		REFUSED(flock, "#3", STEP_OPEN, HOTPATCH_E_STORE)

#define CONFIGURED_ROWS REFUSED(mkdir, NULL, STEP_OPEN, HOTPATCH_E_STORE)

/* The first barrier is asked for before anything is visible. The second one is
 * owed: the transition stays open until whoever looks next has paid for it. */
#define BARRIER_ROWS(step)                                                     \
	REFUSED(membarrier, "#1", step, HOTPATCH_E_UNSUPPORTED),               \
		TOLERATED(membarrier, NULL, step,                              \
			  "it is owed, and paid later")

#define CHANGE_ROWS                                                            \
	REFUSED(realloc, NULL, STEP_APPLY, HOTPATCH_E_NO_MEMORY),              \
		REFUSED(malloc, NULL, STEP_APPLY, HOTPATCH_E_NO_MEMORY),       \
		REFUSED(malloc, NULL, STEP_REVERT, HOTPATCH_E_NO_MEMORY),      \
		BARRIER_ROWS(STEP_APPLY), BARRIER_ROWS(STEP_REVERT),           \
		TOLERATED(membarrier, NULL, STEP_DRAIN,                        \
			  "nothing is open any more")

/* The proof that nobody is in the code, and what comes after it. */
#define UNMAP_ROWS                                                             \
	PUT_OFF(open, NULL), PUT_OFF(read, NULL), PUT_OFF(pread, NULL),        \
		PUT_OFF(fopen, NULL), PUT_OFF(fgets, NULL),                    \
		PUT_OFF(opendir, NULL), PUT_OFF(readdir, NULL),                \
		PUT_OFF(malloc, NULL), PUT_OFF(calloc, NULL),                  \
		PUT_OFF(realloc, NULL), PUT_OFF(rt_sigaction, NULL),           \
		PUT_OFF(dlinfo, NULL),                                         \
		TOLERATED(backtrace, NULL, STEP_UNMAP,                         \
			  "the search of the stack was clear already"),        \
		TOLERATED(tgkill, NULL, STEP_UNMAP,                            \
			  "a thread that may live is taken for a living one"), \
		{FAULT_dlclose,	      NULL, STEP_UNMAP, HOTPATCH_E_RETAINED,   \
		 HOTPATCH_E_RETAINED, NULL},                                   \
		TOLERATED(unlink, NULL, STEP_UNMAP,                            \
			  "the code is gone; its file does no harm"),          \
		TOLERATED(fstat, NULL, STEP_UNMAP,                             \
			  "the descriptor is closed as well"),                 \
		TOLERATED(flock, NULL, STEP_UNMAP,                             \
			  "an empty directory does no harm"),                  \
		TOLERATED(rmdir, NULL, STEP_UNMAP,                             \
			  "an empty directory does no harm"),                  \
		{FAULT_membarrier,                                             \
		 NULL,                                                         \
		 STEP_UNMAP,                                                   \
		 OK,                                                           \
		 HOTPATCH_E_TIMEOUT,                                           \
		 "the barrier is tried again before anything is unmapped"},    \
		TOLERATED(futex, NULL, STEP_UNMAP,                             \
			  "who waits looks by itself, too")

#endif
