/* SPDX-License-Identifier: MIT */
/*
 * What it costs to mark a call as a section, beside what others have for that,
 * from one thread to as many as there are processors.
 *
 * usage: sections COUNT	prints a sample of each
 *        sections COUNT fenced	those of this library, without membarrier
 *        sections LOOP COUNT	runs one loop, for counting instructions
 */
#include "sections.h"

#include "sample.h"

#include <hotpatch/hotpatch.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TABLE "a call in a section"
#define THREADS_MAX 256

HOTPATCH_FUNCTION(int, patchable, (int number))
{
	return number + 1;
}

static int plain(int number)
{
	return number + 1;
}

int (*sections_pointer)(int number) = plain;

/* ---- This library ---- */

static void run_sections(unsigned long count)
{
	LOOP(count, {
		hotpatch_enter();
		patchable((int)i);
		hotpatch_leave();
	});
}

static void run_safe_points(unsigned long count)
{
	hotpatch_enter();
	LOOP(count, {
		hotpatch_safe_point();
		patchable((int)i);
	});
	hotpatch_leave();
}

/* ---- What programs have without a library ---- */

static void run_plain(unsigned long count)
{
	LOOP(count, CALL_POINTER((int)i));
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void run_rwlock(unsigned long count)
{
	LOOP(count, {
		pthread_rwlock_rdlock(&lock);
		CALL_POINTER((int)i);
		pthread_rwlock_unlock(&lock);
	});
}

static unsigned long users;

static void run_counter(unsigned long count)
{
	LOOP(count, {
		__atomic_fetch_add(&users, 1, __ATOMIC_ACQUIRE);
		CALL_POINTER((int)i);
		__atomic_fetch_sub(&users, 1, __ATOMIC_RELEASE);
	});
}

static const struct side own[] = {
	{"hotpatch, enter and leave", NULL, run_sections, NULL},
	{"hotpatch, safe point", NULL, run_safe_points, NULL},
	{"no section", NULL, run_plain, NULL},
	{"shared counter", NULL, run_counter, NULL},
	{"pthread rwlock", NULL, run_rwlock, NULL},
};

/* The first so many of them are this library's. */
#define OWN 2

/* ---- Measuring ---- */

struct worker {
	pthread_t thread;
	const struct side *side;
	double each_ns;
};

static unsigned long count;
static pthread_barrier_t together;

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t start_ns;

	hotpatch_enter(); /* makes the record */
	hotpatch_leave();
	if (worker->side->start)
		worker->side->start();
	worker->side->run(count / 10 + 1);
	pthread_barrier_wait(&together);
	start_ns = now_ns();
	worker->side->run(count);
	worker->each_ns = (double)(now_ns() - start_ns) / (double)count;
	if (worker->side->stop)
		worker->side->stop();
	return NULL;
}

static void measure(const struct side *side, unsigned int threads,
		    const char *row)
{
	static struct worker workers[THREADS_MAX];
	char column[32];
	double sum_ns = 0;
	unsigned int i;

	pthread_barrier_init(&together, NULL, threads);
	for (i = 0; i < threads; i++) {
		workers[i].side = side;
		if (pthread_create(&workers[i].thread, NULL, work,
				   &workers[i]) != 0)
			exit(1);
	}
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		sum_ns += workers[i].each_ns;
	}
	pthread_barrier_destroy(&together);
	snprintf(column, sizeof(column), "%u", threads);
	sample(TABLE, row, column, sum_ns / threads);
}

static void measure_fenced(unsigned int threads)
{
	char row[64];
	size_t i;

	for (i = 0; i < OWN; i++) {
		snprintf(row, sizeof(row), "%s, fenced", own[i].name);
		measure(&own[i], threads, row);
	}
}

static void measure_all(unsigned int threads)
{
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		measure(&own[i], threads, own[i].name);
	for (i = 0; peers[i]; i++)
		measure(peers[i], threads, peers[i]->name);
}

/* One, two, four and so on, and all of them. */
static void for_each_count(void (*each)(unsigned int threads))
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int most = processors < THREADS_MAX ?
				    (unsigned int)processors :
				    THREADS_MAX;
	unsigned int threads;

	for (threads = 1; threads < most; threads *= 2)
		each(threads);
	each(most);
}

static int run_one(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i].name, name) == 0) {
			own[i].run(count);
			return 0;
		}
	for (i = 0; peers[i]; i++)
		if (strcmp(peers[i]->name, name) == 0) {
			peers[i]->start();
			peers[i]->run(count);
			return 0;
		}
	return 2;
}

/* The library decides when it is loaded, so the program begins anew where
 * there is no membarrier. */
static void begin_without_membarrier(char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]),
					   filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		execv("/proc/self/exe", argv);
	perror("sections: without membarrier");
	exit(1);
}

int main(int argc, char **argv)
{
	struct hotpatch_process_info info;

	if (argc < 2)
		return 2;
	hotpatch_process_info(&info);
	if (argc == 3 && strcmp(argv[2], "fenced") == 0) {
		count = strtoul(argv[1], NULL, 10);
		if (info.membarrier)
			begin_without_membarrier(argv);
		for_each_count(measure_fenced);
		return 0;
	}
	count = strtoul(argv[argc - 1], NULL, 10);
	hotpatch_enter(); /* makes the record */
	hotpatch_leave();
	if (argc == 3)
		return run_one(argv[1]);
	for_each_count(measure_all);
	return 0;
}
