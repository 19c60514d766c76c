/* SPDX-License-Identifier: MIT */
/*
 * All tasks move together or none does: who waits, who does not, what happens
 * to those who are late, and that nobody is in a section while the bundle
 * migrates what all share.
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

HOTPATCH_FUNCTION(int, unit, (void))
{
	return 1;
}

long total = 5;

HOTPATCH_FUNCTION(long, read_total, (void))
{
	return total;
}

void ask_host(bool reverting);

/* What the host does while the bundle migrates. */
static void (*act)(void);
static bool went_back;
static unsigned int migrations;

void ask_host(bool reverting)
{
	migrations++;
	went_back = reverting;
	if (act)
		act();
}

static struct hotpatch_apply_options patient(void)
{
	return (struct hotpatch_apply_options){
		.size = sizeof(struct hotpatch_apply_options),
		.rendezvous_ms = PATIENCE_MS,
	};
}

static void apply_patiently(void *patch)
{
	struct hotpatch_apply_options options = patient();

	expect_ok(hotpatch_patch_apply((struct hotpatch_patch *)patch, &options,
				       &err));
}

/* A thread that applies, since that blocks. */
struct applier {
	pthread_t thread;
	struct errand errand;
};

static void applier_start(struct applier *applier, struct hotpatch_patch *patch)
{
	applier->errand.work = apply_patiently;
	applier->errand.argument = patch;
	ck_assert_int_eq(pthread_create(&applier->thread, NULL, errand_main,
					&applier->errand),
			 0);
}

static bool has_phase(uint64_t since, enum hotpatch_phase phase)
{
	return strstr(events_text(since), hotpatch_phase_name(phase)) != NULL;
}

#define await_gathering(since) await(has_phase(since, HOTPATCH_PHASE_GATHERING))

START_TEST(all_move_together_and_back)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("milli");

	ck_assert_int_eq(total, 5000);
	ck_assert_int_eq(read_total(), 5);
	ck_assert_int_eq(unit(), 1000);
	remove_patch(patch);
	ck_assert(went_back);
	ck_assert_int_eq(total, 5);
	ck_assert_int_eq(unit(), 1);
	expect_events(start, "opened milli\nprepared milli\n"
			     "gathering milli\ngathered milli\n"
			     "migrated milli\nsettled milli\n"
			     "committed milli\nactive milli\n"
			     "leaving milli\ngathering milli\n"
			     "gathered milli\nmigrated milli\n"
			     "settled milli\nreverted milli\n"
			     "unmapped milli\n");
}
END_TEST

START_TEST(patch_that_does_not_move_stays_as_it_is)
{
	struct hotpatch_patch *other = open_bundle("plain");
	struct hotpatch_patch *patch = apply_bundle("milli");

	expect_state(other, HOTPATCH_LOADED);
	ck_assert_int_eq(unit(), 1000);
	revert(patch);
	expect_state(other, HOTPATCH_LOADED);
	ck_assert_int_eq(unit(), 1);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
	hotpatch_patch_close(other);
}
END_TEST

static void pass_safe_point(void *unused)
{
	(void)unused;
	hotpatch_safe_point();
}

static void store_unit(void *place)
{
	*(int *)place = unit();
}

START_TEST(task_waits_at_its_safe_point_and_goes_on_with_the_new_view)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	uint64_t start = events_now();
	struct applier applier;
	struct holder holder;
	int seen;

	holder_start(&holder);
	applier_start(&applier, patch);
	await_gathering(start);
	holder_run(&holder, store_unit, &seen);
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(migrations, 0);
	holder_run(&holder, pass_safe_point, NULL);
	ck_assert_int_eq(migrations, 1);
	holder_run(&holder, store_unit, &seen);
	ck_assert_int_eq(seen, 1000);
	pthread_join(applier.thread, NULL);
	holder_stop(&holder);
	expect_state(patch, HOTPATCH_ACTIVE);
	remove_patch(patch);
}
END_TEST

static void enter_and_leave(void *place)
{
	hotpatch_enter();
	store_unit(place);
	hotpatch_leave();
}

