/* SPDX-License-Identifier: MIT */
/*
 * How long a patch takes from its file to the last thread and back, by what
 * that may depend on and by what it must not.
 *
 * usage: apply functions ROW BUNDLE
 *        apply threads busy|sleeping COUNT BUNDLE
 *        apply memory MEGABYTES BUNDLE
 *        apply active BUNDLE OTHER...	beside the others, which are active
 *        apply cycles COUNT BUNDLE	what the process has more of then
 *        apply taken		by each function, in memory
 *        apply taken BUNDLE...	by each task and each of these patches
 */
#include "sample.h"

#include <hotpatch/hotpatch.h>

#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS_MAX 1024

static void must(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status == HOTPATCH_OK)
		return;
	fprintf(stderr, "apply: %s: %s\n", hotpatch_status_name(status),
		err->sentence);
	exit(1);
}

/* ---- Threads ---- */

static uint32_t stop;
static sem_t working;
static pthread_mutex_t rest = PTHREAD_MUTEX_INITIALIZER;

static void *be_busy(void *unused)
{
	hotpatch_enter();
	sem_post(&working);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		hotpatch_safe_point();
	hotpatch_leave();
	return unused;
}

/* At rest, until the lock is released. */
static void *be_asleep(void *unused)
{
	hotpatch_enter();
	hotpatch_leave();
	sem_post(&working);
	pthread_mutex_lock(&rest);
	pthread_mutex_unlock(&rest);
	return unused;
}

static pthread_t threads[THREADS_MAX];

static void threads_start(unsigned int count, void *(*be)(void *))
{
	pthread_attr_t small;
	unsigned int i;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	sem_init(&working, 0, 0);
	pthread_mutex_lock(&rest);
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], &small, be, NULL) != 0)
			exit(1);
	for (i = 0; i < count; i++)
		sem_wait(&working);
	pthread_attr_destroy(&small);
}

static void threads_stop(unsigned int count)
{
	unsigned int i;

	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&rest);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* ---- Measuring ---- */

static const char *table;
static const char *row;
static const char *prefix = "";
static uint64_t since_ns;

static void since(const char *column)
{
	char whole[64];
	uint64_t at_ns = now_ns();

	snprintf(whole, sizeof(whole), "%s%s", prefix, column);
	sample(table, row, whole, (double)(at_ns - since_ns) / 1e3);
	since_ns = now_ns();
}

/* Of the apply, from when nothing can fail any more until the new view is out;
 * for the patch whose events are the last. */
static void tell_commit(void)
{
	struct hotpatch_event event = {.sequence = 0};
	uint64_t advanced_ns = 0;
	uint64_t staged_ns = 0;
	char column[64];

	while (hotpatch_event_read(event.sequence, &event, 1) == 1) {
		if (event.phase == HOTPATCH_PHASE_STAGED)
			staged_ns = event.time_ns;
		if (event.phase == HOTPATCH_PHASE_ADVANCED)
			advanced_ns = event.time_ns;
	}
	snprintf(column, sizeof(column), "%scommit", prefix);
	sample(table, row, column, (double)(advanced_ns - staged_ns) / 1e3);
}

/* Threads that have to wait for a processor may be so late that the patch is
 * called retained meanwhile; it is unmapped when they have come. */
static void await_unmapped(struct hotpatch_patch *patch)
{
	struct hotpatch_error err;
	enum hotpatch_status status;

	do {
		status =
			hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, -1, &err);
		hotpatch_poll();
	} while (status == HOTPATCH_E_RETAINED);
	must(status, &err);
}

/* Begun, until all threads have moved, and so on. */
static void measure(const char *bundle)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	since_ns = now_ns();
	must(hotpatch_patch_open(bundle, NULL, &patch, &err), &err);
	since("open");
	must(hotpatch_patch_apply(patch, NULL, &err), &err);
	since("apply");
	tell_commit();
	since_ns = now_ns();
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	since("all moved");
	must(hotpatch_patch_revert(patch, NULL, &err), &err);
	since("revert");
	await_unmapped(patch);
	since("unmapped");
	hotpatch_patch_close(patch);
}

static void measure_with_threads(const char *kind, const char *bundle)
{
	unsigned int count = (unsigned int)strtoul(row, NULL, 10);
	bool busy = strcmp(kind, "busy") == 0;

	if (count == 0 || count > THREADS_MAX)
		exit(2);
	prefix = busy ? "busy, " : "asleep, ";
	threads_start(count, busy ? be_busy : be_asleep);
	measure(bundle);
	threads_stop(count);
}

static void measure_with_memory(const char *bundle)
{
	size_t size = strtoul(row, NULL, 10) << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	memset(memory, 1, size);
	measure(bundle);
	munmap(memory, size);
}

