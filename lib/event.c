/* SPDX-License-Identifier: MIT */
/*
 * A cell of the ring is found by taking the next sequence number, claimed by
 * marking it as busy, filled word by word, and published by storing the number
 * into it. A reader copies a cell and believes the copy if the number is there
 * before and after. A writer that meets another one in its cell, which is then
 * all round the ring ahead or behind, gives its event up: it may be a signal
 * handler on top of that other one, so it cannot wait.
 */
#include "event.h"

#include "atomic.h"
#include "probe.h"
#include "status.h"

#include <errno.h>
#include <hotpatch/section.h>
#include <stdbool.h>

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CELLS 1024
#define BUSY UINT64_MAX
#define STATUSES 128
#define WORDS (sizeof(struct hotpatch_event) / sizeof(uint64_t))

_Static_assert(sizeof(struct hotpatch_event) % sizeof(uint64_t) == 0,
	       "an event is copied in words");

union cell {
	struct hotpatch_event event;
	uint64_t words[WORDS];
};

static union cell ring[CELLS];
static uint64_t taken; /* sequence numbers given out */
static uint64_t phase_counts[HP_PHASES];
static uint64_t refusal_counts[STATUSES]; /* by the status, negated */
static uint64_t duration_counts[HP_DURATIONS];
static uint64_t duration_sums_us[HP_DURATIONS];
/* An eventfd, or -1. It is never closed, so whoever writes to it, at any time
 * and from a signal handler too, never writes to another file. */
static int bell = -1;

uint64_t hp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool claim(union cell *cell, uint64_t sequence)
{
	/* Relaxed: the replacement decides. */
	uint64_t before = hp_load_relaxed(&cell->words[0]);

	/* Its acquire pairs with the last store of write_cell(). */
	return before < sequence && hp_replace(&cell->words[0], before, BUSY);
}

static void write_cell(union cell *cell, const union cell *filled)
{
	size_t i;

	if (!claim(cell, filled->words[0]))
		return;
	for (i = 1; i < WORDS; i++)
		/* Release: pairs with read_cell(); the mark comes first. */
		hp_store_release(&cell->words[i], filled->words[i]);
	/* Release: pairs with read_cell(); the words come first. */
	hp_store_release(&cell->words[0], filled->words[0]);
}

static bool read_cell(const union cell *cell, uint64_t sequence,
		      struct hotpatch_event *event)
{
	union cell copy;
	size_t i;

	/* Acquire pairs with the last store of write_cell(). */
	copy.words[0] = hp_load_acquire(&cell->words[0]);
	for (i = 1; i < WORDS; i++)
		/* Acquire pairs with the stores of write_cell(): if one is
		 * newer, the number below is no longer the old one. */
		copy.words[i] = hp_load_acquire(&cell->words[i]);
	/* Relaxed: ordered by the acquires above. */
	if (copy.words[0] != sequence ||
	    hp_load_relaxed(&cell->words[0]) != sequence)
		return false;
	memcpy(event, &copy.event, sizeof(*event));
	return true;
}

/* Relaxed throughout: figures for people. */
static void count(enum hotpatch_phase phase, enum hotpatch_status status)
{
	hp_add_relaxed(&phase_counts[phase], 1);
	if (phase == HOTPATCH_PHASE_REFUSED)
		hp_add_relaxed(&refusal_counts[-status % STATUSES], 1);
}

/* A full counter has rung already. */
static void ring_bell(void)
{
	const uint64_t one = 1;
	int os_error = errno;
	int fd = hp_load_relaxed(&bell); /* relaxed: a number, no more */

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		errno = os_error;
}

void hp_event(enum hotpatch_phase phase, enum hotpatch_status status,
	      const char *patch, const char *object)
{
	union cell filled;

	memset(&filled, 0, sizeof(filled));
	filled.event.time_ns = hp_now_ns();
	filled.event.phase = phase;
	/* Relaxed: a figure for people. */
	filled.event.generation = hp_load_relaxed(&hotpatch_generation);
	filled.event.status = status;
	hp_text_copy(filled.event.patch, sizeof(filled.event.patch), patch);
	hp_text_copy(filled.event.object, sizeof(filled.event.object), object);
	/* Relaxed: the number orders the events, not memory. */
	filled.event.sequence = hp_add_relaxed(&taken, 1) + 1;
	write_cell(&ring[filled.event.sequence % CELLS], &filled);
	hp_probe(&filled.event);
	count(phase, status);
	ring_bell();
}

uint64_t hp_event_last(void)
{
	/* Relaxed: a number, no more. */
	return hp_load_relaxed(&taken);
}

uint64_t hp_event_count(enum hotpatch_phase phase)
{
	return hp_load_relaxed(&phase_counts[phase]); /* see count() */
}

uint64_t hp_event_refusals(enum hotpatch_status status)
{
	return hp_load_relaxed(&refusal_counts[-status % STATUSES]);
}

void hp_event_duration(enum hp_duration kind, uint64_t us)
{
	hp_add_relaxed(&duration_counts[kind], 1); /* relaxed: likewise */
	hp_add_relaxed(&duration_sums_us[kind], us);
}

void hp_event_durations(enum hp_duration kind, uint64_t *count,
			uint64_t *sum_us)
{
	*count = hp_load_relaxed(&duration_counts[kind]);
	*sum_us = hp_load_relaxed(&duration_sums_us[kind]);
}

int hp_event_announce(void)
{
	int fd = hp_load_relaxed(&bell); /* relaxed: a number, no more */

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Its acquire and release order nothing: a number, no more. */
	if (fd >= 0 && !hp_replace(&bell, -1, fd))
		close(fd);
	return hp_load_relaxed(&bell);
}

int hp_event_bell(void)
{
	return hp_load_relaxed(&bell);
}

void hp_event_fork_child(void)
{
	int fd = hp_load_relaxed(&bell);

	/* It is the parent's, too. */
	hp_store_relaxed(&bell, -1);
	if (fd >= 0) {
		close(fd);
		hp_event_announce();
	}
}

/* Without stdio, which is not async-signal-safe. */
void hp_event_thread(enum hotpatch_phase phase, int thread)
{
	char digits[24] = "thread ";
	char reversed[12];
	size_t count = 0;
	size_t at = strlen(digits);

	do {
		reversed[count++] = (char)('0' + thread % 10);
		thread /= 10;
	} while (thread > 0);
	while (count > 0)
		digits[at++] = reversed[--count];
	hp_event(phase, HOTPATCH_OK, NULL, digits);
}

const char *hotpatch_phase_name(enum hotpatch_phase phase)
{
	switch (phase) {
#define NAME(name, text)                                                       \
	case HOTPATCH_##name:                                                  \
		return text;
		HOTPATCH_PHASE_MAP(NAME)
#undef NAME
	}
	return "unknown";
}

size_t hotpatch_event_read(uint64_t after, struct hotpatch_event *events,
			   size_t size)
{
	/* Relaxed: an event that is not published yet is left for later. */
	uint64_t last = hp_load_relaxed(&taken);
	size_t count = 0;
	uint64_t i;

	if (last > CELLS && after < last - CELLS)
		after = last - CELLS;
	for (i = after + 1; i <= last && count < size; i++)
		if (read_cell(&ring[i % CELLS], i, &events[count]))
			count++;
	return count;
}
