/* SPDX-License-Identifier: MIT */
/*
 * A handler may interrupt anything, so what it reads is a table of fixed size.
 * While its thread is in the code of a row, that row's patch can neither be
 * unmapped nor be freed: that is the promise of unloading. So a row in whose
 * bounds the thread was found is good for as long as the handler runs.
 *
 * A call that can be made again keeps a frame on its thread's stack, with what
 * longjmp() needs. The handler goes there itself, from whatever stack it runs
 * on, with the signals unblocked that were before the fault: then it is as if
 * the call had not been made yet, but for what the new code had done until
 * then.
 *
 * What the repeated call runs is the newest body beneath the patch's that is
 * not about to go. Only sections may repeat calls. A section that read such a
 * body before its patch began to go has an older view than the one from which
 * on that patch is gone, so the body stays mapped for it.
 */
#include "contain.h"

#include "arch/arch.h"
#include "atomic.h"
#include "engine.h"
#include "event.h"
#include "patch.h"
#include "probation.h"
#include "status.h"
#include "task.h"

#include <errno.h>
#include <hotpatch/health.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROWS 16

/*
 * @start:  of the patch's image; 0 while the row is free. Stored last, with
 *          release
 * @fault:  2 when @text is whole, 1 while the thread with the first fault
 *          writes it
 */
struct row {
	uintptr_t start;
	uintptr_t stop;
	struct hotpatch_patch *patch;
	uint32_t fault;
	char text[HP_FAULT_SIZE];
};

/* @action: what was there before */
struct contained {
	int number;
	const char *name;
	struct sigaction action;
};

static struct contained contained[] = {
	{.number = SIGSEGV, .name = "SIGSEGV"},
	{.number = SIGBUS, .name = "SIGBUS"},
	{.number = SIGILL, .name = "SIGILL"},
	{.number = SIGFPE, .name = "SIGFPE"},
};

#define SIGNALS (sizeof(contained) / sizeof(contained[0]))

uint32_t hotpatch_contained;
static struct row rows[ROWS];
static bool installed; /* under the engine's lock */

/* The innermost call of this thread that can be made again. */
static __thread struct hotpatch_restart *innermost
	__attribute__((tls_model("initial-exec")));

/* ---- The table ---- */

static struct row *row_of(const struct hotpatch_patch *patch)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].start && rows[i].patch == patch)
			return &rows[i];
	return NULL;
}

static void publish(struct hotpatch_patch *patch)
{
	struct row *row = rows;

	if (row_of(patch))
		return;
	while (row < rows + ROWS && row->start)
		row++;
	if (row == rows + ROWS)
		return;
	row->stop = patch->image.stop;
	row->patch = patch;
	/* Relaxed: nobody is in the code yet. */
	hp_store_relaxed(&row->fault, 0);
	/* Release: pairs with find_row(). */
	hp_store_release(&row->start, patch->image.start);
}

/* The body that a call of @binding's function would get without its patch. */
static void (*body_beneath(const struct hp_binding *binding))(void)
{
	const struct hp_binding *below = binding->below;

	while (below && !below->patch->on[HP_NEW_SIDE])
		below = below->below;
	return below ? below->function : binding->slot->original;
}

/* Relaxed: whoever may use what is stored has a view that is newer, or older
 * than the beginning of the change that makes it stale. */
static void publish_bodies(struct hotpatch_patch *patch)
{
	struct hp_binding *binding;
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++) {
		binding = &patch->bindings[i];
		if (!binding->slot)
			continue;
		hp_store_relaxed(&binding->beneath, body_beneath(binding));
		hp_store_relaxed(&binding->entry, binding->slot->entry);
	}
}

static void retire(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].start && !hp_trial_is_contained(rows[i].patch))
			/* Relaxed: a handler that still finds it is in its
			 * code, or compares with bounds that were true. */
			hp_store_relaxed(&rows[i].start, 0);
}

