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
#include <unistd.h>

#ifdef UNDER_TSAN
#define PAUSE_MS 100
#define FORCES 0 /* the sanitizer starts no threads in children */
#else
#define PAUSE_MS 20
#define FORCES 1
#endif

/* A sanitizer's own locks may stay taken in a child of several threads, which
 * then can call, but neither open nor unmap. */
#if defined(__SANITIZE_ADDRESS__) || defined(UNDER_TSAN)
#define HAS_HEAP 0
#else
#define HAS_HEAP 1
#endif

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

static void live_as_child(bool in_section, bool force)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	int version;

	alarm(120);
	if (in_section)
		hotpatch_leave();
	buffer_abandon();
	abandon_fibers();
	one_version();
	if (!HAS_HEAP)
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

void *fork_children(void *index)
{
	uint64_t state = options.seed + (uintptr_t)index;
	bool in_section;
	bool force;
	pid_t child;

	chance_start((unsigned int)(uintptr_t)index);
	become_task();
	while (!is_over()) {
		in_section = roll(&state, 2);
		force = FORCES && roll(&state, 4) == 0;
		if (in_section)
			hotpatch_enter();
		child = fork();
		if (child == 0)
			live_as_child(in_section, force);
		if (in_section)
			hotpatch_leave();
		if (child < 0)
			fail("no child could be made", errno, 0);
		await_child(child);
		poll(NULL, 0, 1 + (int)roll(&state, PAUSE_MS));
		quiet_point(false);
	}
	return NULL;
}
