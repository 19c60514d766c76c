/* SPDX-License-Identifier: MIT */
/*
 * Events: the phases that changes of patches pass, in the order in which they
 * did. Kept in a ring of the process; observe.h hands them on.
 */
#ifndef HOTPATCH_EVENT_H
#define HOTPATCH_EVENT_H

#include <hotpatch/api.h>
#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/* X(NAME, text): the phases in which events are written. */
#define HOTPATCH_PHASE_MAP(X)                                                  \
	X(PHASE_OPENED, "opened")   /* bundle verified and mapped */           \
	X(PHASE_REFUSED, "refused") /* a step failed, nothing changed */       \
	X(PHASE_STAGED, "staged")                                              \
	X(PHASE_DETOURED, "detoured") /* changed slots take the detour */      \
	X(PHASE_ADVANCED, "advanced") /* the new generation is out */          \
	X(PHASE_TURNED, "turned")     /* the transition goes back */           \
	X(PHASE_STALLED, "stalled")   /* the deadline passed */                \
	X(PHASE_ADOPTED, "adopted")   /* for a sleeping task */                \
	X(PHASE_FORCED, "forced")                                              \
	X(PHASE_DRAINED, "drained")                                            \
	X(PHASE_SETTLED, "settled")                                            \
	X(PHASE_ACTIVE, "active")                                              \
	X(PHASE_REVERTED, "reverted")                                          \
	X(PHASE_UNMAPPED, "unmapped")                                          \
	X(PHASE_RETAINED, "retained")                                          \
	X(PHASE_MODULE_CAME, "module-came")                                    \
	X(PHASE_MODULE_WENT, "module-went")                                    \
	X(PHASE_HEALED, "healed")	/* longjmp out of a section */         \
	X(PHASE_RECLAIMED, "reclaimed") /* the record of a dead thread */      \
	X(PHASE_FORKED, "forked")	/* the parent's transition resolved */ \
	X(PHASE_SHADOW_STALE, "shadow-stale") /* see shadow.h */               \
	X(PHASE_PREPARED, "prepared")	      /* prepare returned */           \
	X(PHASE_COMMITTED, "committed")	      /* commit returned */            \
	X(PHASE_LEAVING, "leaving")	      /* before_revert returned */     \
	X(PHASE_LEFT, "left")		      /* after_revert returned */      \
	X(PHASE_CLEANED, "cleaned")	/* a state's clean-up returned */      \
	X(PHASE_GATHERING, "gathering") /* a rendezvous asks tasks to wait */  \
	X(PHASE_GATHERED, "gathered")	/* all wait or are at rest */          \
	X(PHASE_PARTED, "parted")	/* they were late and went on */       \
	X(PHASE_MIGRATED, "migrated")	/* migrate returned */                 \
	X(PHASE_LOGGING, "logging")	/* a log was begun or went on */       \
	X(PHASE_LOG_LOST, "log-lost")	/* it cannot be written */             \
	X(PHASE_PROBATION, "probation") /* begins, of an active patch */       \
	X(PHASE_HEALTHY, "healthy")	/* its probation is over */            \
	X(PHASE_UNHEALTHY, "unhealthy") /* it is taken back; the reason */     \
	X(PHASE_FAULT, "fault")		/* in its code; which, and where */    \
	X(PHASE_CANARY_OPENED, "canary-opened")	  /* the share */              \
	X(PHASE_CANARY_CHANGED, "canary-changed") /* likewise */               \
	X(PHASE_CANARY_TO_ALL, "canary-to-all")

enum hotpatch_phase {
#define HOTPATCH_PHASE_ENUM_(name, text) HOTPATCH_##name,
	HOTPATCH_PHASE_MAP(HOTPATCH_PHASE_ENUM_)
#undef HOTPATCH_PHASE_ENUM_
};

/** hotpatch_phase_name() - "settled" for HOTPATCH_PHASE_SETTLED; any context */
HOTPATCH_API const char *hotpatch_phase_name(enum hotpatch_phase phase);

/**
 * struct hotpatch_event - one phase that was passed
 * @sequence:   1 for the first event of the process
 * @time_ns:    CLOCK_MONOTONIC
 * @phase:      which
 * @generation: the newest view then
 * @status:     the cause of a refusal, stall, revert or retention; else
 *              HOTPATCH_OK
 * @patch:      its name, or ""
 * @object:     a module, function, thread or reason, or ""
 */
struct hotpatch_event {
	uint64_t sequence;
	uint64_t time_ns;
	enum hotpatch_phase phase;
	uint64_t generation;
	enum hotpatch_status status;
	char patch[HOTPATCH_NAME_SIZE];
	char object[64];
};

/**
 * hotpatch_event_read() - the events after one that is known
 * @after:  sequence number of the last one known; 0 for the oldest kept
 * @events: array of @size
 *
 * The newest 1,024 are kept; a gap in the numbers tells that some were lost.
 *
 * Context: any thread; does not block.
 * Return:  how many were written.
 */
HOTPATCH_API size_t hotpatch_event_read(uint64_t after,
					struct hotpatch_event *events,
					size_t size);

HOTPATCH_END_DECLS

#endif
