/* SPDX-License-Identifier: MIT */
/*
 * There is one question for all patches on probation, since it is about the
 * process. One thread at a time asks it; the others go on to compare figures,
 * and notice when the answer does not come.
 *
 * That a patch failed is noted under the lock, and it is taken back afterwards
 * by whoever polls, as often as it takes: another change may be open, or tasks
 * late for a rendezvous. Active patches that require it go before it. Then it
 * is put into quarantine, so that no start brings it back by itself, and only
 * then its marker goes: whenever the process ends, one of both tells of it.
 */
#include "trial.h"

#include "contain.h"
#include "engine.h"
#include "event.h"
#include "patch.h"
#include "probation.h"
#include "quarantine.h"
#include "status.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL_MS 100
#define RETRY_NS 10000000u
#define WAIT_NS 5000000u
/* How long an answer may take: so many intervals, and no less than that. */
#define PATIENCE_INTERVALS 10
#define PATIENCE_NS 1000000000u

#define NS_OF_MS 1000000u

/*
 * @next_ns:  when to ask again
 * @asker:    of the call that is running, since @asked_ns
 * @patience_ns: how long that call may take
 * @overdue:  it took longer, and a patch went for it: since then it has that
 *            long again, and what it will say is not about what is left
 */
static struct {
	const char *(*check)(void *argument);
	void *argument;
	uint64_t next_ns;
	bool asking;
	bool overdue;
	pthread_t asker;
	uint64_t asked_ns;
	uint64_t patience_ns;
} host;

/* The figures when a patch came or went last. */
static struct hp_health_figures epoch;

static __thread bool asks_here __attribute__((tls_model("initial-exec")));

bool hp_trial_asks_here(void)
{
	return asks_here;
}

bool hp_trial_is_asking(void)
{
	bool asking;

	hp_engine_lock();
	asking = host.asking;
	hp_engine_unlock();
	return asking;
}

bool hp_trial_is_open(const struct hotpatch_patch *patch)
{
	return patch->trial.until_ns != 0;
}

/* A marker that is of no use any more. */
static bool is_marked_in_vain(const struct hotpatch_patch *patch)
{
	const struct hp_trial *trial = &patch->trial;

	return trial->marked && !trial->length_ns &&
	       (!trial->failed || trial->recorded);
}

/* It failed, was taken back, and nobody has noted that for later. */
static bool is_unrecorded(const struct hotpatch_patch *patch)
{
	return patch->trial.failed && !patch->trial.recorded &&
	       patch->state != HOTPATCH_ACTIVE && !patch->changing;
}

bool hp_trial_is_contained(const struct hotpatch_patch *patch)
{
	return patch->trial.length_ns ||
	       (patch->trial.failed && patch->state >= HOTPATCH_APPLYING &&
		patch->state <= HOTPATCH_REVERTING);
}

bool hp_trial_is_owed(const struct hotpatch_patch *patch)
{
	return patch->trial.marked || is_unrecorded(patch);
}

/* On probation, and not just now in a change. */
static bool is_watched(const struct hotpatch_patch *patch)
{
	return hp_trial_is_open(patch) && !patch->changing &&
	       patch->state == HOTPATCH_ACTIVE;
}

uint64_t hp_trial_left_ms(const struct hotpatch_patch *patch)
{
	uint64_t now_ns = hp_now_ns();

	if (patch->trial.until_ns <= now_ns)
		return hp_trial_is_open(patch);
	return (patch->trial.until_ns - now_ns) / NS_OF_MS + 1;
}

void hp_trial_plan(struct hotpatch_patch *patch,
		   const struct hotpatch_apply_options *options)
{
	struct hp_trial *trial = &patch->trial;
	struct hp_health_figures before;
	bool marked = trial->marked;
	unsigned int interval_ms;

	memset(trial, 0, sizeof(*trial));
	trial->marked = marked;
	hp_contain_forget(patch);
	hp_patch_forget_reason(patch);
	if (!options || !options->probation_ms)
		return;
	interval_ms = options->health_interval_ms;
	trial->length_ns = (uint64_t)options->probation_ms * NS_OF_MS;
	trial->interval_ns =
		(uint64_t)(interval_ms ? interval_ms : INTERVAL_MS) * NS_OF_MS;
	trial->limits.errors = options->health_errors;
	trial->limits.latency_percent = options->health_latency_percent;
	trial->limits.tail_percent = options->health_tail_percent;
	hp_health_read(&before);
	hp_health_subtract(&before, &epoch);
	hp_health_sum_up(&before, &trial->before);
}

