/* SPDX-License-Identifier: MIT */
/*
 * Imports: a bundle uses the host's own variables and functions, exported or
 * not, in each thread its own thread-local ones, and those of another bundle.
 */
#include "imports/imports.h"

#include "support.h"

#include <dlfcn.h>
#include <signal.h>

#define THREADS 64

int other_count(void);

int open_count = 10;
__thread long exported_tls = 5;

static volatile int hidden_count = 1000;
static struct record records[3] = {{1, "a"}, {2, "b"}, {3, "c"}};
static __thread long hidden_tls = 50;

int twice(int value)
{
	return 2 * value;
}

__attribute__((noinline)) static int hidden_sum(struct record *list, int count)
{
	int sum = 0;

	while (count--)
		sum += list[count].number;
	return sum;
}

HOTPATCH_STATIC_FUNCTION(int, patchable, (int value))
{
	return value + 1;
}

HOTPATCH_FUNCTION(long, reach, (enum what what))
{
	return -(long)what;
}

HOTPATCH_FUNCTION(const void *, where, (enum what what))
{
	return what == COUNT ? &open_count : NULL;
}

/* Opening fails with @status and names @object; nothing is left of it. */
static void expect_refusal(const char *name, enum hotpatch_status status,
			   const char *object)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_patch_info info[1];
	struct hotpatch_error why = {HOTPATCH_OK, 0, "", ""};

	ck_assert_int_eq(hotpatch_patch_open(bundle_path(name), NULL, &patch,
					     &why),
			 status);
	ck_assert_str_eq(why.object, object);
	ck_assert_ptr_nonnull(strstr(why.sentence, object));
	ck_assert_ptr_null(patch);
	ck_assert_uint_eq(hotpatch_patch_list(info, 1), 0);
	ck_assert_int_eq(reach(TWICE), -TWICE);
}

START_TEST(exported_symbols_are_imported_without_a_seal)
{
	struct hotpatch_patch *patch = apply_bundle("plain");

	ck_assert_int_eq(reach(COUNT), 11);
	ck_assert_int_eq(open_count, 11);
	ck_assert_int_eq(reach(TWICE), 42);
	ck_assert_int_eq(reach(EXPORTED_TLS), 6);
	ck_assert_int_eq(exported_tls, 6);
	remove_patch(patch);
	ck_assert_int_eq(reach(COUNT), -COUNT);
}
END_TEST

START_TEST(missing_symbol_is_refused_by_name)
{
	expect_refusal("missing", HOTPATCH_E_IMPORT, "no_such_variable");
}
END_TEST

START_TEST(static_without_a_seal_is_refused_by_name)
{
	expect_refusal("static_unsealed", HOTPATCH_E_NOT_SEALED,
		       "hidden_count");
}
END_TEST

START_TEST(thread_local_is_not_taken_for_an_ordinary_variable)
{
	expect_refusal("not_tls", HOTPATCH_E_IMPORT_TYPE, "open_count");
	expect_refusal("as_plain", HOTPATCH_E_IMPORT_TYPE, "exported_tls");
}
END_TEST

START_TEST(exports_of_another_bundle_are_used_at_their_own_place)
{
	struct hotpatch_patch *exporter = apply_bundle("exporter");
	struct hotpatch_patch *importer = apply_bundle("importer");

	ck_assert_int_eq(reach(COUNT), COUNT + 101 + 101);
	ck_assert_int_eq(*(const int *)where(EXPORTED), 101);
	remove_patch(importer);
	remove_patch(exporter);
}
END_TEST

START_TEST(importer_needs_the_other_bundle_active)
{
	struct hotpatch_patch *importer = open_bundle("importer");
	struct hotpatch_patch *exporter;

	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_apply(importer, NULL, &err));
	exporter = apply_bundle("exporter");
	apply(importer);
	expect_status(HOTPATCH_E_REQUIRES,
		      hotpatch_patch_revert(exporter, NULL, &err));
	ck_assert_int_eq(reach(COUNT), 202);
	remove_patch(importer);
	remove_patch(exporter);
}
END_TEST

