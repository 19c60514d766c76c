/* SPDX-License-Identifier: MIT */
/*
 * What a section may see. A version's word is the time, by a counter, at which
 * its phase began, and the phase. A reader compares what is known before it
 * entered with what is known after:
 *
 *  - a version that was off when enter had returned is not applied yet, or was
 *    reverted and drained: it must not be seen;
 *  - nor must one whose canary was stopped before enter was called, and still is;
 *  - a version that was on all the time is in the section's view: neither the
 *    program's own code may be seen nor a version that certainly became active
 *    before it.
 *
 * While a section goes on its answer does not change. Sections in which a
 * sleeper's view may have been moved for it are only asked to agree again. No
 * bundle migrates while it goes on.
 */
#include "torture.h"

static struct sight truth;
static uint64_t clock_now;
static uint64_t adoptions_begun;
static uint64_t adoptions_ended;

static enum phase phase_of(uint64_t word)
{
	return (enum phase)(word & 7);
}

/* One changer at a time has a version. Fenced, so that a reader that entered
 * before the call that follows sees the old word, or the section the new view:
 * pairs with the loads in look_at(). */
void oracle_tell(int version, enum phase phase)
{
	uint64_t now = hp_add_fenced(&clock_now, 1) + 1;

	if (phase == COMING) {
		hp_exchange_fenced(&truth.on[version], 0);
		hp_exchange_fenced(&truth.coming[version], now);
	} else if ((phase == ON || phase == GOING) &&
		   !hp_load_acquire(&truth.on[version])) {
		/* It has its place among the others at the latest now. */
		hp_exchange_fenced(&truth.on[version], now);
	}
	hp_exchange_fenced(&truth.word[version], now << 3 | phase);
}

void oracle_adopting(bool begins)
{
	hp_add_fenced(begins ? &adoptions_begun : &adoptions_ended, 1);
}

static void look_at(struct sight *sight, int version)
{
	do {
		/* Acquire pairs with the exchanges in oracle_tell(). */
		sight->word[version] = hp_load_acquire(&truth.word[version]);
		sight->coming[version] =
			hp_load_acquire(&truth.coming[version]);
		sight->on[version] = hp_load_acquire(&truth.on[version]);
	} while (sight->word[version] != hp_load_acquire(&truth.word[version]));
}

void oracle_look(struct sight *sight)
{
	int version;

	for (version = 1; version <= VERSIONS; version++)
		look_at(sight, version);
}

/* From before the section: a number to compare with later. */
uint64_t oracle_mark(void)
{
	return hp_load_acquire(&adoptions_ended); /* in oracle_adopting() */
}

/* Could no view have been moved since @mark was taken? */
bool oracle_is_strict(uint64_t mark)
{
	/* Acquire as above; a begin without its end counts against it. */
	return hp_load_acquire(&adoptions_begun) == mark;
}

void oracle_begin(struct section *section)
{
	section->meeting = meeting_now();
	oracle_look(&section->after);
	section->version = -1;
}

static bool is_strict(const struct section *section)
{
	return oracle_is_strict(section->mark) &&
	       (!section->is_handler || meeting_tries(false) == section->tries);
}

static void check_meeting(const struct section *section)
{
	if (!section->is_handler &&
	    (section->meeting % 2 || section->meeting != meeting_now()))
		fail("meeting: a bundle migrated during a section",
		     (int)section->meeting, (int)meeting_now());
}

/* Did @version certainly become active before @other? */
static bool is_below(const struct sight *sight, int version, int other)
{
	if (version == 0)
		return true;
	return (phase_of(sight->word[version]) == ON ||
		phase_of(sight->word[version]) == GOING) &&
	       sight->on[version] != 0 &&
	       sight->on[version] < sight->coming[other];
}

static bool is_on_for(const struct section *section, int version)
{
	enum phase phase = phase_of(section->after.word[version]);

	return phase == ON || (phase == WHOLE && section->is_fresh);
}

static void check_not_stale(const struct section *section, int version)
{
	const struct sight *sight = &section->after;
	int other;

	for (other = 1; other <= VERSIONS; other++)
		if (other != version &&
		    sight->word[other] == section->before.word[other] &&
		    is_on_for(section, other) &&
		    is_below(sight, version, other) && is_strict(section))
			fail("stale: an older version than one that was "
			     "active before the section",
			     version, other);
}

static bool is_off_for(const struct section *section, int version)
{
	uint64_t word = section->after.word[version];

	return phase_of(word) == OFF ||
	       (phase_of(word) == STOPPED && section->is_fresh &&
		section->before.word[version] == word);
}

void oracle_check(struct section *section, int version)
{
	if (version < 0 || version > VERSIONS)
		fail("no version", version, 0);
	check_meeting(section);
	if (section->version == version)
		return;
	if (section->version != -1 && is_strict(section))
		fail("mixture: two versions in a section", section->version,
		     version);
	section->version = version;
	if (version && is_off_for(section, version) && is_strict(section))
		fail("stale: a version that is off", version, 0);
	check_not_stale(section, version);
}

void oracle_check_stranger(const struct sight *before, int version)
{
	struct sight after;

	if (version < 0 || version > VERSIONS)
		fail("no version", version, 0);
	if (version == 0)
		return;
	look_at(&after, version);
	if ((phase_of(before->word[version]) == OFF ||
	     phase_of(before->word[version]) >= SHARED) &&
	    after.word[version] == before->word[version])
		fail("stale: a stranger met a version that is off", version, 0);
}

void look(struct section *section)
{
	oracle_check(section, first_answer());
	linger();
	oracle_check(section, second_answer(0));
	oracle_check(section, third_answer(2));
}
