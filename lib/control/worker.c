/* SPDX-License-Identifier: MIT */
/*
 * The queue of changes, and the thread that makes them.
 */
#include "worker.h"

#include "../callback.h"
#include "../engine.h"
#include "../status.h"
#include "../trial.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Who is at one thing for that long lingers there. */
#define LINGER_MS 1000
#define STOP_MS 1000

enum job_state {
	JOB_FREE,
	JOB_WAITING,
	JOB_RUNNING,
	JOB_DONE,
};

/*
 * @dropped: its client went away while it ran
 * @number:  by age
 * @change:  while it runs, it is the running thread's
 */
struct job {
	enum job_state state;
	bool dropped;
	uint64_t number;
	const void *owner;
	struct hp_change change;
};

/*
 * @lock:      guards all the others but @thread, @threaded and @pid, which are
 *             written before there is a second thread. A leaf: nothing is
 *             called under it that takes another or that may wait.
 * @wake:      something came to do
 * @end:       the thread has ended
 * @wake_fd:   -1 once the server has stopped
 * @kicked:    there is something to do
 * @abandoned: the thread is to free all this
 * @began_ms:  since when it is at one thing, 0 for at none
 * @looks:     made since things came under way
 * @idle_ms:   how long to sleep while nothing is, -1 for ever
 * @last:      number of the youngest job
 */
struct hp_worker {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t end;
	pthread_t thread;
	bool threaded;
	pid_t pid;
	int wake_fd;
	bool kicked;
	bool stopping;
	bool ended;
	bool abandoned;
	uint64_t began_ms;
	unsigned int looks;
	int idle_ms;
	uint64_t last;
	struct job jobs[HP_CHANGE_LIMIT];
};

static void lock(struct hp_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
}

static void unlock(struct hp_worker *worker)
{
	pthread_mutex_unlock(&worker->lock);
}

/* The oldest job in this state that is younger than @number; of one owner, if
 * there is one given. */
static struct job *next_job(struct hp_worker *worker, enum job_state state,
			    uint64_t number, const void *owner)
{
	struct job *best = NULL;
	struct job *job;
	size_t i;

	for (i = 0; i < HP_CHANGE_LIMIT; i++) {
		job = &worker->jobs[i];
		if (job->state == state && job->number > number &&
		    (!owner || job->owner == owner) &&
		    (!best || job->number < best->number))
			best = job;
	}
	return best;
}

/* ---- The worker's side ---- */

/* From here to end_step() the lock is not held. */
static void begin_step(struct hp_worker *worker)
{
	worker->began_ms = hp_now_ms();
	unlock(worker);
}

static void end_step(struct hp_worker *worker)
{
	/*
	 * A callback that forked has come back in the child, too. There nobody
	 * else may be left to release the lock, and there is nothing to do.
	 */
	if (worker->threaded && worker->pid != getpid())
		_exit(EXIT_SUCCESS);
	lock(worker);
	worker->began_ms = 0;
}