void hp_contain_refresh(void)
{
	struct hotpatch_patch *patch;
	uint32_t count = 0;
	size_t i;

	retire();
	for (patch = hp_patches; patch; patch = patch->next) {
		if (!hp_trial_is_contained(patch))
			continue;
		publish(patch);
		publish_bodies(patch);
	}
	for (i = 0; i < ROWS; i++)
		count += rows[i].start != 0;
	/* Relaxed: a call that misses it is not repeated, no more. */
	hp_store_relaxed(&hotpatch_contained, installed ? count : 0);
}

void hp_contain_forget(const struct hotpatch_patch *patch)
{
	struct row *row = row_of(patch);

	if (row)
		/* Relaxed: a fault that comes this moment may count twice. */
		hp_store_relaxed(&row->fault, 0);
}

bool hp_contain_fault(const struct hotpatch_patch *patch,
		      char text[HP_FAULT_SIZE])
{
	struct row *row = row_of(patch);

	/* Acquire: pairs with note_fault(). */
	if (!row || hp_load_acquire(&row->fault) != 2)
		return false;
	memcpy(text, row->text, HP_FAULT_SIZE);
	return true;
}

/* ---- In a handler ---- */

static struct row *find_row(uintptr_t place)
{
	uintptr_t start;
	size_t i;

	for (i = 0; i < ROWS; i++) {
		/* Acquire: pairs with publish(). */
		start = hp_load_acquire(&rows[i].start);
		if (start && place >= start && place < rows[i].stop)
			return &rows[i];
	}
	return NULL;
}

static void add_text(char *text, const char *more)
{
	size_t used = strlen(text);

	hp_text_copy(text + used, HP_FAULT_SIZE - used, more);
}

static void add_hexadecimal(char *text, uintptr_t number)
{
	char digits[2 * sizeof(number) + 1];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[number % 16];
		number /= 16;
	} while (number);
	add_text(text, "0x");
	add_text(text, digits + at);
}

/* The last of the bundle's functions that begins before @place. */
static const struct hotpatch_replacement *
function_before(const struct hotpatch_bundle *bundle, uintptr_t place)
{
	const struct hotpatch_replacement *record = bundle->start;
	const struct hotpatch_replacement *best = NULL;

	for (; record < bundle->stop; record++)
		if ((uintptr_t)record->function <= place &&
		    (!best ||
		     (uintptr_t)record->function > (uintptr_t)best->function))
			best = record;
	return best;
}

static const char *signal_name(int number)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		if (contained[i].number == number)
			return contained[i].name;
	return "signal";
}

/* "SIGSEGV at handle_request+0x1c of fix-one": without stdio, which is not
 * async-signal-safe, and without symbols, of which bundles need none. */
static void describe(const struct row *row, int number, uintptr_t place,
		     char text[HP_FAULT_SIZE])
{
	const struct hotpatch_replacement *function =
		function_before(row->patch->image.bundle, place);

	text[0] = '\0';
	add_text(text, signal_name(number));
	add_text(text, " at ");
	if (function) {
		add_text(text, function->name);
		add_text(text, "+");
	}
	add_hexadecimal(text,
			place - (function ? (uintptr_t)function->function :
					    row->start));
	add_text(text, " of ");
	add_text(text, row->patch->manifest.name);
}

/* The first fault is what counts: its thread alone writes. */
static void note_fault(struct row *row, int number, uintptr_t place)
{
	/* Its acquire and release order nothing but who is first. */
	if (!hp_replace(&row->fault, 0, 1))
		return;
	describe(row, number, place, row->text);
	hp_probation_note(row->text, strlen(row->text));
	hp_event(HOTPATCH_PHASE_FAULT, HOTPATCH_E_UNHEALTHY,
		 row->patch->manifest.name, row->text);
	/* Release: pairs with hp_contain_fault(). */
	hp_store_release(&row->fault, 2);
}