START_TEST(enter_waits_while_others_are_in_their_sections)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	uint64_t start = events_now();
	struct applier applier;
	struct holder holder;
	pthread_t thread;
	struct errand errand;
	int seen = 0;

	holder_start(&holder);
	applier_start(&applier, patch);
	await_gathering(start);
	errand.work = enter_and_leave;
	errand.argument = &seen;
	ck_assert_int_eq(pthread_create(&thread, NULL, errand_main, &errand),
			 0);
	holder_stop(&holder);
	pthread_join(thread, NULL);
	ck_assert_int_eq(seen, 1000);
	pthread_join(applier.thread, NULL);
}
END_TEST

/* ---- Nobody is in a section meanwhile ---- */

static uint32_t inside;
static unsigned int intruders;

static bool work_on_total(void)
{
	int seen;

	/* Relaxed: the gate orders it, if it does what it is for. */
	hp_add_relaxed(&inside, 1);
	seen = unit();
	sched_yield();
	if (unit() != seen)
		return true;
	hp_add_relaxed(&inside, (uint32_t)-1); /* likewise */
	return false;
}

static void count_intruders(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		intruders += hp_load_relaxed(&inside) != 0; /* as above */
		sched_yield();
	}
}

START_TEST(no_task_is_in_a_section_while_the_bundle_migrates)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch;
	struct workers workers;
	int i;

	act = count_intruders;
	workers_start(&workers, 8, work_on_total);
	for (i = 0; i < 20; i++) {
		patch = open_bundle("milli");
		expect_ok(hotpatch_patch_apply(patch, &options, &err));
		expect_ok(hotpatch_patch_revert(patch, &options, &err));
		await_unmapped(patch);
		hotpatch_patch_close(patch);
	}
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_uint_eq(migrations, 40);
	ck_assert_uint_eq(intruders, 0);
	ck_assert_int_eq(total, 5);
}
END_TEST

/* ---- Those who are late ---- */

START_TEST(late_task_lets_all_go_on_and_the_apply_can_be_tried_again)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch = open_bundle("milli");
	struct hotpatch_patch_info info;
	struct hotpatch_error why;
	struct holder holder;
	uint64_t start;
	int seen;

	holder_start(&holder);
	start = events_now();
	options.rendezvous_ms = 1;
	ck_assert_int_eq(hotpatch_patch_apply(patch, &options, &why),
			 HOTPATCH_E_RENDEZVOUS);
	ck_assert_ptr_nonnull(strstr(why.object, "thread"));
	ck_assert_ptr_nonnull(strstr(why.sentence, "1 ms"));
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.state, HOTPATCH_LOADED);
	ck_assert_int_eq(info.status, HOTPATCH_E_RENDEZVOUS);
	ck_assert_str_eq(info.reason, why.sentence);
	holder_move(&holder);
	holder_run(&holder, enter_and_leave, &seen);
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(total, 5);
	expect_events(start, "prepared milli\ngathering milli\n"
			     "parted milli\nrefused milli\n");
	holder_stop(&holder);
	apply(patch);
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_OK);
	ck_assert_int_eq(total, 5000);
	remove_patch(patch);
}
END_TEST

START_TEST(those_who_did_not_come_are_named_and_counted)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch = open_bundle("milli");
	struct holder holders[5];
	struct hotpatch_error why;
	const char *thread;
	int named = 0;
	int i;

	for (i = 0; i < 5; i++)
		holder_start(&holders[i]);
	options.rendezvous_ms = 1;
	ck_assert_int_eq(hotpatch_patch_apply(patch, &options, &why),
			 HOTPATCH_E_RENDEZVOUS);
	for (thread = strstr(why.sentence, "thread "); thread;
	     thread = strstr(thread + 1, "thread "))
		named++;
	ck_assert_int_eq(named, 3);
	ck_assert_msg(strstr(why.sentence, " and 2 more"), "%s", why.sentence);
	for (i = 0; i < 5; i++)
		holder_stop(&holders[i]);
	apply(patch);
	remove_patch(patch);
}
END_TEST