/* A full counter has woken the server already. */
static void tell_server(const struct hp_worker *worker)
{
	const uint64_t one = 1;

	if (worker->threaded && worker->wake_fd >= 0 &&
	    write(worker->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void discard(struct hp_worker *worker, struct job *job)
{
	begin_step(worker);
	hp_change_release(&job->change);
	end_step(worker);
	job->state = JOB_FREE;
}

static void carry_out(struct hp_worker *worker, struct job *job)
{
	bool over;

	job->state = JOB_RUNNING;
	begin_step(worker);
	over = hp_change_try(&job->change);
	end_step(worker);
	if (job->dropped) {
		discard(worker, job);
		return;
	}
	job->state = over ? JOB_DONE : JOB_WAITING;
	if (over)
		tell_server(worker);
}

/* A probation says itself when it has to be looked at again. */
static bool poll_once(struct hp_worker *worker)
{
	bool under_way;
	int idle_ms;

	begin_step(worker);
	under_way = hotpatch_poll() > hp_trial_count();
	idle_ms = hp_engine_idle_ms();
	end_step(worker);
	worker->idle_ms = idle_ms;
	return under_way;
}

/* With the lock, which it releases meanwhile. True if there will be more to do
 * soon. */
static bool run_round(struct hp_worker *worker)
{
	bool under_way;
	uint64_t number = 0;
	struct job *job;

	worker->kicked = false;
	under_way = poll_once(worker);
	while (!worker->stopping &&
	       (job = next_job(worker, JOB_WAITING, number, NULL))) {
		number = job->number;
		carry_out(worker, job);
	}
	/* A change that was made just now may have begun something. */
	if (number && !under_way)
		under_way = poll_once(worker);
	return under_way || next_job(worker, JOB_WAITING, 0, NULL);
}

static struct timespec time_after(uint64_t pause_ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(pause_ms / 1000);
	time.tv_nsec += (long)(pause_ms % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

static bool has_to_do(const struct hp_worker *worker)
{
	return worker->kicked || worker->stopping;
}

/* Sleeps until there is something to do, or it is time to look again. */
static void rest(struct hp_worker *worker, bool more)
{
	struct timespec until;
	int pause_ms = worker->idle_ms;

	if (more)
		pause_ms = worker->looks < HP_EAGER_LOOKS ? HP_EAGER_MS :
							    HP_PATIENT_MS;
	worker->looks = more ? worker->looks + 1 : 0;
	while (pause_ms < 0 && !has_to_do(worker))
		pthread_cond_wait(&worker->wake, &worker->lock);
	if (has_to_do(worker))
		return;
	until = time_after((uint64_t)pause_ms);
	pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
}

static void *work(void *argument)
{
	struct hp_worker *worker = argument;
	bool abandoned;

	pthread_setname_np(pthread_self(), "hotpatch-work");
	lock(worker);
	while (!worker->stopping)
		rest(worker, run_round(worker));
	/* What was given up meanwhile. */
	poll_once(worker);
	worker->ended = true;
	abandoned = worker->abandoned;
	pthread_cond_broadcast(&worker->end);
	unlock(worker);
	if (abandoned)
		hp_worker_free(worker);
	return NULL;
}

/* ---- The server's side ---- */

struct hp_worker *hp_worker_create(int wake_fd)
{
	struct hp_worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t attributes;
	size_t i;

	if (!worker)
		return NULL;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attributes);
	pthread_cond_init(&worker->end, &attributes);
	pthread_condattr_destroy(&attributes);
	for (i = 0; i < HP_CHANGE_LIMIT; i++)
		worker->jobs[i].change.fds[0] = worker->jobs[i].change.fds[1] =
			-1;
	worker->pid = getpid();
	worker->wake_fd = wake_fd;
	return worker;
}

enum hotpatch_status hp_worker_start(struct hp_worker *worker,
				     struct hotpatch_error *err)
{
	int os_error;

	worker->threaded = true;
	os_error = pthread_create(&worker->thread, NULL, work, worker);
	if (!os_error)
		return HOTPATCH_OK;
	worker->threaded = false;
	errno = os_error;
	return hp_error(err,
			os_error == ENOMEM ? HOTPATCH_E_NO_MEMORY :
					     HOTPATCH_E_LIMIT,
			os_error, "thread", "Cannot make the thread: %m.");
}

/* In the child of a fork it is not known who had the lock, or waited. */
void hp_worker_free(struct hp_worker *worker)
{
	if (worker->pid == getpid()) {
		pthread_cond_destroy(&worker->wake);
		pthread_cond_destroy(&worker->end);
		pthread_mutex_destroy(&worker->lock);
	}
	free(worker);
}

/* With the lock. False if it is still at something, and ends by itself. */
static bool await_end(struct hp_worker *worker)
{
	const struct timespec until = time_after(STOP_MS);

	pthread_cond_broadcast(&worker->wake);
	while (!worker->ended &&
	       !pthread_cond_timedwait(&worker->end, &worker->lock, &until))
		;
	worker->abandoned = !worker->ended;
	return worker->ended;
}

void hp_worker_stop(struct hp_worker *worker)
{
	pthread_t thread = worker->thread;
	bool ended = true;

	lock(worker);
	worker->stopping = true;
	worker->wake_fd = -1;
	if (worker->threaded)
		ended = await_end(worker);
	else
		poll_once(worker);
	unlock(worker);
	if (!ended) {
		pthread_detach(thread);
		return;
	}
	if (worker->threaded)
		pthread_join(thread, NULL);
	hp_worker_free(worker);
}

bool hp_worker_run(struct hp_worker *worker)
{
	bool more;

	lock(worker);
	more = run_round(worker);
	unlock(worker);
	return more;
}

static void kick(struct hp_worker *worker)
{
	worker->kicked = true;
	worker->looks = 0;
	pthread_cond_broadcast(&worker->wake);
}

void hp_worker_kick(struct hp_worker *worker)
{
	lock(worker);
	kick(worker);
	unlock(worker);
}

bool hp_worker_is_kicked(struct hp_worker *worker)
{
	bool kicked;

	lock(worker);
	kicked = worker->kicked;
	unlock(worker);
	return kicked;
}

uint64_t hp_worker_submit(struct hp_worker *worker, const void *owner,
			  const struct hp_change *change)
{
	struct job *job;
	uint64_t number = 0;
	size_t i;

	lock(worker);
	for (i = 0; i < HP_CHANGE_LIMIT && !number; i++) {
		job = &worker->jobs[i];
		if (job->state != JOB_FREE)
			continue;
		number = ++worker->last;
		*job = (struct job){
			.state = JOB_WAITING,
			.number = number,
			.owner = owner,
			.change = *change,
		};
		kick(worker);
	}
	unlock(worker);
	return number;
}

bool hp_worker_take(struct hp_worker *worker, const void *owner,
		    struct hp_change *change)
{
	struct job *job;

	lock(worker);
	job = next_job(worker, JOB_DONE, 0, owner);
	if (job) {
		*change = job->change;
		job->change.fds[0] = job->change.fds[1] = -1;
		job->state = JOB_FREE;
	}
	unlock(worker);
	return job != NULL;
}

size_t hp_worker_owes(struct hp_worker *worker, const void *owner,
		      uint64_t number)
{
	const struct job *job;
	size_t count = 0;
	size_t i;

	lock(worker);
	for (i = 0; i < HP_CHANGE_LIMIT; i++) {
		job = &worker->jobs[i];
		count += job->state != JOB_FREE && job->owner == owner &&
			 !job->dropped && job->number <= number;
	}
	unlock(worker);
	return count;
}

void hp_worker_drop(struct hp_worker *worker, const void *owner)
{
	struct hp_change gone[HP_CHANGE_LIMIT];
	size_t count = 0;
	struct job *job;
	size_t i;

	lock(worker);
	for (i = 0; i < HP_CHANGE_LIMIT; i++) {
		job = &worker->jobs[i];
		if (job->state == JOB_FREE || job->owner != owner)
			continue;
		job->dropped = true;
		if (job->state == JOB_RUNNING)
			continue;
		gone[count++] = job->change;
		job->change.fds[0] = job->change.fds[1] = -1;
		job->state = JOB_FREE;
	}
	unlock(worker);
	while (count)
		hp_change_release(&gone[--count]);
	hp_worker_kick(worker);
}

/* With the lock: the change's turn is over, and the worker lingers. */
static bool is_overdue(const struct hp_worker *worker, const struct job *job,
		       uint64_t now_ms)
{
	return job->state == JOB_WAITING && job->change.until_ms <= now_ms &&
	       worker->began_ms && now_ms - worker->began_ms >= LINGER_MS;
}

static bool any_is_overdue(struct hp_worker *worker, uint64_t now_ms)
{
	bool any = false;
	size_t i;

	lock(worker);
	for (i = 0; i < HP_CHANGE_LIMIT; i++)
		any |= is_overdue(worker, &worker->jobs[i], now_ms);
	unlock(worker);
	return any;
}

/* What the worker is most likely at. */
static void describe(struct hotpatch_error *err)
{
	char name[HOTPATCH_NAME_SIZE];
	const char *callback = hp_callback_anywhere(name);

	if (*callback)
		hp_error(err, HOTPATCH_E_BUSY, 0, name,
			 "%s of %s has not returned; other changes have to "
			 "wait.",
			 callback, name);
	else if (hp_trial_is_asking())
		hp_error(err, HOTPATCH_E_BUSY, 0, "",
			 "The process's health check has not returned; changes "
			 "have to wait.");
	else
		hp_error(err, HOTPATCH_E_BUSY, 0, "",
			 "The process is at another change for long; others "
			 "have to wait.");
}

void hp_worker_expire(struct hp_worker *worker)
{
	uint64_t now_ms = hp_now_ms();
	struct hotpatch_error err;
	struct job *job;
	size_t i;

	if (!any_is_overdue(worker, now_ms))
		return;
	describe(&err);
	lock(worker);
	for (i = 0; i < HP_CHANGE_LIMIT; i++) {
		job = &worker->jobs[i];
		if (!is_overdue(worker, job, now_ms))
			continue;
		job->change.status = err.status;
		job->change.err = err;
		job->state = JOB_DONE;
	}
	unlock(worker);
}

void hp_worker_forget(struct hp_worker *worker)
{
	size_t i;

	for (i = 0; i < HP_CHANGE_LIMIT; i++)
		hp_change_forget(&worker->jobs[i].change);
}