/* Relaxed: see publish_bodies(). */
static void (*body_for(const struct hotpatch_patch *patch,
		       void (*entry)(void)))(void)
{
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++)
		if (hp_load_relaxed(&patch->bindings[i].entry) == entry)
			return hp_load_relaxed(&patch->bindings[i].beneath);
	return NULL;
}

/* Does not return if this thread is in a call that can be made again. */
static void go_back(const struct row *row, const ucontext_t *context)
{
	struct hotpatch_restart *restart = innermost;

	if (!restart)
		return;
	restart->body = body_for(row->patch, restart->entry);
	if (!restart->body)
		return;
	innermost = restart->outer;
	hotpatch_self->depth = restart->depth;
	pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL);
	longjmp(restart->place, 1);
}

/* As if this handler had never been: a fault comes again when the handler
 * returns, and a signal that was sent is sent once more. */
static void end_by_default(int number, siginfo_t *info)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
	if (info->si_code <= 0)
		syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
			number, info);
}

static void hand_on(struct contained *signal, siginfo_t *info, void *context)
{
	const struct sigaction *action = &signal->action;

	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(signal->number, info, context);
	else if (action->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	else if (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)
		end_by_default(signal->number, info);
	else
		action->sa_handler(signal->number);
}

/* What the kernel found, not what somebody sent. */
static void handle(int number, siginfo_t *info, void *context)
{
	uintptr_t place = hp_arch_interrupted(context);
	int os_error = errno;
	struct row *row = info->si_code > 0 ? find_row(place) : NULL;
	size_t i;

	if (row) {
		note_fault(row, number, place);
		errno = os_error;
		go_back(row, context);
	}
	errno = os_error;
	for (i = 0; i < SIGNALS; i++)
		if (contained[i].number == number)
			hand_on(&contained[i], info, context);
}

/* ---- Public ---- */

bool hotpatch_restart_begin(struct hotpatch_restart *restart,
			    void (*entry)(void))
{
	restart->armed = hp_task_is_thread_in_section();
	if (!restart->armed)
		return false;
	restart->entry = entry;
	restart->body = NULL;
	restart->depth = hotpatch_self->depth;
	restart->outer = innermost;
	innermost = restart;
	return true;
}

/* After a fault it is off the list already. */
void hotpatch_restart_end(struct hotpatch_restart *restart)
{
	if (restart->armed && !restart->body)
		innermost = restart->outer;
}

/* Who polls learns of it; a task never waits for the lock. */
void hotpatch_restart_tell(void)
{
	if (hp_engine_try_lock()) {
		hp_engine_wake();
		hp_engine_unlock();
	}
	hp_progress_made();
}

static bool install(struct contained *signal)
{
	struct sigaction action = {.sa_sigaction = handle};

	if (sigaction(signal->number, NULL, &signal->action) != 0)
		return false;
	action.sa_mask = signal->action.sa_mask;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK |
			  (signal->action.sa_flags & (SA_RESTART | SA_NODEFER));
	return sigaction(signal->number, &action, NULL) == 0;
}

/* All or none; false with errno. */
static bool install_all(void)
{
	size_t i;
	int cause;

	for (i = 0; i < SIGNALS; i++) {
		if (install(&contained[i]))
			continue;
		cause = errno;
		while (i--)
			sigaction(contained[i].number, &contained[i].action,
				  NULL);
		errno = cause;
		return false;
	}
	return true;
}

enum hotpatch_status hotpatch_health_contain(struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int cancel_state;
	int cause;

	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_engine_lock();
	if (installed)
		status = HOTPATCH_E_ALREADY;
	else if (!install_all())
		status = HOTPATCH_E_UNSUPPORTED;
	cause = errno;
	installed |= !status;
	hp_contain_refresh();
	hp_engine_unlock();
	hp_engine_leave(cancel_state);
	if (status == HOTPATCH_E_ALREADY)
		return hp_error(err, status, 0, "handlers",
				"faults are contained already");
	if (status)
		return hp_error(err, status, cause, "handlers",
				"a handler could not be set: %s",
				strerror(cause));
	return HOTPATCH_OK;
}