START_TEST(late_task_keeps_a_patch_that_was_to_be_reverted)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch = apply_bundle("milli");
	struct holder holder;
	uint64_t start;

	holder_start(&holder);
	start = events_now();
	options.rendezvous_ms = 1;
	expect_status(HOTPATCH_E_RENDEZVOUS,
		      hotpatch_patch_revert(patch, &options, &err));
	holder_stop(&holder);
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(total, 5000);
	ck_assert_int_eq(unit(), 1000);
	expect_events(start, "leaving milli\ngathering milli\nparted milli\n"
			     "committed milli\nrefused milli\n");
	remove_patch(patch);
	ck_assert_int_eq(total, 5);
}
END_TEST

/* A worker in a section wants a lock whose holder waits at its enter. */
static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_in_section(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&workers_lock);
	pthread_mutex_unlock(&workers_lock);
}

static sem_t locked;

static void enter_with_lock(void *since)
{
	int seen;

	pthread_mutex_lock(&workers_lock);
	sem_post(&locked);
	await_gathering(*(uint64_t *)since);
	enter_and_leave(&seen);
	pthread_mutex_unlock(&workers_lock);
}

START_TEST(workers_that_wait_for_one_another_part_at_the_deadline)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch = open_bundle("milli");
	struct holder holder;
	struct errand errand;
	pthread_t thread;
	uint64_t start = events_now();

	sem_init(&locked, 0, 0);
	holder_start(&holder);
	errand.work = enter_with_lock;
	errand.argument = &start;
	ck_assert_int_eq(pthread_create(&thread, NULL, errand_main, &errand),
			 0);
	await_semaphore(&locked);
	holder.work = lock_in_section;
	sem_post(&holder.told);
	options.rendezvous_ms = 50;
	expect_status(HOTPATCH_E_RENDEZVOUS,
		      hotpatch_patch_apply(patch, &options, &err));
	pthread_join(thread, NULL);
	await_semaphore(&holder.done);
	holder_stop(&holder);
	apply(patch);
	remove_patch(patch);
}
END_TEST

/* ---- Signal handlers ---- */

static sem_t handled;
static int seen_by_handler;

static void handler(int number)
{
	(void)number;
	hotpatch_enter();
	seen_by_handler = unit();
	hotpatch_leave();
	sem_post(&handled);
}

static void listen_for_signals(void)
{
	struct sigaction action = {.sa_handler = handler};

	sem_init(&handled, 0, 0);
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static pthread_t waiting_thread;

static void interrupt_who_waits(void)
{
	pthread_kill(waiting_thread, SIGUSR1);
	/* It returns although the migration is not over. */
	await_semaphore(&handled);
}

START_TEST(handler_that_interrupts_a_waiting_task_does_not_wait)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	uint64_t start = events_now();
	struct applier applier;
	struct holder holder;
	int seen;

	listen_for_signals();
	holder_start(&holder);
	waiting_thread = holder.thread;
	act = interrupt_who_waits;
	applier_start(&applier, patch);
	await_gathering(start);
	holder_run(&holder, pass_safe_point, NULL);
	ck_assert_int_eq(migrations, 1);
	ck_assert_int_eq(seen_by_handler, 1000);
	holder_run(&holder, store_unit, &seen);
	ck_assert_int_eq(seen, 1000);
	pthread_join(applier.thread, NULL);
	holder_stop(&holder);
	act = NULL;
	remove_patch(patch);
}
END_TEST

START_TEST(handler_that_interrupts_a_section_does_not_wait)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	uint64_t start = events_now();
	struct applier applier;
	struct holder holder;

	listen_for_signals();
	holder_start(&holder);
	applier_start(&applier, patch);
	await_gathering(start);
	pthread_kill(holder.thread, SIGUSR1);
	await_semaphore(&handled);
	ck_assert_int_eq(seen_by_handler, 1);
	ck_assert_int_eq(migrations, 0);
	holder_stop(&holder);
	pthread_join(applier.thread, NULL);
	ck_assert_int_eq(total, 5000);
}
END_TEST

static void interrupt_oneself(void)
{
	raise(SIGUSR1);
	await_semaphore(&handled);
}

