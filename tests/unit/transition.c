/* SPDX-License-Identifier: MIT */
/*
 * What the last task does when somebody else has the engine's lock.
 */
#include "../../lib/engine.h"

#include <check.h>
#include <hotpatch/hotpatch.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

HOTPATCH_FUNCTION(int, version, (void))
{
	return 1;
}

static sem_t inside;
static sem_t move;
static sem_t moved;
static sem_t end;

static void *hold_and_move(void *unused)
{
	(void)unused;
	hotpatch_enter();
	sem_post(&inside);
	sem_wait(&move);
	hotpatch_safe_point();
	sem_post(&moved);
	sem_wait(&end);
	hotpatch_leave();
	return NULL;
}

static struct hotpatch_patch *apply_over_a_holder(void)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	ck_assert_msg(!hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/one.so",
					   NULL, &patch, &err),
		      "%s", err.sentence);
	ck_assert_msg(!hotpatch_patch_apply(patch, NULL, &err), "%s",
		      err.sentence);
	return patch;
}

static void expect_state(struct hotpatch_patch *patch,
			 enum hotpatch_state state)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	ck_assert_str_eq(hotpatch_state_name(info.state),
			 hotpatch_state_name(state));
}

/* Nobody polls here: only the release of the lock can notice. */
START_TEST(holder_of_the_lock_settles_for_the_last_task_that_found_it_taken)
{
	struct hotpatch_patch *patch;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, hold_and_move, NULL), 0);
	sem_wait(&inside);
	patch = apply_over_a_holder();
	expect_state(patch, HOTPATCH_APPLYING);
	hp_engine_lock();
	sem_post(&move);
	sem_wait(&moved);
	hp_engine_unlock();
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(version(), 2);
	sem_post(&end);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transition");
	TCase *lock = tcase_create("lock");
	SRunner *runner = srunner_create(suite);
	int failed;

	sem_init(&inside, 0, 0);
	sem_init(&move, 0, 0);
	sem_init(&moved, 0, 0);
	sem_init(&end, 0, 0);
	tcase_add_test(
		lock,
		holder_of_the_lock_settles_for_the_last_task_that_found_it_taken);
	suite_add_tcase(suite, lock);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