/* It may be mapped at another place the second time. */
START_TEST(importer_finds_the_other_bundle_anew)
{
	struct hotpatch_patch *importer = open_bundle("importer");
	struct hotpatch_patch *exporter;
	int i;

	for (i = 0; i < 3; i++) {
		exporter = apply_bundle("exporter");
		remove_patch(exporter);
	}
	exporter = apply_bundle("exporter");
	apply(importer);
	ck_assert_int_eq(reach(COUNT), 202);
	remove_patch(importer);
	remove_patch(exporter);
}
END_TEST

START_TEST(export_that_is_not_there_or_of_another_type_is_refused)
{
	struct hotpatch_patch *exporter = apply_bundle("exporter");
	struct hotpatch_patch *missing = open_bundle("importer_missing");
	struct hotpatch_patch *mistyped = open_bundle("importer_mistyped");

	expect_status(HOTPATCH_E_IMPORT,
		      hotpatch_patch_apply(missing, NULL, &err));
	expect_status(HOTPATCH_E_IMPORT_TYPE,
		      hotpatch_patch_apply(mistyped, NULL, &err));
	ck_assert_int_eq(reach(COUNT), -COUNT);
	hotpatch_patch_close(missing);
	hotpatch_patch_close(mistyped);
	remove_patch(exporter);
}
END_TEST

/* Keeps a section open in the importer's view until told to end it. */
struct user {
	pthread_t thread;
	sem_t inside;
	sem_t end;
	long result;
};

static void *hold(void *argument)
{
	struct user *user = argument;

	hotpatch_enter();
	sem_post(&user->inside);
	sem_wait(&user->end);
	user->result = reach(COUNT);
	hotpatch_leave();
	return NULL;
}

START_TEST(exporter_cannot_go_before_its_importer)
{
	const struct hotpatch_apply_options patient = {
		.size = sizeof(patient),
		.policy = HOTPATCH_WAIT,
	};
	struct hotpatch_patch *exporter = apply_bundle("exporter");
	struct hotpatch_patch *importer = apply_bundle("importer");
	struct user user;

	sem_init(&user.inside, 0, 0);
	sem_init(&user.end, 0, 0);
	pthread_create(&user.thread, NULL, hold, &user);
	sem_wait(&user.inside);
	expect_ok(hotpatch_patch_revert(importer, &patient, &err));
	/* The other transition is open: it has to wait its turn. */
	expect_status(HOTPATCH_E_BUSY,
		      hotpatch_patch_revert(exporter, &patient, &err));
	sem_post(&user.end);
	pthread_join(user.thread, NULL);
	ck_assert_int_eq(user.result, 202);
	await_unmapped(importer);
	hotpatch_patch_close(importer);
	remove_patch(exporter);
}
END_TEST

static void expect_retained(struct hotpatch_patch *patch, const char *why)
{
	struct hotpatch_patch_info info;

	begin_revert(patch);
	expect_status(HOTPATCH_E_RETAINED,
		      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
					  &err));
	hotpatch_patch_info(patch, &info);
	ck_assert_msg(strstr(info.reason, why) != NULL, "%s", info.reason);
}

START_TEST(exporter_stays_mapped_while_its_importer_may_run)
{
	struct hotpatch_patch *exporter;
	struct hotpatch_patch *importer;

	needs_proc();
	exporter = apply_bundle("exporter");
	importer = apply_bundle("importer_kept");
	ck_assert_int_eq(reach(COUNT), COUNT);
	expect_retained(importer, "signal");
	expect_retained(exporter, "importer-kept, which imports from it");
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_DFL);
	while (state_of(exporter) != HOTPATCH_CLOSED)
		hotpatch_poll();
	expect_state(importer, HOTPATCH_CLOSED);
	hotpatch_patch_close(importer);
	hotpatch_patch_close(exporter);
}
END_TEST

