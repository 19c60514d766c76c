/* SPDX-License-Identifier: MIT */
/*
 * Shadow data of bundles: it is there for objects of every age, goes from one
 * patch to the next, and its destructors run before their code is unmapped.
 */
#include "../bundles/shadow/kinds.h"
#include "versions.h"

#define OBJECTS 100
#if UNDER_TSAN
#define CYCLES 4
#else
#define CYCLES 20
#endif

unsigned int made;
unsigned int destroyed_by_one;
unsigned int destroyed_by_two;

static struct object objects[OBJECTS];

HOTPATCH_FUNCTION(int, use, (struct object * object))
{
	(void)object;
	return 0;
}

HOTPATCH_FUNCTION(void, forget, (struct object * object))
{
	(void)object;
}

HOTPATCH_FUNCTION(unsigned int, forget_all, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(void, with,
		  (struct object * object, void (*work)(struct extra *extra)))
{
	(void)object;
	work(NULL);
}

static void use_object(void *answer)
{
	*(int *)answer = use(&objects[*(int *)answer]);
}

/* In a thread of its own, whose stack nobody searches later. */
static int use_elsewhere(int object)
{
	int answer = object;

	run_elsewhere(use_object, &answer);
	return answer;
}

static void use_all(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < OBJECTS; i++)
		ck_assert_int_eq(use(&objects[i]), 1);
}

static void forget_all_of_them(void *count)
{
	*(unsigned int *)count = forget_all();
}

static bool is_kept(struct hotpatch_patch *patch, const char *why)
{
	struct hotpatch_error err;

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 0, &err),
			 HOTPATCH_E_TIMEOUT);
	return strstr(err.sentence, why) != NULL;
}

/* Not unmapped for now, in the end with this reason: attempts are made only
 * now and then. */
static void expect_kept(struct hotpatch_patch *patch, const char *why)
{
	/* The sanitizer has a thread of its own, which may be named instead. */
#if !UNDER_TSAN
	await(is_kept(patch, why));
#else
	is_kept(patch, why);
#endif
	ck_assert_uint_eq(count_copies(), 1);
}

static void expect_retained(struct hotpatch_patch *patch, const char *first,
			    const char *second)
{
	struct hotpatch_error why;

	ck_assert_int_eq(hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
					     PATIENCE_MS, &why),
			 HOTPATCH_E_RETAINED);
#if !UNDER_TSAN
	expect_words(why, first, second);
#else
	(void)first;
	(void)second;
#endif
}

START_TEST(objects_of_every_age_have_the_new_member)
{
	struct hotpatch_patch *patch = apply_bundle("plain");

	ck_assert_int_eq(use_elsewhere(0), 1);
	ck_assert_int_eq(use_elsewhere(0), 2);
	ck_assert_int_eq(use_elsewhere(1), 1);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 2);
	remove_patch(patch);
	ck_assert_int_eq(use(&objects[0]), 0);
	/* Without a destructor the data outlives the code. */
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 2);
	patch = apply_bundle("plain");
	ck_assert_int_eq(use_elsewhere(0), 3);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 1);
	ck_assert_int_eq(use_elsewhere(0), 1);
	remove_patch(patch);
}
END_TEST

START_TEST(destructors_run_before_their_code_is_unmapped)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	unsigned int count = 0;

	run_elsewhere(use_all, NULL);
	ck_assert_uint_eq(made, OBJECTS);
	run_elsewhere(forget_all_of_them, &count);
	ck_assert_uint_eq(count, OBJECTS);
	ck_assert_uint_eq(destroyed_by_one, 0);
	remove_patch(patch);
	ck_assert_uint_eq(destroyed_by_one, OBJECTS);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
}
END_TEST

START_TEST(after_revert_takes_the_data_back_before_the_code_goes)
{
	struct hotpatch_patch *patch = apply_bundle("tidy");
	uint64_t start = events_now();

	run_elsewhere(use_all, NULL);
	ck_assert_uint_eq(made, OBJECTS);
	remove_patch(patch);
	ck_assert_uint_eq(destroyed_by_one, OBJECTS);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	expect_events(start, "staged tidy\ndetoured tidy\n"
			     "advanced tidy\ndrained tidy\nsettled tidy\n"
			     "left tidy\nreverted tidy\nunmapped tidy\n");
}
END_TEST