static void begin(struct hotpatch_patch *patch)
{
	struct hp_trial *trial = &patch->trial;
	uint64_t now_ns = hp_now_ns();

	trial->start = epoch;
	trial->until_ns = now_ns + trial->length_ns;
	host.next_ns = now_ns;
	hp_event(HOTPATCH_PHASE_PROBATION, HOTPATCH_OK, patch->manifest.name,
		 NULL);
}

/* One that failed is remembered until it is applied anew. */
static void end(struct hotpatch_patch *patch)
{
	patch->trial.length_ns = 0;
	patch->trial.until_ns = 0;
}

void hp_trial_call_off(struct hotpatch_patch *patch)
{
	if (patch->state != HOTPATCH_ACTIVE)
		end(patch);
}

/* Without a directory there is nobody to tell. */
enum hotpatch_status hp_trial_mark(struct hotpatch_patch *patch,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;

	if (!patch->trial.length_ns || patch->trial.marked)
		return HOTPATCH_OK;
	hp_engine_unlock();
	status = hp_probation_mark(&patch->identity, err);
	hp_engine_lock();
	patch->trial.marked = status == HOTPATCH_OK;
	return status == HOTPATCH_E_STATE ? HOTPATCH_OK : status;
}

void hp_trial_change_is_over(struct hotpatch_patch *patch)
{
	hp_health_read(&epoch);
	if (patch->state != HOTPATCH_ACTIVE)
		end(patch);
	else if (patch->trial.length_ns && !hp_trial_is_open(patch) &&
		 !patch->trial.failed)
		begin(patch);
}

void hp_trial_fail(struct hotpatch_patch *patch, const char *reason)
{
	struct hp_trial *trial = &patch->trial;

	if (trial->failed)
		return;
	trial->failed = true;
	trial->retry_ns = 0;
	end(patch);
	hp_text_copy(trial->reason, sizeof(trial->reason), reason);
	hp_patch_explain(patch, HOTPATCH_E_UNHEALTHY, "%s", trial->reason);
	hp_event(HOTPATCH_PHASE_UNHEALTHY, HOTPATCH_E_UNHEALTHY,
		 patch->manifest.name, trial->reason);
}

/* Of those on probation, the one that became active last. */
static struct hotpatch_patch *newest_watched(void)
{
	struct hotpatch_patch *newest = NULL;
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next)
		if (is_watched(patch) &&
		    (!newest || patch->order > newest->order))
			newest = patch;
	return newest;
}

static void blame(const char *reason)
{
	struct hotpatch_patch *newest = newest_watched();

	if (newest)
		hp_trial_fail(newest, reason);
}

static void blame_for_silence(uint64_t now_ns)
{
	char reason[96];

	snprintf(reason, sizeof(reason), "the health check took over %.1f s",
		 (double)host.patience_ns / 1e9);
	host.overdue = true;
	host.asked_ns = now_ns;
	blame(reason);
}

/* The first question that is due, and how long its answer may take. */
static bool is_due(uint64_t now_ns)
{
	const struct hotpatch_patch *patch;
	uint64_t interval_ns = UINT64_MAX;
	bool last = false;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!is_watched(patch))
			continue;
		last |= now_ns >= patch->trial.until_ns;
		if (patch->trial.interval_ns < interval_ns)
			interval_ns = patch->trial.interval_ns;
	}
	if (interval_ns == UINT64_MAX || (now_ns < host.next_ns && !last))
		return false;
	host.next_ns = now_ns + interval_ns;
	host.patience_ns = interval_ns * PATIENCE_INTERVALS;
	if (host.patience_ns < PATIENCE_NS)
		host.patience_ns = PATIENCE_NS;
	return true;
}