#ifdef HOTPATCH_TEST_SEALED

START_TEST(statics_are_used_at_the_hosts_own_place)
{
	struct hotpatch_patch *patch = apply_bundle("all_sealed");

	ck_assert_int_eq(reach(STATIC), 1001);
	ck_assert_int_eq(hidden_count, 1001);
	ck_assert_int_eq(other_count(), 7000);
	ck_assert_ptr_eq(where(STATIC), (const void *)&hidden_count);
	ck_assert_ptr_eq(where(TABLE), records);
	ck_assert_ptr_eq(where(COUNT), &open_count);
	ck_assert_int_eq(reach(TABLE), 3);
	records[2].number = 9;
	ck_assert_int_eq(reach(TABLE), 9);
	remove_patch(patch);
}
END_TEST

START_TEST(static_functions_are_called)
{
	struct hotpatch_patch *patch = apply_bundle("all_sealed");

	ck_assert_int_eq(reach(FUNCTION), hidden_sum(records, 3));
	ck_assert_int_eq(reach(ENTRY), patchable(5));
	ck_assert_int_eq(reach(TWICE), 42);
	remove_patch(patch);
}
END_TEST

/* A thread that lives before and after the bundle comes, or is born later. */
struct worker {
	pthread_t thread;
	pthread_barrier_t *there; /* NULL in one that is born later */
	pthread_barrier_t *applied;
	long first;
	long second;
	bool same_place;
	bool own_values;
};

static void *work(void *argument)
{
	struct worker *worker = argument;

	hidden_tls = worker->first;
	if (worker->there) {
		pthread_barrier_wait(worker->there);
		pthread_barrier_wait(worker->applied);
	}
	worker->second = reach(TLS);
	worker->same_place = where(TLS) == &hidden_tls &&
			     where(EXPORTED_TLS) == &exported_tls;
	worker->own_values = hidden_tls == worker->first + 1 &&
			     reach(EXPORTED_TLS) == exported_tls;
	return NULL;
}

static void check_worker(const struct worker *worker)
{
	ck_assert_int_eq(worker->second, worker->first + 1);
	ck_assert(worker->same_place);
	ck_assert(worker->own_values);
}

START_TEST(each_of_64_threads_reads_and_writes_its_own_thread_local)
{
	struct worker workers[THREADS] = {{0}};
	struct worker young[THREADS] = {{0}};
	pthread_barrier_t barriers[2];
	struct hotpatch_patch *patch;
	int i;

	pthread_barrier_init(&barriers[0], NULL, THREADS + 1);
	pthread_barrier_init(&barriers[1], NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		workers[i].first = 1000 * i;
		workers[i].there = &barriers[0];
		workers[i].applied = &barriers[1];
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	pthread_barrier_wait(&barriers[0]);
	patch = apply_bundle("all_sealed");
	pthread_barrier_wait(&barriers[1]);
	for (i = 0; i < THREADS; i++) {
		young[i].first = -1000 * i;
		pthread_create(&young[i].thread, NULL, work, &young[i]);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		pthread_join(young[i].thread, NULL);
		check_worker(&workers[i]);
		check_worker(&young[i]);
	}
	ck_assert_int_eq(hidden_tls, 50);
	ck_assert_int_eq(exported_tls, 5);
	remove_patch(patch);
}
END_TEST

static void *open_part(void)
{
	void *part = dlopen(HOTPATCH_TEST_MODULES "/part.so", RTLD_NOW);

	ck_assert_msg(part != NULL, "%s", dlerror());
	return part;
}

static void *reach_library_tls(void *argument)
{
	*(long *)argument = reach(LIBRARY_TLS);
	return NULL;
}

START_TEST(statics_of_a_library_are_reached_in_every_thread)
{
	void *part = open_part();
	int (*count)(void);
	long *(*tls)(void);
	struct hotpatch_patch *patch = apply_bundle("library_sealed");
	pthread_t thread;
	long other = 0;

	*(void **)&count = dlsym(part, "part_count");
	*(void **)&tls = dlsym(part, "part_tls");
	ck_assert_int_eq(reach(LIBRARY), 301);
	ck_assert_int_eq(count(), 301);
	ck_assert_int_eq(reach(LIBRARY_TLS), 41);
	ck_assert_int_eq(*tls(), 41);
	pthread_create(&thread, NULL, reach_library_tls, &other);
	pthread_join(thread, NULL);
	ck_assert_int_eq(other, 41);
	ck_assert_int_eq(*tls(), 41);
	remove_patch(patch);
	dlclose(part);
}
END_TEST

START_TEST(library_that_is_not_loaded_is_named)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error why = {HOTPATCH_OK, 0, "", ""};

	ck_assert_int_eq(hotpatch_patch_open(bundle_path("library_sealed"),
					     NULL, &patch, &why),
			 HOTPATCH_E_IMPORT);
	ck_assert_ptr_nonnull(strstr(why.sentence, "part.so"));
}
END_TEST

