/* SPDX-License-Identifier: MIT */
/*
 * Shadow data where something comes in between: other threads, signal
 * handlers, a lack of memory, a fork.
 */
#include "shadow.h"

#include "../single_step.h"

#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define READERS 3
#define ROUNDS 100

/* ---- Many threads ---- */

static sem_t inside;
static sem_t go_on;

static pthread_barrier_t together;

static void *get_or_attach_one(void *argument)
{
	struct object *object = argument;
	struct extra *extra = NULL;

	pthread_barrier_wait(&together);
	ck_assert_int_eq(extra_get_or_attach(object, NULL, &extra, NULL),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(extra->owner, object);
	return extra;
}

START_TEST(eight_threads_that_want_one_shadow_run_one_constructor)
{
	pthread_t threads[THREADS];
	void *got[THREADS];
	int round;
	int i;

	pthread_barrier_init(&together, NULL, THREADS);
	for (round = 0; round < ROUNDS; round++) {
		constructed = 0;
		for (i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, get_or_attach_one,
				       &objects[round]);
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], &got[i]);
		for (i = 1; i < THREADS; i++)
			ck_assert_ptr_eq(got[i], got[0]);
		ck_assert_uint_eq(constructed, 1);
	}
	ck_assert_uint_eq(extra_count(), ROUNDS);
}
END_TEST

/* The first to come refuses once others may wait. */
static bool refuse_first(void *data, void *object, void *argument)
{
	(void)object;
	(void)argument;
	*(uint64_t *)data = 9;
	if (hp_add_relaxed(&constructed, 1) > 0) /* only the number counts */
		return true;
	sem_post(&inside);
	while (sem_wait(&go_on) != 0)
		;
	return false;
}

HOTPATCH_SHADOW_WITH(uint64_t, slow, 7, refuse_first, NULL, NULL)

static void *want_slow(void *argument)
{
	uint64_t *data = NULL;
	enum hotpatch_status status =
		slow_get_or_attach(argument, NULL, &data, NULL);

	if (status == HOTPATCH_OK)
		ck_assert_uint_eq(*data, 9);
	return (void *)(intptr_t)status;
}

START_TEST(who_waits_for_a_constructor_that_refuses_tries_its_own)
{
	pthread_t threads[THREADS];
	void *status;
	int well = 0;
	int i;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	pthread_create(&threads[0], NULL, want_slow, &objects[0]);
	while (sem_wait(&inside) != 0)
		;
	ck_assert_ptr_null(slow_get(&objects[0]));
	ck_assert_int_eq(slow_detach(&objects[0]), HOTPATCH_E_NO_SHADOW);
	for (i = 1; i < THREADS; i++)
		pthread_create(&threads[i], NULL, want_slow, &objects[0]);
	/* Another object's is not kept waiting. */
	ck_assert_int_eq(slow_attach(&objects[1], NULL, NULL, NULL),
			 HOTPATCH_OK);
	sem_post(&go_on);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &status);
		well += (int)(intptr_t)status == HOTPATCH_OK;
	}
	ck_assert_int_eq(well, THREADS - 1);
	ck_assert_uint_eq(constructed, 3);
	ck_assert_uint_eq(slow_count(), 2);
}
END_TEST

static uint32_t stop;
static uint32_t lookups;
static uint32_t wrong; /* answers; Check's own words take long */

static void count_wrong(bool is)
{
	if (is)
		hp_add_relaxed(&wrong, 1); /* only the number counts */
}

/* What is there all the time is found, what is found is the object's own, and
 * what never was there is not found. */
static void *look_up(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	struct object *object;
	struct extra *extra;

	while (!hp_load_relaxed(&stop)) { /* a flag for itself */
		object = &objects[(size_t)rand_r(&seed) % 64];
		extra = extra_get(object);
		count_wrong(!extra || extra->owner != object);
		count_wrong(plain_get(object) != NULL);
		hotpatch_enter();
		object = &objects[64 + (size_t)rand_r(&seed) % (OBJECTS - 64)];
		extra = extra_get(object);
		count_wrong(extra && extra->owner != object);
		hotpatch_leave();
		hp_add_relaxed(&lookups, 1); /* only the number counts */
	}
	return NULL;
}

static void lookups_start(pthread_t threads[READERS])
{
	uintptr_t i;

	for (i = 0; i < 64; i++)
		attach_extra(&objects[i], (int)i);
	for (i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, look_up, (void *)(i + 1));
	while (hp_load_relaxed(&lookups) < READERS) /* only the number counts */
		sched_yield();
}