/* With the lock, which is released meanwhile. True if all is well. */
static bool ask(uint64_t now_ns)
{
	const char *(*check)(void *argument) = host.check;
	void *argument = host.argument;
	const char *reason;
	bool in_time;

	host.asking = true;
	host.overdue = false;
	host.asker = pthread_self();
	host.asked_ns = now_ns;
	hp_engine_unlock();
	asks_here = true;
	reason = check(argument);
	asks_here = false;
	hp_engine_lock();
	host.asking = false;
	now_ns = hp_now_ns();
	in_time = !host.overdue && now_ns - host.asked_ns <= host.patience_ns;
	if (reason && !host.overdue)
		blame(reason);
	else if (!in_time && !host.overdue)
		blame_for_silence(now_ns);
	hp_progress_made();
	return in_time && !reason;
}

/* True if nothing is known against the process. */
static bool ask_if_due(uint64_t now_ns)
{
	if (!host.check)
		return true;
	if (!host.asking)
		return !is_due(now_ns) || ask(now_ns);
	if (now_ns - host.asked_ns > host.patience_ns)
		blame_for_silence(now_ns);
	return false;
}

static void judge(struct hotpatch_patch *patch)
{
	struct hp_trial *trial = &patch->trial;
	struct hp_health_figures figures;
	struct hp_health_summary now;
	char reason[sizeof(trial->reason)];

	hp_health_read(&figures);
	hp_health_subtract(&figures, &trial->start);
	hp_health_sum_up(&figures, &now);
	if (!hp_health_judge(&trial->limits, &trial->before, &now, reason,
			     sizeof(reason)))
		hp_trial_fail(patch, reason);
}

/* @now_ns: before the last question, if there is anybody to ask. */
static void pass_if_over(struct hotpatch_patch *patch, uint64_t now_ns)
{
	if (now_ns < patch->trial.until_ns)
		return;
	end(patch);
	hp_event(HOTPATCH_PHASE_HEALTHY, HOTPATCH_OK, patch->manifest.name,
		 NULL);
	hp_progress_made();
}

/* Whether it is on trial still, or its change is under way. */
static void look_for_fault(struct hotpatch_patch *patch)
{
	char text[HP_FAULT_SIZE];

	if ((patch->state == HOTPATCH_ACTIVE ||
	     patch->state == HOTPATCH_APPLYING) &&
	    patch->trial.length_ns && hp_contain_fault(patch, text))
		hp_trial_fail(patch, text);
}

static void look(void)
{
	uint64_t now_ns = hp_now_ns();
	bool well = ask_if_due(now_ns);
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		look_for_fault(patch);
		if (is_watched(patch))
			judge(patch);
		if (is_watched(patch) && well)
			pass_if_over(patch, now_ns);
	}
}

static bool is_to_go(const struct hotpatch_patch *patch)
{
	return patch->trial.failed && (patch->state == HOTPATCH_APPLYING ||
				       patch->state == HOTPATCH_ACTIVE);
}

/* Failed, and still there: with a reference, to be taken back. One that tasks
 * are moving to is turned round. */
static struct hotpatch_patch *next_failed(void)
{
	uint64_t now_ns = hp_now_ns();
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!is_to_go(patch) || patch->trial.retry_ns > now_ns ||
		    (patch->changing && patch->state == HOTPATCH_ACTIVE))
			continue;
		patch->trial.retry_ns = now_ns + RETRY_NS;
		patch->references++;
		return patch;
	}
	return NULL;
}

/* Who is in the way of @patch's revert goes with it, and before. */
static void fail_dependent(const struct hotpatch_patch *patch, const char *name)
{
	struct hotpatch_patch *dependent = hp_patch_active(name);
	char reason[sizeof(patch->trial.reason)];

	snprintf(reason, sizeof(reason),
		 "%s, which it requires, failed: %.100s", patch->manifest.name,
		 patch->trial.reason);
	if (!dependent)
		return;
	hp_trial_fail(dependent, reason);
	dependent->trial.recorded = true;
}

static void take_back(struct hotpatch_patch *patch)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};
	enum hotpatch_status status = hp_patch_take_back(patch, &err);

	hp_engine_lock();
	if (status == HOTPATCH_E_REQUIRES)
		fail_dependent(patch, err.object);
	if (is_to_go(patch))
		hp_patch_explain(patch, HOTPATCH_E_UNHEALTHY, "%s",
				 patch->trial.reason);
	hp_engine_unlock();
	hp_patch_release(patch);
}

static unsigned int count(void)
{
	const struct hotpatch_patch *patch;
	unsigned int patches = 0;

	for (patch = hp_patches; patch; patch = patch->next)
		patches += hp_trial_is_open(patch) || is_to_go(patch) ||
			   (patch->trial.length_ns &&
			    patch->state == HOTPATCH_APPLYING);
	return patches;
}

