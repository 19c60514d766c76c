/* SPDX-License-Identifier: MIT */
/*
 * Start, lock, barrier and wake-ups of the engine, what fork() needs, and the
 * refusal of a second copy: each copy of the library carries a note that
 * points to its marker, and looks for another one's through the notes of all
 * loaded modules, because a copy that is linked statically into a plugin can
 * be found by no symbol.
 */
#include "engine.h"

#include "atomic.h"
#include "canary.h"
#include "event.h"
#include "loop.h"
#include "module.h"
#include "note.h"
#include "observe/log.h"
#include "observe/watch.h"
#include "patch.h"
#include "probation.h"
#include "rendezvous.h"
#include "scan.h"
#include "shadow.h"
#include "stack.h"
#include "stage.h"
#include "status.h"
#include "step.h"
#include "task.h"
#include "transition.h"
#include "trial.h"
#include "unload.h"

#include <errno.h>
#include <link.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef HP_FENCED
#define HP_FENCED 0
#endif

/* What the library's note points to. */
struct hp_marker {
	uint32_t running;
	uint32_t format;
};

__attribute__((used)) struct hp_marker hp_marker = {0, 1};

__asm__(".pushsection .note.hotpatch_library, \"a\", %note\n"
	".p2align 2\n"
	".long 9, 8, 100\n"
	".asciz \"hotpatch\"\n"
	".p2align 2\n"
	".quad hp_marker - .\n"
	".popsection\n");

#define LOADER_PATIENCE_S 1

bool hp_process_forced;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t loader_lock =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static __thread bool forks_with_loader
	__attribute__((tls_model("initial-exec")));
static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum hotpatch_status usable = HOTPATCH_E_UNSUPPORTED;
static bool use_membarrier;
static __thread uintptr_t caller_frame;
static uint32_t progress;
static uint32_t waiters;
static int watcher = -1; /* eventfd, under the lock */

void hp_engine_lock(void)
{
	pthread_mutex_lock(&lock);
	hp_step(LOCKED);
}

bool hp_engine_try_lock(void)
{
	return pthread_mutex_trylock(&lock) == 0;
}

void hp_engine_release(void)
{
	pthread_mutex_unlock(&lock);
}

void hp_engine_unlock(void)
{
	hp_engine_release();
	hp_step(RELEASED);
	/* A task that found the lock taken left a mark instead of waiting. */
	if (HP_KEEP(RELEASE_LOOKS))
		hp_transition_look_again();
}

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

/* Decided once: whether the kernel pays for the readers' fences. */
static bool membarrier_register(void)
{
	long commands;

	if (HP_FENCED)
		return false;
	commands = membarrier(MEMBARRIER_CMD_QUERY);
	return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
	       membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

bool hp_barrier(void)
{
	/* Without it the readers' exchange and the scan's loads are fenced
	 * themselves; there is nothing to add. */
	bool done = !use_membarrier ||
		    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;

	hp_step(ALL_FENCED);
	return done;
}

/* The marker that a library's note in this segment points to, or NULL. */
static struct hp_marker *marker_in(const struct dl_phdr_info *info,
				   const ElfW(Phdr) *segment)
{
	struct hp_note_walk walk = {
		.at = (const unsigned char *)(info->dlpi_addr +
					      segment->p_vaddr),
		.left = segment->p_memsz,
		.alignment = segment->p_align,
	};
	struct hp_note note;
	int64_t offset;

	while (hp_note_next(&walk, &note)) {
		if (!hp_note_is(&note, HOTPATCH_NOTE_OWNER,
				HOTPATCH_NOTE_LIBRARY) ||
		    note.size != sizeof(offset))
			continue;
		memcpy(&offset, note.bytes, sizeof(offset));
		return (struct hp_marker *)((uintptr_t)note.bytes +
					    (uintptr_t)offset);
	}
	return NULL;
}

static int find_other_copy(struct dl_phdr_info *info, size_t size,
			   void *argument)
{
	const struct hp_marker *marker;
	int i;

	(void)size;
	(void)argument;
	for (i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_NOTE)
			continue;
		marker = marker_in(info, &info->dlpi_phdr[i]);
		if (marker && marker != &hp_marker && marker->running)
			return 1;
	}
	return 0;
}

void hp_loader_enter(void)
{
	pthread_rwlock_rdlock(&loader_lock);
}

void hp_loader_leave(void)
{
	pthread_rwlock_unlock(&loader_lock);
}

