/* SPDX-License-Identifier: MIT */
/*
 * Chance and delays. Most steps pass at once, so that the fast cases stay as
 * they are; some spin, yield or sleep for a moment, and a few for so long that
 * everybody else goes on meanwhile. Each thread has a generator for its
 * decisions and one for its delays, whose number depends on what the others do.
 */
#include "torture.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct options options = {
	.seconds = 10,
	.patience_s = 60,
};

static __thread uint64_t delays __attribute__((tls_model("initial-exec")));
static __thread bool lingers_long __attribute__((tls_model("initial-exec")));
static uint32_t stretched;

uint32_t roll(uint64_t *state, uint32_t sides)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % sides;
}

void chance_start(unsigned int index)
{
	delays = (options.seed + 1) * 2654435761u + index;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spin(uint32_t count)
{
	while (count-- > 0)
		__asm__ volatile("" ::: "memory");
}

static void sleep_ns(long ns)
{
	const struct timespec time = {0, ns};

	nanosleep(&time, NULL);
}

/* Also a sleep, but in another system call, and one that signals end. */
static void futex_ns(long ns)
{
	const struct timespec time = {0, ns};
	static uint32_t never;

	syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
}

/* One of @sides chances for a delay at all. */
static void delay(uint32_t sides)
{
	int saved = errno;

	switch (roll(&delays, sides * 16)) {
	case 0:
		sleep_ns(1000 + (long)roll(&delays, 100000));
		break;
	case 1:
		futex_ns(1000 + (long)roll(&delays, 100000));
		break;
	case 2:
		if (roll(&delays, 16) == 0)
			sleep_ns((long)roll(&delays, 3000000));
		break;
	case 3:
	case 4:
	case 5:
		sched_yield();
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		spin(roll(&delays, 2000));
		break;
	case 12:
	case 13:
	case 14:
	case 15:
		spin(roll(&delays, 100));
		break;
	}
	errno = saved;
}

void linger_long_once(void)
{
	lingers_long = true;
}

void linger(void)
{
	if (lingers_long) {
		lingers_long = false;
		sleep_ns(3000000);
	}
	delay(4);
}

void nap(uint64_t *state, uint32_t longest_us)
{
	sleep_ns(1000 + (long)roll(state, longest_us) * 1000);
}

void hp_step_pass(enum hp_step step)
{
	if (step == HP_STEP_ALL_FENCED)
		buffer_fence();
	/* As long as a sleeper needs to wake up. */
	if (step == HP_STEP_ADOPT_FOR && options.focus[step])
		sleep_ns((long)roll(&delays, 3000000));
	delay(options.focus[step] ? 1 : 32);
}

/*
 * hotpatch_dispatch makes no system call, so nobody can be caught asleep in it,
 * with a view read but not followed. Here neither: what yields stays runnable.
 */
void hp_step_dispatch(void)
{
	int saved = errno;

	if (buffer_is_in_use() && roll(&delays, 4) == 0)
		buffer_wait(&delays);
	else if (roll(&delays, options.focus[HP_STEP_DISPATCH] ? 2 : 32) == 0)
		spin(roll(&delays, 20000));
	else if (roll(&delays, 64) == 0)
		sched_yield();
	errno = saved;
}

void stretch_pauses(bool stretch)
{
	hp_store_relaxed(&stretched, stretch); /* a flag for itself */
}

uint64_t hp_step_pause(uint64_t pause_ns)
{
	if (hp_load_relaxed(&stretched)) /* as above */
		return (uint64_t)(options.patience_s * 4e9);
	return pause_ns;
}