static bool is_mapped_part(void)
{
	void *part = dlopen(HOTPATCH_TEST_MODULES "/part.so",
			    RTLD_NOW | RTLD_NOLOAD);

	if (part)
		dlclose(part);
	return part != NULL;
}

START_TEST(library_stays_for_as_long_as_it_is_imported_from)
{
	void *part = open_part();
	struct hotpatch_patch *patch = apply_bundle("library_sealed");

	dlclose(part);
	ck_assert(is_mapped_part());
	ck_assert_int_eq(reach(LIBRARY), 301);
	remove_patch(patch);
	if (!code_stays())
		ck_assert(!is_mapped_part());
}
END_TEST

static void add_sealed_tests(TCase *tcase)
{
	tcase_add_test(tcase, statics_are_used_at_the_hosts_own_place);
	tcase_add_test(tcase, static_functions_are_called);
	tcase_add_test(
		tcase,
		each_of_64_threads_reads_and_writes_its_own_thread_local);
	tcase_add_test(tcase, statics_of_a_library_are_reached_in_every_thread);
	tcase_add_test(tcase, library_that_is_not_loaded_is_named);
	tcase_add_test(tcase, library_stays_for_as_long_as_it_is_imported_from);
}

#else

/* Where nothing is sealed, these are what bundles would import. */
START_TEST(host_has_what_could_be_imported)
{
	ck_assert_int_eq(hidden_sum(records, 3), 6);
	ck_assert_int_eq(hidden_count + patchable(1) + other_count(), 8002);
	ck_assert_int_eq(hidden_tls, 50);
}
END_TEST

static void add_sealed_tests(TCase *tcase)
{
	tcase_add_test(tcase, host_has_what_could_be_imported);
}

#endif

int main(void)
{
	Suite *suite = suite_create("imports");
	TCase *tcase = tcase_create("plain");
	TCase *sealed = tcase_create("sealed");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, exported_symbols_are_imported_without_a_seal);
	tcase_add_test(tcase, missing_symbol_is_refused_by_name);
	tcase_add_test(tcase, static_without_a_seal_is_refused_by_name);
	tcase_add_test(tcase,
		       thread_local_is_not_taken_for_an_ordinary_variable);
	tcase_add_test(tcase,
		       exports_of_another_bundle_are_used_at_their_own_place);
	tcase_add_test(tcase, importer_needs_the_other_bundle_active);
	tcase_add_test(tcase, importer_finds_the_other_bundle_anew);
	tcase_add_test(tcase,
		       export_that_is_not_there_or_of_another_type_is_refused);
	tcase_add_test(tcase, exporter_cannot_go_before_its_importer);
	tcase_add_test(tcase, exporter_stays_mapped_while_its_importer_may_run);
	add_sealed_tests(sealed);
	tcase_set_timeout(sealed, 60);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, sealed);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
