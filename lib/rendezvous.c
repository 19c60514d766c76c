/* SPDX-License-Identifier: MIT */
/*
 * Why nobody is in a section while the gate is closed, and why the fast paths
 * pay nothing for it:
 *
 * An enter announces the view that it reads from the entrance, and compares it
 * with the generation. The two are the same but while the gate is closed:
 * closing makes a new generation and leaves the entrance behind. So every
 * enter from then on finds them different and takes its slow path, which finds
 * the gate closed, takes the announcement back and sleeps; and every safe
 * point of a section finds a newer generation, takes its slow path, and does
 * the same. An enter that compared before the gate closed had announced
 * itself before that: the barrier after closing makes the announcement
 * visible to the scan, which waits for it as for every other section.
 *
 * Once a scan has found all tasks at rest, it stays so until the gate opens,
 * apart from signal handlers that interrupt a task that waits: they must not
 * wait, and are no more than threads in no section.
 */
#include "rendezvous.h"

#include "atomic.h"
#include "blocker.h"
#include "engine.h"
#include "event.h"
#include "scan.h"
#include "status.h"
#include "step.h"
#include "task.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE_NS 20000u
#define LONGEST_PAUSE_NS 1000000u
#define SLEEP_NS 10000000u /* of a task, before it looks again */

/* Odd while the gate is closed. Written under the engine's lock; tasks read it
 * without, and sleep on it. */
static uint32_t gate;

/* Tasks that wait, until they have gone on. */
static uint32_t waiting;

/* The calling thread closed it: what it runs meanwhile must not wait. */
static __thread bool is_mine __attribute__((tls_model("initial-exec")));

static const struct hp_task_range everybody = {1, UINT64_MAX, HP_ANY_PARITY};

static bool is_closed(void)
{
	/*
	 * Fenced pairs with the additions below: of a task that announced
	 * itself and then looks here, and the scan that comes after closing,
	 * one sees the other. Where there is membarrier, the one in
	 * hp_rendezvous_gather() is the fence between the task's two steps.
	 * Its acquire orders what the section does after the migration.
	 */
	return hp_load_fenced(&gate) & 1;
}

bool hp_rendezvous_is_on(void)
{
	return !is_mine && is_closed();
}

static void close_gate(void)
{
	is_mine = true;
	hp_add_fenced(&gate, 1); /* pairs with is_closed() */
	hp_view_close();
}

void hp_rendezvous_open(void)
{
	hp_view_open();
	hp_add_fenced(&gate, 1); /* pairs with is_closed() */
	is_mine = false;
	syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	hp_progress_made();
}

static void sleep_at_gate(void)
{
	const struct timespec timeout = {.tv_nsec = SLEEP_NS};
	uint32_t seen = hp_load_fenced(&gate); /* as in is_closed() */

	if (seen & 1)
		syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, seen, &timeout,
			NULL, 0);
}

void hp_rendezvous_wait(void)
{
	int saved = errno;

	hp_progress_made();
	sleep_at_gate();
	errno = saved;
}

void hp_rendezvous_arrive(void)
{
	hp_add_relaxed(&waiting, 1); /* see let_them_go_on() */
}

void hp_rendezvous_depart(void)
{
	hp_add_relaxed(&waiting, (uint32_t)-1); /* likewise */
}

void hp_rendezvous_fork_child(void)
{
	hp_store_relaxed(&waiting, 0); /* the only thread */
}

/*
 * Those whom the last meeting released may not have woken yet. Who tries again
 * at once would keep them at the gate for ever, with the locks that they hold.
 */
static void let_them_go_on(uint64_t until_ns)
{
	/* Relaxed: nothing but fairness depends on it. */
	while (hp_load_relaxed(&waiting) && hp_now_ns() < until_ns)
		hp_progress_wait(hp_progress_now(), FIRST_PAUSE_NS);
}

static bool all_rest(void)
{
	return hp_scan_none_in(&everybody, 1);
}

/* Looks by itself for tasks that leave without a word; those that come to wait
 * wake it. */
static bool await_all(uint64_t until_ns)
{
	uint64_t pause_ns = FIRST_PAUSE_NS;
	uint64_t now_ns;
	uint32_t seen;

	for (;;) {
		seen = hp_progress_now();
		if (all_rest())
			return true;
		now_ns = hp_now_ns();
		if (now_ns >= until_ns)
			return false;
		if (pause_ns > until_ns - now_ns)
			pause_ns = until_ns - now_ns;
		hp_progress_wait(seen, pause_ns);
		pause_ns = pause_ns * 2 < LONGEST_PAUSE_NS ? pause_ns * 2 :
							     LONGEST_PAUSE_NS;
	}
}

static enum hotpatch_status gather(uint64_t until_ns, unsigned int timeout_ms,
				   struct hotpatch_error *err)
{
	char who[64];
	char all[160];

	if (HP_KEEP(GATHER_BARRIER) && !hp_barrier())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "membarrier",
				"membarrier was available at start and is "
				"refused now");
	if (await_all(until_ns))
		return HOTPATCH_OK;
	hp_blocker_name(&everybody, 1, who, sizeof(who));
	hp_blocker_names(&everybody, 1, all, sizeof(all));
	return hp_error(err, HOTPATCH_E_RENDEZVOUS, 0, who,
			"still in sections after %u ms, so that all went on as "
			"before: %s",
			timeout_ms, all);
}

enum hotpatch_status hp_rendezvous_gather(const char *patch,
					  unsigned int timeout_ms,
					  struct hotpatch_error *err)
{
	uint64_t until_ns = hp_now_ns() + (uint64_t)timeout_ms * 1000000u;
	enum hotpatch_status status;

	hp_engine_unlock();
	let_them_go_on(until_ns);
	hp_engine_lock();
	close_gate();
	hp_event(HOTPATCH_PHASE_GATHERING, HOTPATCH_OK, patch, NULL);
	hp_engine_unlock();
	status = gather(until_ns, timeout_ms, err);
	hp_engine_lock();
	if (status != HOTPATCH_OK)
		hp_rendezvous_open();
	return status;
}

void hp_rendezvous_lock_open(void)
{
	hp_engine_lock();
	while (hp_rendezvous_is_on()) {
		hp_engine_unlock();
		sleep_at_gate();
		hp_engine_lock();
	}
}
