/* SPDX-License-Identifier: MIT */
/*
 * The same where somebody is in the way: a thread in the code that is to go, a
 * handler of signals that hides it, a section that holds the old view.
 */
#include "rows.h"
#include "steps.h"

#include <signal.h>

/* How long to look for what cannot come, to begin with. */
#define LOOK_MS 3

struct inside {
	pthread_t thread;
	int id;
	void (*work)(void);
};

static sem_t inside;
static sem_t leave_inside;
static bool handle_inside;

/* In the code of the bundle, once it was asked for. */
static void *place_inside;
static bool only_tell_place;

static void stay(void)
{
	sem_post(&inside);
	while (sem_wait(&leave_inside))
		;
}

static void stay_in_handler(int number)
{
	(void)number;
	stay();
}

/* Called by the bundle "blocking". */
HOTPATCH_API void wait_inside(void);

void wait_inside(void)
{
	place_inside = __builtin_return_address(0);
	if (only_tell_place)
		return;
	if (handle_inside)
		raise(SIGUSR1);
	else
		stay();
}

static void *work_inside(void *argument)
{
	struct inside *self = argument;

	self->id = own_thread_id();
	self->work();
	return NULL;
}

static void start_inside(struct inside *self, void (*work)(void))
{
	sem_init(&inside, 0, 0);
	sem_init(&leave_inside, 0, 0);
	self->work = work;
	demand(!pthread_create(&self->thread, NULL, work_inside, self),
	       "thread");
	while (sem_wait(&inside))
		;
	while (!is_asleep(self->id))
		sched_yield();
}

static void stop_inside(struct inside *self)
{
	sem_post(&leave_inside);
	pthread_join(self->thread, NULL);
}

static void hold_section(void)
{
	hotpatch_enter();
	stay();
	hotpatch_leave();
}

#define ALWAYS(name, cause)                                                    \
	{FAULT_##name,	     NULL, STEP_UNMAP, HOTPATCH_E_TIMEOUT,             \
	 HOTPATCH_E_TIMEOUT, NULL},

/* Whatever fails: code that a thread is in does not go. */
static const struct expectation inside_table[] = {
	FAULT_MAP(ALWAYS) TABLE_END,
};

static void call_blocking(void)
{
	first_version();
}

static void call_blocking_with_other_stack(void)
{
	static char room[65536];
	const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
	stack_t before;
	struct sigaction action = {.sa_handler = stay_in_handler,
				   .sa_flags = SA_ONSTACK};

	sigaltstack(&stack, &before);
	sigaction(SIGUSR1, &action, NULL);
	handle_inside = true;
	first_version();
	sigaltstack(&before, NULL);
}

static void run_inside(void (*work)(void))
{
	struct hotpatch_patch *patch = NULL;
	enum hotpatch_status status;
	struct inside thread;

	use_private_directory();
	demand(!hotpatch_patch_open(bundle_path("blocking"), NULL, &patch,
				    NULL),
	       "open");
	demand(!hotpatch_patch_apply(patch, NULL, NULL), "apply");
	start_inside(&thread, work);
	demand(!hotpatch_patch_revert(patch, NULL, NULL), "revert");
	armed_step(STEP_UNMAP, status,
		   hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
				       LOOK_MS * (int)patience, &err));
	demand(status == HOTPATCH_E_TIMEOUT, "it was unmapped");
	demand(facts_now(0).mappings > 0, "it is gone");
	stop_inside(&thread);
	status = hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
				     NULL);
	demand(status == OK, "afterwards");
	hotpatch_patch_close(patch);
	clean_cycle();
	report_blocks();
}

static void run_inside_code(void)
{
	run_inside(call_blocking);
}

static void run_inside_handler(void)
{
	run_inside(call_blocking_with_other_stack);
}

START_TEST(no_fault_unmaps_code_that_a_thread_is_in)
{
	static const enum fault required[] = {FAULT_open, FAULT_opendir,
					      FAULT_readdir, FAULT_NONE};
	static const struct scenario scenario = {"inside", run_inside_code,
						 inside_table, required, false};

	exhaust(&scenario);
}
END_TEST