/*
 * The dynamic loader's own locks are not there for fork(), so a child that is
 * made while another thread loads could never load. Bounded, because a bundle's
 * constructor may wait for something that the forking thread holds.
 */
static void await_loader(void)
{
	struct timespec until;

	forks_with_loader = false;
	if (hp_image_in_callback())
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOADER_PATIENCE_S;
	forks_with_loader = pthread_rwlock_timedwrlock(&loader_lock, &until) ==
			    0;
}

static void before_fork(void)
{
	await_loader();
	hp_rendezvous_lock_open();
	hp_shadow_before_fork();
}

static void after_fork_in_parent(void)
{
	hp_shadow_after_fork(false);
	hp_engine_unlock();
	if (forks_with_loader)
		pthread_rwlock_unlock(&loader_lock);
}

static void after_fork_in_child(void)
{
	static const pthread_rwlock_t fresh =
		PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

	hp_shadow_after_fork(true);
	hp_engine_release(); /* taken by before_fork(), which ran in this thread */
	if (forks_with_loader)
		pthread_rwlock_unlock(&loader_lock);
	/* Those who loaded are not here to leave it. */
	loader_lock = fresh;
	waiters = 0;
	watcher = -1;
	if (use_membarrier)
		use_membarrier = membarrier_register();
	hp_event_fork_child();
	hp_watch_fork_child();
	hp_log_fork_child();
	hp_loop_fork_child();
	hp_task_fork_child();
	hp_unload_fork_child();
	hp_redirects_fork_child();
	hp_stage_fork_child();
	hp_trial_fork_child();
	hp_rendezvous_fork_child();
	hp_transition_fork_child();
	hp_probation_fork_child();
}

static void describe(void)
{
	hp_task_describe();
	hp_slot_describe();
	hp_patch_describe();
	hp_transition_describe();
}

static void start(void)
{
	if (hp_module_walk(find_other_copy, NULL) != 0) {
		usable = HOTPATCH_E_SECOND_COPY;
		return;
	}
	use_membarrier = membarrier_register();
	if (!hp_task_start(!use_membarrier) || !hp_store_start() ||
	    pthread_atfork(before_fork, after_fork_in_parent,
			   after_fork_in_child) != 0) {
		usable = HOTPATCH_E_NO_MEMORY;
		return;
	}
	describe();
	hp_marker.running = 1;
	usable = HOTPATCH_OK;
}

void hp_engine_start(void)
{
	pthread_once(&once, start);
}

__attribute__((constructor(101))) static void library_constructor(void)
{
	hp_engine_start();
}

/* The process ends: what is mapped needs its file no more. */
static void remove_copies(void)
{
	const struct hotpatch_patch *patch;

	hp_engine_lock();
	for (patch = hp_patches; patch; patch = patch->next)
		if (patch->image.handle && patch->owner == getpid())
			hp_store_remove(patch->image.path);
	hp_engine_unlock();
	hp_store_finish();
}

__attribute__((destructor(101))) static void library_destructor(void)
{
	if (!hp_marker.running)
		return;
	hp_marker.running = 0;
	hp_probation_finish();
	remove_copies();
	hp_watch_deliver();
}

bool hp_engine_usable(void)
{
	return usable == HOTPATCH_OK;
}

enum hotpatch_status hp_engine_check(struct hotpatch_error *err)
{
	hp_engine_start();
	if (usable == HOTPATCH_OK)
		return HOTPATCH_OK;
	return hp_error(err, usable, 0, "libhotpatch",
			"this copy of the library is not running: %s",
			hotpatch_status_text(usable));
}

enum hotpatch_status hp_engine_enter(int *cancel_state,
				     struct hotpatch_error *err)
{
	if (hp_engine_check(err) != HOTPATCH_OK)
		return usable;
	if (hp_task_in_section())
		return hp_error(err, HOTPATCH_E_IN_SECTION, 0, "caller",
				"the calling thread is inside a section and "
				"would wait for itself");
	if (hp_image_in_callback())
		return hp_error(err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
				"a bundle's constructor or destructor cannot "
				"change patches");
	if (hp_shadow_in_callback())
		return hp_error(err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
				"a shadow's constructor or destructor cannot "
				"change patches");
	if (hp_watch_in_callback())
		return hp_error(
			err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
			"who is told of an event cannot change patches");
	if (hp_callback_runs_here())
		return hp_error(err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
				"a bundle's callback cannot change patches");
	if (hp_trial_asks_here())
		return hp_error(err, HOTPATCH_E_IN_CALLBACK, 0, "caller",
				"the health check cannot change patches");
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, cancel_state);
	caller_frame = (uintptr_t)__builtin_frame_address(0);
	return HOTPATCH_OK;
}