START_TEST(migration_may_enter_and_be_interrupted_by_who_enters)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	int seen = 0;

	listen_for_signals();
	act = interrupt_oneself;
	apply(patch);
	ck_assert_int_eq(seen_by_handler, 1000);
	act = NULL;
	enter_and_leave(&seen);
	ck_assert_int_eq(seen, 1000);
	remove_patch(patch);
}
END_TEST

/* ---- Fibers, forks, and what else comes by ---- */

START_TEST(fiber_that_no_thread_runs_is_late_like_any_task)
{
	struct hotpatch_apply_options options = patient();
	struct hotpatch_patch *patch = open_bundle("milli");
	struct hotpatch_task *fiber = hotpatch_task_create(NULL);

	hotpatch_task_switch(fiber);
	hotpatch_enter();
	hotpatch_task_switch(NULL);
	options.rendezvous_ms = 1;
	expect_status(HOTPATCH_E_RENDEZVOUS,
		      hotpatch_patch_apply(patch, &options, &err));
	hotpatch_task_switch(fiber);
	hotpatch_leave();
	hotpatch_task_switch(NULL);
	hotpatch_task_destroy(fiber);
	apply(patch);
	remove_patch(patch);
}
END_TEST

static sem_t migrating;
static sem_t go_on;

static void linger(void)
{
	sem_post(&migrating);
	await_semaphore(&go_on);
}

static int child_status = -1;

static void fork_and_look(void *unused)
{
	pid_t child;

	(void)unused;
	sem_post(&go_on);
	child = fork();
	if (!child)
		_exit(total == 5000 && read_total() == 5 ? 0 : 1);
	waitpid(child, &child_status, 0);
}

START_TEST(fork_waits_for_the_migration_so_that_no_half_of_it_is_copied)
{
	struct hotpatch_patch *patch = open_bundle("milli");
	struct hotpatch_patch_info info;
	struct applier applier;

	sem_init(&migrating, 0, 0);
	sem_init(&go_on, 0, 0);
	act = linger;
	applier_start(&applier, patch);
	await_semaphore(&migrating);
	hotpatch_patch_info(patch, &info);
	ck_assert_str_eq(info.callback, "migrate");
	expect_status(HOTPATCH_E_BUSY,
		      hotpatch_patch_revert(patch, NULL, &err));
	run_elsewhere(fork_and_look, NULL);
	pthread_join(applier.thread, NULL);
	ck_assert_int_eq(child_status, 0);
}
END_TEST

START_TEST(patch_that_replaces_one_that_met_lets_all_meet_again)
{
	struct hotpatch_patch *old = apply_bundle("milli");
	uint64_t start = events_now();

	apply_bundle("plain");
	ck_assert_int_eq(total, 5);
	ck_assert_int_eq(unit(), 1);
	await_unmapped(old);
	expect_events(start, "opened plain\nleaving milli\n"
			     "gathering plain\n"
			     "gathered milli\ngathered plain\n"
			     "migrated milli\n"
			     "settled milli\nsettled plain\n"
			     "reverted milli\nactive plain\n"
			     "unmapped milli\n");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_move_together_and_back,
		patch_that_does_not_move_stays_as_it_is,
		task_waits_at_its_safe_point_and_goes_on_with_the_new_view,
		enter_waits_while_others_are_in_their_sections,
		no_task_is_in_a_section_while_the_bundle_migrates,
		late_task_lets_all_go_on_and_the_apply_can_be_tried_again,
		those_who_did_not_come_are_named_and_counted,
		late_task_keeps_a_patch_that_was_to_be_reverted,
		workers_that_wait_for_one_another_part_at_the_deadline,
		handler_that_interrupts_a_waiting_task_does_not_wait,
		handler_that_interrupts_a_section_does_not_wait,
		migration_may_enter_and_be_interrupted_by_who_enters,
		fiber_that_no_thread_runs_is_late_like_any_task,
		fork_waits_for_the_migration_so_that_no_half_of_it_is_copied,
		patch_that_replaces_one_that_met_lets_all_meet_again,
	};

	return run_tests("rendezvous", tests, sizeof(tests) / sizeof(tests[0]));
}