START_TEST(no_fault_unmaps_code_that_a_signal_handler_hides)
{
	static const enum fault required[] = {FAULT_pread, FAULT_NONE};
	static const struct scenario scenario = {"handler", run_inside_handler,
						 inside_table, required, false};

	exhaust(&scenario);
}
END_TEST

/* The thread sanitizer has a thread of its own, which nobody unwinds. */
#if UNDER_TSAN
#define WORDS_UNREAD HOTPATCH_E_TIMEOUT
#else
#define WORDS_UNREAD HOTPATCH_OK
#endif

static const struct expectation word_table[] = {
	{FAULT_pread, NULL, STEP_UNMAP, OK, WORDS_UNREAD,
	 "who asks is unwound instead"},
	{FAULT_backtrace, NULL, STEP_UNMAP, OK, HOTPATCH_E_TIMEOUT,
	 "the proof fails, and is tried again a millisecond later"},
	UNMAP_ROWS,
	TABLE_END,
};

static void call_first(void *unused)
{
	(void)unused;
	first_version();
}

/* A word on the stack of who waits is no call, which an unwinding tells. */
static void run_word(void)
{
	struct hotpatch_patch *patch = NULL;
	void *volatile word;

	use_private_directory();
	demand(!hotpatch_patch_open(bundle_path("blocking"), NULL, &patch,
				    NULL),
	       "open");
	demand(!hotpatch_patch_apply(patch, NULL, NULL), "apply");
	only_tell_place = true;
	run_elsewhere(call_first, NULL);
	word = place_inside;
	demand(!hotpatch_patch_revert(patch, NULL, NULL), "revert");
	checked_unmap(patch);
	demand(word == place_inside, "the word has gone");
	hotpatch_patch_close(patch);
	clean_cycle();
	report_blocks();
}

START_TEST(no_fault_of_an_unwinding_clears_what_it_did_not_see)
{
	static const enum fault required[] = {FAULT_backtrace, FAULT_dlinfo,
					      FAULT_rt_sigaction, FAULT_NONE};
	static const struct scenario scenario = {"word", run_word, word_table,
						 required, false};

	exhaust(&scenario);
}
END_TEST

#define NOT_YET(step, status)                                                  \
	{FAULT_open, NULL, step, status, status, "no details are had"},        \
		{FAULT_read, NULL, step, status, status, "likewise"},          \
		{FAULT_pread, NULL, step, status, status, "likewise"},         \
		{FAULT_fopen, NULL, step, status, status, "likewise"},         \
		{FAULT_fgets, NULL, step, status, status, "likewise"},         \
		{FAULT_calloc, NULL, step, status, status, "likewise"},        \
		{FAULT_malloc, NULL, step, status, status, "likewise"},        \
		{FAULT_realloc, NULL, step, status, status, "likewise"},       \
		{FAULT_rt_sigaction, NULL, step, status, status, "likewise"},  \
		{FAULT_tgkill, NULL, step, status, status, "it may live"},     \
		{FAULT_futex, NULL,   step,                                    \
		 status,      status, "who waits looks by itself, too"},       \
	{                                                                      \
		FAULT_membarrier, NULL, step, status, status, "paid later"     \
	}

static const struct expectation held_table[] = {
	QUARANTINE_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	TOLERATED(membarrier, NULL, STEP_REVERT, "it is owed, and paid later"),
	CHANGE_ROWS,
	TOLERATED(tgkill, NULL, STEP_APPLY, "a thread may live"),
	TOLERATED(tgkill, NULL, STEP_REVERT, "a thread may live"),
	NOT_YET(STEP_LIST, OK),
	NOT_YET(STEP_DRAIN, HOTPATCH_E_TIMEOUT),
	UNMAP_ROWS,
	TABLE_END,
};

static void checked_list(void)
{
	struct hotpatch_error none = {HOTPATCH_OK, 0, "", ""};
	struct hotpatch_blocker blockers[4];
	size_t count;

	faults_arm(STEP_LIST);
	count = hotpatch_blocker_list(blockers, 4);
	end_step(HOTPATCH_OK, &none);
	demand(count == 1, "%zu are in the way", count);
	demand(blockers[0].thread > 0 && blockers[0].advice[0], "no facts");
}

