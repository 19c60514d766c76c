/* SPDX-License-Identifier: MIT */
/*
 * Children, made at any moment, also in the middle of a section or of somebody
 * else's transition. A child can call what is patched, in one version a
 * section, and it can patch itself; now and then it forces a transition, whose
 * old code it then keeps for good.
 */
#include "torture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if UNDER_TSAN
#define PAUSE_MS 100
#define FORCES 0 /* the sanitizer starts no threads in children */
#else
#define PAUSE_MS 20
#define FORCES 1
#endif

/*
 * A sanitizer's runtime does not hand the locks of its own allocators over to a
 * child. Under the thread sanitizer each thread that starts or ends takes
 * __sanitizer::internal_allocator_cache_mu, each that changes patches takes
 * those of the heap, and a child that was made meanwhile waits in dlopen() for
 * a thread that it does not have. So there a child may call at any moment,
 * but opens patches only if it was made while no thread changed any, and none
 * came or went.
 */
#define HEAP_SURVIVES (!SANITIZED)

#define STILLNESS_S 1 /* to wait for it */

static pthread_rwlock_t crew_lock =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static uint32_t sleeper_entered;
static uint32_t sleeper_may_leave;

static int one_version(void)
{
	int version;

	hotpatch_enter();
	version = first_answer();
	if (second_answer(0) != version || third_answer(2) != version)
		fail("mixture: two versions in a section of a child", version,
		     second_answer(0));
	hotpatch_leave();
	return version;
}

static void *sleep_in_section(void *argument)
{
	hotpatch_enter();
	hp_store_release(&sleeper_entered, 1); /* pairs with the loads below */
	while (!hp_load_acquire(&sleeper_may_leave))
		poll(NULL, 0, 1);
	hotpatch_leave();
	return argument;
}

/* A revert that cannot wait for the thread that has the patch in its view. */
static void force_away(struct hotpatch_patch *patch)
{
	struct hotpatch_apply_options forced = {
		.size = sizeof(forced),
		.deadline_ms = 1,
		.policy = HOTPATCH_FORCE,
	};
	struct hotpatch_patch_info info;
	struct hotpatch_error err;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleep_in_section, NULL))
		fail("no thread could be made in a child", errno, 0);
	while (!hp_load_acquire(&sleeper_entered)) /* its release is above */
		poll(NULL, 0, 1);
	must(hotpatch_patch_revert(patch, &forced, &err), &err);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	hp_store_release(&sleeper_may_leave, 1); /* as above */
	pthread_join(thread, NULL);
	if (hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err) !=
	    HOTPATCH_E_RETAINED)
		fail("a forced patch was unmapped", 0, 0);
	hotpatch_patch_info(patch, &info);
	if (info.state != HOTPATCH_RETAINED)
		fail("a forced patch is not retained", (int)info.state, 0);
}

void crew_begin_change(void)
{
	pthread_rwlock_rdlock(&crew_lock);
}

void crew_end_change(void)
{
	pthread_rwlock_unlock(&crew_lock);
}

/* False after a while: who has the lock may wait for this thread. */
static bool lock_for(pthread_rwlock_t *lock, unsigned int patience_s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience_s;
	return pthread_rwlock_timedwrlock(lock, &until) == 0;
}

/* Until end_stillness() nobody changes patches, and no thread comes or goes. */
static bool begin_stillness(void)
{
	if (!lock_for(&quiet_changes_lock, STILLNESS_S))
		return false;
	if (lock_for(&crew_lock, STILLNESS_S)) {
		if (!is_over())
			return true;
		pthread_rwlock_unlock(&crew_lock);
	}
	quiet_end_change();
	return false;
}

static void end_stillness(void)
{
	pthread_rwlock_unlock(&crew_lock);
	quiet_end_change();
}

static void live_as_child(bool in_section, bool opens, bool force)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	int version;

	alarm(120);
	if (in_section)
		hotpatch_leave();
	buffer_abandon();
	meetings_forget();
	abandon_fibers();
	one_version();
	if (!opens)
		_exit(EXIT_SUCCESS);
	patch = open_version(CHILD_VERSION);
	must(hotpatch_patch_apply(patch, &patient, &err), &err);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	version = one_version();
	if (version != CHILD_VERSION)
		fail("a child does not see its own patch", version, 0);
	if (force) {
		force_away(patch);
	} else {
		must(hotpatch_patch_revert(patch, &patient, &err), &err);
		must(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err),
		     &err);
		expect_unmapped(patch);
	}
	if (one_version() == CHILD_VERSION)
		fail("a child sees what it reverted", version, 0);
	_exit(EXIT_SUCCESS);
}

static void await_child(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("a child is lost", errno, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
		fail("a child failed",
		     WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		     WEXITSTATUS(status));
}

static pid_t fork_one(uint64_t *state, bool opens)
{
	bool in_section = roll(state, 2);
	bool force = FORCES && roll(state, 4) == 0;
	pid_t child;

	if (in_section)
		hotpatch_enter();
	child = fork();
	if (child == 0)
		live_as_child(in_section, opens, force);
	if (in_section)
		hotpatch_leave();
	if (child < 0)
		fail("no child could be made", errno, 0);
	return child;
}

void *fork_children(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;
	bool is_still;
	pid_t child;

	chance_start((unsigned int)(uintptr_t)index);
	become_task();
	while (!is_over()) {
		is_still = !HEAP_SURVIVES && roll(&state, 2) &&
			   begin_stillness();
		child = fork_one(&state, HEAP_SURVIVES || is_still);
		if (is_still)
			end_stillness();
		await_child(child);
		poll(NULL, 0, 1 + (int)roll(&state, PAUSE_MS));
		quiet_point(false);
	}
	return NULL;
}
