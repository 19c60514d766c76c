/* SPDX-License-Identifier: MIT */
/*
 * Threads that call what is being patched.
 */
/* Its sections begin with steps in the inline enter; those of the other files
 * are as every program has them. */
#define TORTURE_STEPS_IN_HEADER
#include "torture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STORM_PERIOD_NS 100000

static void nested(uint64_t *state, uint32_t depth, int expected)
{
	struct section section;

	section_enter(&section);
	hotpatch_safe_point(); /* does nothing unless outermost */
	oracle_begin(&section);
	section.version = expected;
	look(&section);
	if (depth)
		nested(state, depth - 1, section.version);
	look(&section);
	hotpatch_leave();
}

static void sleep_in_section(uint64_t *state)
{
	struct section section;

	section_enter(&section);
	look(&section);
	nap(state, roll(state, 8) ? 400 : 8000);
	section_leave(&section);
}

static void pass_safe_points(uint64_t *state)
{
	uint32_t count = 1 + roll(state, 200);
	struct section section;

	section_enter(&section);
	while (count-- > 0) {
		if (roll(state, 4) == 0)
			hotpatch_task_key(roll(state, TASK_KEYS));
		section_safe_point(&section);
		look(&section);
	}
	section_leave(&section);
}

static void one_piece_of_work(uint64_t *state)
{
	if (roll(state, 4) == 0)
		hotpatch_task_key(roll(state, TASK_KEYS));
	switch (roll(state, 8)) {
	case 0:
		sleep_in_section(state);
		break;
	case 1:
		nap(state, 300);
		break;
	case 2:
	case 3:
		nested(state, roll(state, 4), -1);
		break;
	case 4:
		pass_safe_points(state);
		break;
	default:
		short_sections(state);
		break;
	}
}

static uint64_t start(void *index)
{
	chance_start((unsigned int)(uintptr_t)index);
	return options.seed * 1000003u + (uintptr_t)index;
}

void *work(void *index)
{
	uint64_t state = start(index);

	while (!is_over()) {
		one_piece_of_work(&state);
		quiet_point(true);
	}
	return NULL;
}

/* The library's own enter and leave, with their steps, on every CPU. */
void *work_always_slow(void *index)
{
	become_task();
	hotpatch_self->depth |= ALWAYS_SLOW;
	return work(index);
}

/*
 * Sleeps in its section until a deadline may strike, at which its view is moved
 * for it, and wakes up into what it then has no view of any more: for long, so
 * that the patch is gone if nobody waits for the section.
 */
void *doze(void *index)
{
	uint64_t state = start(index);
	struct section section;

	while (!is_over()) {
		section_enter(&section);
		nap(&state, 3000);
		linger_long_once();
		oracle_check(&section, second_answer(0));
		section_leave(&section);
		quiet_point(true);
	}
	return NULL;
}

/* Ends soon, now and then in the middle of a section. */
static void *work_briefly(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	uint32_t count = roll(&state, 5);

	chance_start((unsigned int)state);
	while (count-- > 0)
		one_piece_of_work(&state);
	if (roll(&state, 2))
		hotpatch_enter();
	return NULL;
}

void *come_and_go(void *index)
{
	uint64_t state = start(index);
	pthread_t threads[3];
	uint32_t count;
	uint32_t i;

	become_task();
	while (!is_over()) {
		count = 1 + roll(&state, 3);
		crew_begin_change();
		for (i = 0; i < count; i++)
			if (pthread_create(&threads[i], NULL, work_briefly,
					   (void *)(uintptr_t)roll(&state,
								   1 << 30)))
				fail("no thread could be made", errno, 0);
		for (i = 0; i < count; i++)
			pthread_join(threads[i], NULL);
		crew_end_change();
		quiet_point(false);
	}
	return NULL;
}

/* Never in a section, so each call may see another version. */
void *call_as_stranger(void *index)
{
	uint64_t state = start(index);
	struct sight before;
	uint32_t count;

	while (!is_over()) {
		for (count = roll(&state, 4); count > 0; count--) {
			oracle_look(&before);
			oracle_check_stranger(
				&before, roll(&state, 2) ? second_answer(0) :
							   third_answer(3));
		}
		/* Long enough to be caught asleep. */
		poll(NULL, 0, 1 + (int)roll(&state, 20));
		quiet_point(false);
	}
	return NULL;
}

/* A section of its own, or one inside of what was interrupted. */
static void handle(int number)
{
	struct section section;
	int saved = errno;

	(void)number;
	section_enter(&section);
	section.is_handler = true;
	look(&section);
	section_safe_point(&section);
	section.is_handler = true;
	look(&section);
	hotpatch_leave();
	linger();
	errno = saved;
}

void catch_storms(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handle;
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
}

void *work_in_a_storm(void *index)
{
	const struct itimerspec period = {{0, STORM_PERIOD_NS},
					  {0, STORM_PERIOD_NS}};
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &period, NULL) != 0)
		fail("no timer could be made", errno, 0);
	if ((uintptr_t)index & 1)
		work_always_slow(index);
	else
		work(index);
	timer_delete(timer);
	return NULL;
}