unsigned int hp_trial_count(void)
{
	unsigned int patches;

	hp_engine_lock();
	patches = count();
	hp_engine_unlock();
	return patches;
}

/* With a reference, to be dealt with without the lock. */
static struct hotpatch_patch *
next_that(bool (*is_wanted)(const struct hotpatch_patch *patch))
{
	struct hotpatch_patch *patch = hp_patches;

	while (patch && !is_wanted(patch))
		patch = patch->next;
	if (patch)
		patch->references++;
	return patch;
}

/* What cannot be noted is told; the process goes on. */
static void record(struct hotpatch_patch *patch)
{
	char reason[sizeof(patch->trial.reason)];
	struct hotpatch_error err;
	enum hotpatch_status status;

	patch->trial.recorded = true;
	hp_text_copy(reason, sizeof(reason), patch->trial.reason);
	hp_engine_unlock();
	status = hp_quarantine_add(&patch->identity, reason, &err);
	if (status != HOTPATCH_OK && status != HOTPATCH_E_STATE)
		hp_event(HOTPATCH_PHASE_REFUSED, status, patch->manifest.name,
			 "quarantine");
	hp_patch_release(patch);
	hp_engine_lock();
}

/* One that cannot be removed now is by the end of the process. */
static void unmark(struct hotpatch_patch *patch)
{
	patch->trial.marked = false;
	hp_engine_unlock();
	if (hp_probation_clear(&patch->identity, NULL) == HOTPATCH_E_STORE)
		hp_event(HOTPATCH_PHASE_REFUSED, HOTPATCH_E_STORE,
			 patch->manifest.name, "probation");
	hp_patch_release(patch);
	hp_engine_lock();
}

void hp_trial_sync(void)
{
	struct hotpatch_patch *patch;

	hp_engine_lock();
	while ((patch = next_that(is_unrecorded)))
		record(patch);
	while ((patch = next_that(is_marked_in_vain)))
		unmark(patch);
	hp_engine_unlock();
}

void hp_trial_poll(void)
{
	struct hotpatch_patch *patch;

	hp_engine_lock();
	if (count())
		look();
	while ((patch = next_failed())) {
		hp_engine_unlock();
		take_back(patch);
		hp_engine_lock();
	}
	hp_engine_unlock();
	hp_trial_sync();
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

int hp_trial_idle_ms(void)
{
	const struct hotpatch_patch *patch;
	uint64_t due_ns = UINT64_MAX;
	uint64_t now_ns = hp_now_ns();

	hp_engine_lock();
	for (patch = hp_patches; patch; patch = patch->next) {
		if (is_to_go(patch))
			due_ns = earlier(due_ns, patch->trial.retry_ns);
		if (!hp_trial_is_open(patch))
			continue;
		due_ns = earlier(due_ns, patch->trial.until_ns);
		due_ns = earlier(due_ns, now_ns + patch->trial.interval_ns);
	}
	if (due_ns != UINT64_MAX && host.check && host.next_ns > now_ns)
		due_ns = earlier(due_ns, host.next_ns);
	hp_engine_unlock();
	if (due_ns == UINT64_MAX)
		return -1;
	due_ns = due_ns > now_ns ? (due_ns - now_ns) / NS_OF_MS + 1 : 0;
	return due_ns > INT_MAX ? INT_MAX : (int)due_ns;
}

void hp_trial_fork_child(void)
{
	if (!pthread_equal(host.asker, pthread_self()))
		host.asking = false;
}

/* Not before a call that runs elsewhere has returned. */
static void lock_when_quiet(void)
{
	uint32_t seen;

	for (;;) {
		seen = hp_progress_now();
		hp_engine_lock();
		if (!host.asking || asks_here)
			return;
		hp_engine_unlock();
		hp_progress_wait(seen, WAIT_NS);
	}
}

enum hotpatch_status hotpatch_health_check(const char *(*check)(void *argument),
					   void *argument,
					   struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	int cancel_state = 0;

	if (!asks_here)
		status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	lock_when_quiet();
	host.check = check;
	host.argument = argument;
	hp_engine_unlock();
	if (!asks_here)
		hp_engine_leave(cancel_state);
	return HOTPATCH_OK;
}