START_TEST(code_stays_while_a_destructor_in_it_has_to_wait)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct holder holder;
	unsigned int count = 0;

	needs_proc();
	run_elsewhere(use_all, NULL);
	revert(patch);
	holder_start(&holder); /* its view has nothing of the patch */
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 1);
	expect_kept(patch, "1 shadows that were detached");
	ck_assert_uint_eq(destroyed_by_one, 0);
	for (count = 1; count < OBJECTS; count++)
		ck_assert_uint_eq(
			hotpatch_shadow_detach_object(&objects[count]), 1);
	expect_kept(patch, "100 shadows that were detached");
	ck_assert_uint_eq(destroyed_by_one, 0);
	holder_stop(&holder);
	await_unmapped(patch);
	ck_assert_uint_eq(destroyed_by_one, OBJECTS);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(code_is_retained_while_shadows_need_its_destructor)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	int i;

	needs_proc();
	run_elsewhere(use_all, NULL);
	revert(patch);
	expect_retained(patch, "100 shadows extra of id 0x5e55",
			"only destructor");
	ck_assert_uint_eq(count_copies(), 1);
	/* As the host's own code would, when the objects go. */
	for (i = 0; i < OBJECTS; i++)
		ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[i]),
				  1);
	await(poll_until_closed(patch));
	ck_assert_uint_eq(destroyed_by_one, OBJECTS);
	ck_assert_uint_eq(count_copies(), 0);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(patch_that_follows_takes_data_and_destructors_over)
{
	struct hotpatch_patch *one = apply_bundle("one");
	struct hotpatch_patch *two;
	unsigned int count = 0;
	int i;

	for (i = 0; i < OBJECTS; i++)
		ck_assert_int_eq(use_elsewhere(i), 1);
	two = apply_bundle("two");
	if (!code_stays())
		expect_retained(one, "100 shadows", "only destructor");
	/* It finds what was counted, and does not attach. */
	ck_assert_int_eq(use_elsewhere(0), 2);
	ck_assert_uint_eq(made, OBJECTS);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 1);
	/* One that attaches makes its destructor known for all. */
	ck_assert_int_eq(use_elsewhere(0), 1);
	await(poll_until_closed(one));
	ck_assert_uint_eq(destroyed_by_one, 1);
	ck_assert_int_eq(use_elsewhere(1), 2);
	run_elsewhere(forget_all_of_them, &count);
	ck_assert_uint_eq(count, OBJECTS);
	remove_patch(two);
	ck_assert_uint_eq(destroyed_by_one, 1);
	ck_assert_uint_eq(destroyed_by_two, OBJECTS);
	hotpatch_patch_close(one);
}
END_TEST

START_TEST(bundle_that_means_another_type_is_told_so)
{
	struct hotpatch_patch *one = apply_bundle("one");
	struct hotpatch_patch *wider;
	unsigned int count = 0;

	ck_assert_int_eq(use_elsewhere(0), 1);
	wider = apply_bundle("wider");
	ck_assert_int_eq(use_elsewhere(0), HOTPATCH_E_SHADOW_TYPE);
	ck_assert_int_eq(use_elsewhere(1), HOTPATCH_E_SHADOW_TYPE);
	remove_patch(wider);
	ck_assert_int_eq(use_elsewhere(0), 2);
	run_elsewhere(forget_all_of_them, &count);
	ck_assert_uint_eq(count, 1);
	remove_patch(one);
}
END_TEST

START_TEST(bundle_cannot_attach_while_it_is_loaded)
{
	const struct hotpatch_open_options options = {
		.size = sizeof(options), .allow_constructors = true};
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open(bundle_path("constructor"), &options,
				      &patch, &err));
	apply(patch);
	ck_assert_int_eq(use_elsewhere(0), HOTPATCH_E_IN_CALLBACK);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	remove_patch(patch);
}
END_TEST

/* ---- A destructor never runs in a section's back ---- */

static struct holder detacher;

static void detach_meanwhile(struct extra *extra)
{
	ck_assert_ptr_eq(extra->owner, &objects[0]);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 1);
	sem_post(&detacher.done);
	await_semaphore(&detacher.told);
	/* Still there, with the code that would destroy it. */
	ck_assert_ptr_eq(extra->owner, &objects[0]);
}

