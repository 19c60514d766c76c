/* SPDX-License-Identifier: MIT */
/*
 * The notes are written here, so that building needs no header of systemtap's.
 * Each has the address of its nop, an address by which a reader finds out how
 * far the file was moved since, and no semaphore; then who provides the probe,
 * its name, and where its arguments are: the compiler fills in the operands.
 */
#include "probe.h"

#include <stdint.h>

#define PROBE(name, patch, object, generation, status)                         \
	__asm__ volatile("990: nop\n"                                          \
			 ".pushsection .note.stapsdt, \"\", %%note\n"          \
			 ".balign 4\n"                                         \
			 ".4byte 992f - 991f, 994f - 993f, 3\n"                \
			 "991: .asciz \"stapsdt\"\n"                           \
			 "992: .balign 4\n"                                    \
			 "993: .8byte 990b, _.stapsdt.base, 0\n"               \
			 ".asciz \"hotpatch\"\n"                               \
			 ".asciz \"" name "\"\n"                               \
			 ".asciz \"8@%0 8@%1 8@%2 -8@%3\"\n"                   \
			 "994: .balign 4\n"                                    \
			 ".popsection\n"                                       \
			 :                                                     \
			 : "r"(patch), "r"(object), "r"(generation),           \
			   "r"(status))

/* X(PHASE, name): all of them, or the compiler complains. */
#define PROBE_MAP(X)                                                           \
	X(OPENED, "opened")                                                    \
	X(REFUSED, "refused")                                                  \
	X(STAGED, "staged")                                                    \
	X(DETOURED, "detoured")                                                \
	X(ADVANCED, "advanced")                                                \
	X(TURNED, "turned")                                                    \
	X(STALLED, "stalled")                                                  \
	X(ADOPTED, "adopted")                                                  \
	X(FORCED, "forced")                                                    \
	X(DRAINED, "drained")                                                  \
	X(SETTLED, "settled")                                                  \
	X(ACTIVE, "active")                                                    \
	X(REVERTED, "reverted")                                                \
	X(UNMAPPED, "unmapped")                                                \
	X(RETAINED, "retained")                                                \
	X(MODULE_CAME, "module_came")                                          \
	X(MODULE_WENT, "module_went")                                          \
	X(HEALED, "healed")                                                    \
	X(RECLAIMED, "reclaimed")                                              \
	X(FORKED, "forked")                                                    \
	X(SHADOW_STALE, "shadow_stale")                                        \
	X(PREPARED, "prepared")                                                \
	X(COMMITTED, "committed")                                              \
	X(LEAVING, "leaving")                                                  \
	X(LEFT, "left")                                                        \
	X(CLEANED, "cleaned")                                                  \
	X(GATHERING, "gathering")                                              \
	X(GATHERED, "gathered")                                                \
	X(PARTED, "parted")                                                    \
	X(MIGRATED, "migrated")                                                \
	X(LOGGING, "logging")                                                  \
	X(LOG_LOST, "log_lost")                                                \
	X(PROBATION, "probation")                                              \
	X(HEALTHY, "healthy")                                                  \
	X(UNHEALTHY, "unhealthy")                                              \
	X(FAULT, "fault")                                                      \
	X(CANARY_OPENED, "canary_opened")                                      \
	X(CANARY_CHANGED, "canary_changed")                                    \
	X(CANARY_TO_ALL, "canary_to_all")

/* A byte in a section that is loaded: its address, as the linker knew it, is
 * compared with the section's when the file was prelinked. */
__asm__(".pushsection .stapsdt.base, \"aG\", %progbits, .stapsdt.base, comdat\n"
	".weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".size _.stapsdt.base, 1\n"
	".popsection\n");

/* One case for each phase is as short as it gets. */
/* NOLINTNEXTLINE(readability-function-size) */
void hp_probe(const struct hotpatch_event *event)
{
	const char *patch = event->patch;
	const char *object = event->object;
	uint64_t generation = event->generation;
	int64_t status = event->status;

	switch (event->phase) {
#define CASE(phase, name)                                                      \
	case HOTPATCH_PHASE_##phase:                                           \
		PROBE(name, patch, object, generation, status);                \
		return;
		PROBE_MAP(CASE)
#undef CASE
	}
}