static void lookups_stop(pthread_t threads[READERS])
{
	int i;

	hp_store_relaxed(&stop, 1); /* see look_up() */
	for (i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
}

#if SANITIZED
#define GROWTH 5000
#define CHURN 10
#else
#define GROWTH 50000
#define CHURN 60
#endif

START_TEST(table_grows_while_it_is_read)
{
	char *many = malloc(GROWTH);
	pthread_t threads[READERS];
	size_t i;

	lookups_start(threads);
	for (i = 0; i < GROWTH; i++) {
		ck_assert_int_eq(plain_attach(&many[i], NULL, NULL, NULL),
				 HOTPATCH_OK);
	}
	for (i = 0; i < GROWTH; i++)
		ck_assert_ptr_nonnull(plain_get(&many[i]));
	lookups_stop(threads);
	ck_assert_uint_eq(plain_count(), GROWTH);
	ck_assert_uint_eq(plain_detach_all(), GROWTH);
	reclaim_all();
	free(many);
}
END_TEST

START_TEST(lookups_are_right_while_others_attach_and_detach)
{
	pthread_t threads[READERS];
	int round;
	int i;

	lookups_start(threads);
	for (round = 0; round < CHURN; round++) {
		for (i = 64; i < OBJECTS; i++)
			attach_extra(&objects[i], round);
		for (i = 64; i < OBJECTS; i++)
			ck_assert_int_eq(extra_detach(&objects[i]),
					 HOTPATCH_OK);
		hotpatch_poll();
	}
	lookups_stop(threads);
	ck_assert_uint_eq(extra_count(), 64);
	reclaim_all();
	ck_assert_uint_eq(destroyed, CHURN * (OBJECTS - 64));
}
END_TEST

/* A window that goes over the objects uses the slots of entries up that went. */
START_TEST(table_that_is_used_up_is_swept_while_it_is_read)
{
	static char many[GROWTH / 10];
	pthread_t threads[READERS];
	size_t window;
	size_t i;

	lookups_start(threads);
	for (window = 50; window < 500; window += 150) {
		for (i = 0; i < GROWTH / 10; i++) {
			ck_assert_int_eq(plain_attach(&many[i], NULL, NULL,
						      NULL),
					 HOTPATCH_OK);
			if (i < window)
				continue;
			ck_assert_ptr_nonnull(plain_get(&many[i - window]));
			ck_assert_int_eq(plain_detach(&many[i - window]),
					 HOTPATCH_OK);
			ck_assert_ptr_null(plain_get(&many[i - window]));
		}
		ck_assert_uint_eq(plain_detach_all(), window);
	}
	lookups_stop(threads);
	reclaim_all();
}
END_TEST

static void *come_and_go(void *argument)
{
	struct object *mine = argument;
	struct object *object;
	struct extra *extra;
	int round;

	for (round = 0; round < CHURN * 100; round++) {
		object = &mine[round % 3];
		hotpatch_enter();
		extra = NULL;
		count_wrong(extra_get_or_attach(object, NULL, &extra, NULL) !=
				    HOTPATCH_OK ||
			    extra->owner != object);
		count_wrong(extra_detach(object) != HOTPATCH_OK ||
			    extra->owner != object);
		hotpatch_leave();
		if (round % 64 == 0)
			hotpatch_poll();
	}
	return NULL;
}

START_TEST(threads_that_attach_and_detach_do_not_mix)
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, come_and_go, &objects[3 * i]);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	reclaim_all();
	ck_assert_uint_eq(constructed, THREADS * CHURN * 100);
	ck_assert_uint_eq(destroyed, constructed);
}
END_TEST

/* ---- Signal handlers ---- */

#ifdef HAVE_SINGLE_STEP

/* Without Check's words, which allocate. */
static void look_from_handler(void)
{
	const uint64_t *data = plain_get(&objects[0]);
	struct object *object = &objects[1];
	const struct extra *extra;

	count_wrong(!data || *data != 55);
	for (; object < &objects[80]; object += 9) {
		extra = extra_get(object);
		count_wrong(extra && extra->owner != object);
	}
}

/* How many slots the first table has; it is full at half of them. */
#define FIRST_SLOTS 64

START_TEST(handler_that_interrupts_any_instruction_finds_what_is_there)
{
	struct extra *extra = NULL;
	unsigned int failures = 0;
	int i;

	attach_plain(&objects[0], 55);
	for (i = 1; i < FIRST_SLOTS / 2 - 1; i++)
		attach_extra(&objects[i], i);
	step_prepare(look_from_handler, 0);
	/* One fits in, one goes, the next fits again and then one does not. */
	step_on();
	failures += extra_attach(&objects[i], NULL, &extra, NULL) != 0;
	failures += extra_detach(&objects[5]) != HOTPATCH_OK;
	failures += extra_attach(&objects[i + 1], NULL, &extra, NULL) != 0;
	failures += extra_attach(&objects[i + 2], NULL, &extra, NULL) != 0;
	step_off();
	ck_assert_uint_eq(failures, 0);
	ck_assert_uint_gt(step_count, 1000);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(extra_count(), FIRST_SLOTS / 2);
}
END_TEST

#endif

/* ---- No memory ---- */

#if !SANITIZED

void *__libc_calloc(size_t count, size_t size);
void *__libc_malloc(size_t size);

static __thread int fail_at; /* the how many-th allocation; 0 for none */

static bool fails_now(void)
{
	return fail_at > 0 && --fail_at == 0;
}