static void measure_beside(const char *bundle, char **others, int count)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	char number[16];
	int i;

	for (i = 0; i < count; i++) {
		must(hotpatch_patch_open(others[i], NULL, &patch, &err), &err);
		must(hotpatch_patch_apply(patch, NULL, &err), &err);
		must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err),
		     &err);
	}
	snprintf(number, sizeof(number), "%d", count);
	row = number;
	measure(bundle);
}

/* ---- Growth ---- */

static void one_cycle(const char *bundle)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	must(hotpatch_patch_open(bundle, NULL, &patch, &err), &err);
	must(hotpatch_patch_apply(patch, NULL, &err), &err);
	must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err), &err);
	must(hotpatch_patch_revert(patch, NULL, &err), &err);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 heap = mallinfo2();

	return heap.uordblks + heap.hblkhd;
}

struct memory {
	size_t mapped; /* of the address space */
	size_t resident;
};

static struct memory memory_now(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t resident;
	size_t mapped;

	if (!file || fscanf(file, "%zu %zu", &mapped, &resident) != 2)
		exit(1);
	fclose(file);
	return (struct memory){mapped * page, resident * page};
}

static double kb_more(size_t now, size_t before)
{
	return ((double)now - (double)before) / 1024;
}

/* A hundred cycles come first: they make what is kept and used again. */
static void measure_growth(const char *column, const char *bundle)
{
	unsigned long count = strtoul(column, NULL, 10);
	size_t resident;
	size_t heap;
	int i;

	for (i = 0; i < 100; i++)
		one_cycle(bundle);
	heap = heap_bytes();
	resident = memory_now().resident;
	while (count-- > 0)
		one_cycle(bundle);
	sample(table, "heap", column, kb_more(heap_bytes(), heap));
	sample(table, "resident", column,
	       kb_more(memory_now().resident, resident));
}

/* ---- What things take ---- */

#define TASKS 4096

static void take(size_t heap, size_t mapped, size_t count)
{
	sample(table, row, "heap",
	       (double)(heap_bytes() - heap) / (double)count);
	sample(table, row, "mapped",
	       (double)(memory_now().mapped - mapped) / (double)count);
}

/* In the program's own data, and in the heap before main() began. */
static void take_functions(size_t heap)
{
	row = "patchable function";
	sample(table, row, "heap",
	       (double)heap / (double)hotpatch_slot_list(NULL, 0));
	sample(table, row, "mapped",
	       sizeof(struct hotpatch_slot) + sizeof(void *));
}

static void take_tasks(void)
{
	static struct hotpatch_task *tasks[TASKS];
	size_t heap = heap_bytes();
	size_t mapped = memory_now().mapped;

	row = "task";
	for (size_t i = 0; i < TASKS; i++)
		if (!(tasks[i] = hotpatch_task_create(NULL)))
			exit(1);
	take(heap, mapped, TASKS);
	for (size_t i = 0; i < TASKS; i++)
		hotpatch_task_destroy(tasks[i]);
}

/* The first one makes what all share. */
static void take_patches(char **bundles, size_t count)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;
	size_t mapped = 0;
	size_t heap = 0;

	row = "active patch of one function";
	for (size_t i = 0; i < count; i++) {
		must(hotpatch_patch_open(bundles[i], NULL, &patch, &err), &err);
		must(hotpatch_patch_apply(patch, NULL, &err), &err);
		must(hotpatch_patch_wait(patch, HOTPATCH_DRAINED, -1, &err),
		     &err);
		if (i == 0) {
			heap = heap_bytes();
			mapped = memory_now().mapped;
		}
	}
	take(heap, mapped, count - 1);
}

int main(int argc, char **argv)
{
	size_t heap = heap_bytes();

	if (argc == 4 && strcmp(argv[1], "functions") == 0) {
		table = "a patch, by functions";
		row = argv[2];
		measure(argv[3]);
	} else if (argc == 5 && strcmp(argv[1], "threads") == 0) {
		table = "a patch, by threads";
		row = argv[3];
		measure_with_threads(argv[2], argv[4]);
	} else if (argc == 4 && strcmp(argv[1], "memory") == 0) {
		table = "a patch, by megabytes of memory";
		row = argv[2];
		measure_with_memory(argv[3]);
	} else if (argc >= 3 && strcmp(argv[1], "active") == 0) {
		table = "a patch, by active patches";
		measure_beside(argv[2], argv + 3, argc - 3);
	} else if (argc == 4 && strcmp(argv[1], "cycles") == 0) {
		table = "growth by cycles of one patch";
		measure_growth(argv[2], argv[3]);
	} else if (argc >= 2 && strcmp(argv[1], "taken") == 0) {
		table = "memory for each";
		if (argc == 2) {
			take_functions(heap);
		} else {
			take_tasks();
			take_patches(argv + 2, (size_t)argc - 2);
		}
	} else {
		return 2;
	}
	return 0;
}
