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

/* A byte in a section that is loaded: its address, as the linker knew it, is
 * compared with the section's when the file was prelinked. */
__asm__(".pushsection .stapsdt.base, \"aG\", %progbits, .stapsdt.base, comdat\n"
	".weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".size _.stapsdt.base, 1\n"
	".popsection\n");

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
		CASE(OPENED, "opened")
		CASE(REFUSED, "refused")
		CASE(STAGED, "staged")
		CASE(DETOURED, "detoured")
		CASE(ADVANCED, "advanced")
		CASE(TURNED, "turned")
		CASE(STALLED, "stalled")
		CASE(ADOPTED, "adopted")
		CASE(FORCED, "forced")
		CASE(DRAINED, "drained")
		CASE(SETTLED, "settled")
		CASE(ACTIVE, "active")
		CASE(REVERTED, "reverted")
		CASE(UNMAPPED, "unmapped")
		CASE(RETAINED, "retained")
		CASE(MODULE_CAME, "module_came")
		CASE(MODULE_WENT, "module_went")
		CASE(HEALED, "healed")
		CASE(RECLAIMED, "reclaimed")
		CASE(FORKED, "forked")
		CASE(SHADOW_STALE, "shadow_stale")
		CASE(PREPARED, "prepared")
		CASE(COMMITTED, "committed")
		CASE(LEAVING, "leaving")
		CASE(LEFT, "left")
		CASE(CLEANED, "cleaned")
		CASE(GATHERING, "gathering")
		CASE(GATHERED, "gathered")
		CASE(PARTED, "parted")
		CASE(MIGRATED, "migrated")
		CASE(LOGGING, "logging")
		CASE(LOG_LOST, "log_lost")
#undef CASE
	}
}