static void run_held(void)
{
	struct hotpatch_patch *patch;
	enum hotpatch_status status;
	struct inside thread;

	use_private_directory();
	begin_run();
	patch = checked_open("one", NULL);
	start_inside(&thread, hold_section);
	at_begin.tasks = facts_now(0).tasks;
	checked_apply(patch, 1);
	checked_list();
	armed_step(STEP_DRAIN, status,
		   hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
				       LOOK_MS * (int)patience, &err));
	demand(status == HOTPATCH_E_TIMEOUT, "nobody was in the way");
	demand(state_of(patch) == HOTPATCH_APPLYING, "not applying");
	checked_turn(patch);
	stop_inside(&thread);
	at_begin.tasks = 0;
	checked_unmap(patch);
	checked_close(patch);
	end_run();
}

START_TEST(every_fault_of_a_held_transition_leaves_all_or_nothing)
{
	static const enum fault required[] = {FAULT_tgkill, FAULT_futex,
					      FAULT_NONE};
	static const struct scenario scenario = {"held", run_held, held_table,
						 required, false};

	exhaust(&scenario);
}
END_TEST

/* Whoever cannot be looked at is not adopted. */
static const struct expectation stalled_table[] = {
	QUARANTINE_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	{FAULT_membarrier, NULL, STEP_DRAIN, OK, HOTPATCH_E_TIMEOUT,
	 "it is owed, and paid later"},
	TOLERATED(tgkill, NULL, STEP_DRAIN, "it may live"),
	TOLERATED(tgkill, NULL, STEP_APPLY, "it may live"),
	TOLERATED(futex, NULL, STEP_DRAIN, "who waits looks by itself, too"),
	REFUSED(malloc, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(calloc, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(realloc, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	{FAULT_open, "/comm", STEP_DRAIN, OK, HOTPATCH_E_STALLED,
	 "only the name is not known"},
	REFUSED(open, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	{FAULT_read, "#1", STEP_DRAIN, OK, HOTPATCH_E_STALLED,
	 "only the name is not known"},
	REFUSED(read, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(pread, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(fopen, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(fgets, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	REFUSED(rt_sigaction, NULL, STEP_DRAIN, HOTPATCH_E_STALLED),
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

static void run_stalled(void)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = HOTPATCH_REVERSE,
		.adopt_sleepers = true,
	};
	struct hotpatch_patch *patch;
	enum hotpatch_status status;
	struct inside thread;

	use_private_directory();
	begin_run();
	patch = checked_open("one", NULL);
	start_inside(&thread, hold_section);
	demand(!hotpatch_patch_apply(patch, &options, NULL), "apply");
	if (armed_step(STEP_DRAIN, status,
		       hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
					   injection.fault == FAULT_membarrier ?
						   SHORT_MS :
						   PATIENCE_MS,
					   &err)) &&
	    status == HOTPATCH_E_TIMEOUT)
		status = hotpatch_patch_wait(patch, HOTPATCH_DRAINED,
					     PATIENCE_MS, NULL);
	if (status == OK) {
		demand(version() == 1, "version %d", version());
		demand(!hotpatch_patch_revert(patch, NULL, NULL), "revert");
	} else {
		demand(status == HOTPATCH_E_STALLED, "it is %s",
		       hotpatch_status_name(status));
	}
	demand(version() == 0, "version %d", version());
	stop_inside(&thread);
	checked_unmap(patch);
	checked_close(patch);
	end_run();
}

START_TEST(every_fault_at_the_deadline_reverses_or_adopts)
{
	static const enum fault required[] = {FAULT_malloc, FAULT_NONE};
	static const struct scenario scenario = {
		"stalled", run_stalled, stalled_table, required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_fault_unmaps_code_that_a_thread_is_in,
		no_fault_unmaps_code_that_a_signal_handler_hides,
		no_fault_of_an_unwinding_clears_what_it_did_not_see,
		every_fault_of_a_held_transition_leaves_all_or_nothing,
		every_fault_at_the_deadline_reverses_or_adopts,
	};

	return run_tests("held_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