/* In place of the C library's. */
void *calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __libc_calloc(count, size);
}

void *malloc(size_t size)
{
	return fails_now() ? NULL : __libc_malloc(size);
}

/* Until nothing fails any more; gives back how often it did. */
static int attach_without_memory(struct object *object)
{
	uint64_t *data = NULL;
	size_t count = hotpatch_shadow_count(NULL);
	enum hotpatch_status status;
	bool failed;
	int at = 0;

	do {
		fail_at = ++at;
		status = plain_attach(object, NULL, &data, NULL);
		failed = fail_at == 0;
		fail_at = 0; /* what follows has memory */
		ck_assert_int_eq(status,
				 failed ? HOTPATCH_E_NO_MEMORY : HOTPATCH_OK);
		ck_assert_ptr_eq(plain_get(object), failed ? NULL : data);
		ck_assert_uint_eq(hotpatch_shadow_count(NULL),
				  count + (failed ? 0 : 1));
	} while (failed);
	return at - 1;
}

START_TEST(failed_allocation_attaches_nothing)
{
	int failures = 0;
	int i;

	/* The table in three parts, and the kind; then there is a table. */
	ck_assert_int_eq(attach_without_memory(&objects[0]), 4);
	ck_assert_int_eq(plain_detach(&objects[0]), HOTPATCH_OK);
	/* The kind, its destructor, the node. */
	ck_assert_int_eq(attach_without_memory(&objects[0]), 3);
	for (i = 1; i < OBJECTS; i++)
		failures += attach_without_memory(&objects[i]);
	/* The node of each, and five larger tables. */
	ck_assert_int_eq(failures, OBJECTS - 1 + 5 * 3);
	ck_assert_uint_eq(plain_count(), OBJECTS);
}
END_TEST

static bool visit_once(void *object, struct extra *extra, void *argument)
{
	(void)object;
	(void)extra;
	++*(int *)argument;
	return true;
}

START_TEST(walk_without_memory_visits_nothing)
{
	int visits = 0;

	attach_extra(&objects[0], 0);
	fail_at = 1;
	ck_assert_int_eq(extra_for_each(visit_once, &visits),
			 HOTPATCH_E_NO_MEMORY);
	ck_assert_int_eq(visits, 0);
	ck_assert_uint_eq(hotpatch_poll(), 0);
	ck_assert_int_eq(extra_for_each(visit_once, &visits), HOTPATCH_OK);
	ck_assert_int_eq(visits, 1);
}
END_TEST

#endif

/* ---- fork ---- */

/* The sanitizer leaves no room for a second thread after a fork. */
#if !UNDER_TSAN

static void child_of_a_maker(void)
{
	uint64_t *data = NULL;

	constructed = 1;
	if (slow_get_or_attach(&objects[0], NULL, &data, NULL) != 0)
		_exit(1);
	if (extra_get(&objects[1])->owner != &objects[1])
		_exit(2);
	if (extra_detach(&objects[1]) != HOTPATCH_OK)
		_exit(3);
	while (hotpatch_poll() > 0)
		;
	_exit(destroyed == 2 ? 0 : 4);
}

START_TEST(child_has_the_shadows_but_not_what_other_threads_were_making)
{
	pthread_t thread;
	int status = -1;
	pid_t child;

	attach_extra(&objects[1], 1);
	attach_extra(&objects[2], 1);
	ck_assert_int_eq(extra_detach(&objects[2]), HOTPATCH_OK);
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	constructed = 0;
	pthread_create(&thread, NULL, want_slow, &objects[0]);
	while (sem_wait(&inside) != 0)
		;
	child = fork();
	if (child == 0)
		child_of_a_maker();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child ended with %#x", (unsigned int)status);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	ck_assert_ptr_null(slow_get(&objects[0]));
	reclaim_all();
	ck_assert_uint_eq(destroyed, 1);
}
END_TEST

#endif

static void add_tests(TCase *all)
{
	tcase_add_test(all,
		       eight_threads_that_want_one_shadow_run_one_constructor);
	tcase_add_test(all,
		       who_waits_for_a_constructor_that_refuses_tries_its_own);
	tcase_add_test(all, table_grows_while_it_is_read);
	tcase_add_test(all, table_that_is_used_up_is_swept_while_it_is_read);
	tcase_add_test(all, lookups_are_right_while_others_attach_and_detach);
	tcase_add_test(all, threads_that_attach_and_detach_do_not_mix);
#ifdef HAVE_SINGLE_STEP
	tcase_add_test(
		all,
		handler_that_interrupts_any_instruction_finds_what_is_there);
#endif
#if !SANITIZED
	tcase_add_test(all, failed_allocation_attaches_nothing);
#endif
#if !SANITIZED
	tcase_add_test(all, walk_without_memory_visits_nothing);
#endif
#if !UNDER_TSAN
	tcase_add_test(
		all,
		child_has_the_shadows_but_not_what_other_threads_were_making);
#endif
}

int main(void)
{
	return run_shadow_tests("shadow_threads", add_tests);
}