uintptr_t hp_engine_caller_frame(void)
{
	return caller_frame;
}

void hp_engine_leave(int cancel_state)
{
	hp_watch_deliver();
	pthread_setcancelstate(cancel_state, NULL);
}

uint32_t hp_progress_now(void)
{
	/* Fenced pairs with hp_progress_made(). */
	return hp_load_fenced(&progress);
}

void hp_progress_made(void)
{
	uint32_t waiting;

	hp_step(PROGRESS);
	/*
	 * Fenced: who makes progress and then finds nobody waiting pairs with
	 * a waiter that announces itself and then finds no progress.
	 */
	HP_ORDER(PROGRESS_BEFORE_WAITERS, hp_add_fenced(&progress, 1),
		 waiting = hp_load_fenced(&waiters));
	if (waiting)
		syscall(SYS_futex, &progress, FUTEX_WAKE_PRIVATE, INT32_MAX,
			NULL, NULL, 0);
}

void hp_progress_wait(uint32_t seen, uint64_t timeout_ns)
{
	uint64_t pause_ns = hp_step_pause(timeout_ns);
	struct timespec timeout = {
		.tv_sec = (time_t)(pause_ns / 1000000000u),
		.tv_nsec = (long)(pause_ns % 1000000000u),
	};

	hp_step(WAIT);
	/* Pairs with hp_progress_made(). */
	HP_ORDER(WAITERS_BEFORE_SLEEP, hp_add_fenced(&waiters, 1),
		 syscall(SYS_futex, &progress, FUTEX_WAIT_PRIVATE, seen,
			 &timeout, NULL, 0));
	hp_add_fenced(&waiters, (uint32_t)-1);
}

void hp_engine_watch(int fd)
{
	hp_engine_lock();
	watcher = fd;
	hp_engine_unlock();
}

void hp_engine_unwatch(int fd)
{
	hp_engine_lock();
	if (watcher == fd)
		watcher = -1;
	hp_engine_unlock();
}

void hp_engine_wake(void)
{
	const uint64_t one = 1;

	/* A full counter has woken its reader already. */
	if (watcher >= 0 && write(watcher, &one, sizeof(one)) < 0)
		return;
}

unsigned int hp_engine_poll(void)
{
	unsigned int open;

	hp_engine_lock();
	hp_transition_progress();
	hp_engine_unlock();
	hp_stage_finish();
	hp_trial_poll();
	hp_engine_lock();
	/* A canary is open until somebody says so. */
	open = hp_stage_now() != HP_STAGE_NONE && !hp_canary_is_open();
	hp_engine_unlock();
	open += hp_shadow_reclaim() > 0;
	open += hp_unload_ready();
	hp_redirects_poll();
	hp_watch_deliver();
	return open + hp_trial_count();
}

int hp_engine_idle_ms(void)
{
	int redirects_ms = hp_redirects_idle_ms();
	int probation_ms = hp_trial_idle_ms();

	if (redirects_ms < 0 ||
	    (probation_ms >= 0 && probation_ms < redirects_ms))
		return probation_ms;
	return redirects_ms;
}

unsigned int hotpatch_poll(void)
{
	int cancel_state = PTHREAD_CANCEL_ENABLE;
	unsigned int under_way;

	if (hp_engine_enter(&cancel_state, NULL) != HOTPATCH_OK)
		return 0;
	under_way = hp_engine_poll();
	hp_engine_leave(cancel_state);
	return under_way;
}

static void count_slots(struct hotpatch_process_info *info)
{
	const struct hp_module *module;

	for (module = hp_modules; module; module = module->next) {
		info->modules++;
		info->slots += module->count;
	}
}

void hotpatch_process_info(struct hotpatch_process_info *info)
{
	memset(info, 0, sizeof(*info));
	hp_engine_start();
	info->status = usable;
	if (usable != HOTPATCH_OK)
		return;
	info->membarrier = use_membarrier;
	info->sleepers = hp_stack_works();
	info->tasks = hp_scan_count();
	hp_engine_lock();
	info->transition = hp_stage_now() != HP_STAGE_NONE;
	info->forced = hp_process_forced;
	info->generation = hotpatch_generation;
	count_slots(info);
	hp_engine_unlock();
}