static void *use_in_a_section(void *unused)
{
	(void)unused;
	hotpatch_enter();
	ck_assert_int_eq(use(&objects[0]), 1);
	with(&objects[0], detach_meanwhile);
	hotpatch_leave();
	return NULL;
}

START_TEST(data_stays_until_the_section_that_got_it_ends)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	pthread_t thread;

	sem_init(&detacher.told, 0, 0);
	sem_init(&detacher.done, 0, 0);
	pthread_create(&thread, NULL, use_in_a_section, NULL);
	await_semaphore(&detacher.done);
	ck_assert_uint_gt(hotpatch_poll(), 0);
	ck_assert_uint_gt(hotpatch_poll(), 0);
	ck_assert_uint_eq(destroyed_by_one, 0);
	sem_post(&detacher.told);
	pthread_join(thread, NULL);
	await(hotpatch_poll() == 0);
	ck_assert_uint_eq(destroyed_by_one, 1);
	remove_patch(patch);
}
END_TEST

/* A transition counts on being the only one that makes generations. */
START_TEST(transition_that_is_open_is_not_disturbed)
{
	struct hotpatch_patch *patch = apply_bundle("one");
	struct hotpatch_patch *plain = open_bundle("plain");
	struct hotpatch_process_info before;
	struct hotpatch_process_info after;
	struct holder holder;

	ck_assert_int_eq(use_elsewhere(0), 1);
	holder_start(&holder);
	begin_apply(plain);
	hotpatch_process_info(&before);
	ck_assert_uint_eq(hotpatch_shadow_detach_object(&objects[0]), 1);
	hotpatch_poll();
	hotpatch_poll();
	hotpatch_process_info(&after);
	ck_assert_uint_eq(after.generation, before.generation);
	ck_assert_uint_eq(destroyed_by_one, 0);
	holder_stop(&holder);
	await_drained(plain);
	await(hotpatch_poll() == 0);
	ck_assert_uint_eq(destroyed_by_one, 1);
	remove_patch(plain);
	remove_patch(patch);
}
END_TEST

/* ---- While patches come and go ---- */

/* Each object belongs to one request at a time. */
static bool request_mixes(void)
{
	struct object *object = malloc(sizeof(*object));
	int first = use(object);
	int second = use(object);
	bool wrong = first == 0 ? second != 0 : first != 1 || second != 2;

	hotpatch_shadow_detach_object(object);
	free(object);
	return wrong;
}

static bool is_all_destroyed(void)
{
	hotpatch_poll();
	return destroyed_by_one == made;
}

START_TEST(objects_come_and_go_while_patches_do)
{
	struct workers workers;
	int i;

	workers_start(&workers, 4, request_mixes);
	for (i = 0; i < CYCLES; i++) {
		struct hotpatch_patch *patch =
			apply_bundle(i % 2 ? "plain" : "one");

		workers_await_progress(&workers);
		revert(patch);
		/* The sanitizer's own thread may be found running for long
		 * beside those that work. */
#if !UNDER_TSAN
		await(poll_until_closed(patch));
#endif
		hotpatch_patch_close(patch);
	}
	ck_assert_uint_eq(workers_stop(&workers), 0);
	await(is_all_destroyed());
	ck_assert_uint_gt(made, 0);
	ck_assert_uint_eq(hotpatch_shadow_count(NULL), 0);
	await(hotpatch_poll() == 0 && (count_copies() == 0 || code_stays()));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		objects_of_every_age_have_the_new_member,
		destructors_run_before_their_code_is_unmapped,
		after_revert_takes_the_data_back_before_the_code_goes,
		code_stays_while_a_destructor_in_it_has_to_wait,
		code_is_retained_while_shadows_need_its_destructor,
		patch_that_follows_takes_data_and_destructors_over,
		bundle_that_means_another_type_is_told_so,
		bundle_cannot_attach_while_it_is_loaded,
		data_stays_until_the_section_that_got_it_ends,
		transition_that_is_open_is_not_disturbed,
		objects_come_and_go_while_patches_do,
	};

	return run_tests("shadow", tests, sizeof(tests) / sizeof(tests[0]));
}
