/* SPDX-License-Identifier: MIT */
/*
 * Formats: /proc/PID/task/TID/syscall has "running", or "NR ARGS… SP PC" with
 * six arguments, or "-1 SP PC" for a thread that is blocked outside of a
 * system call (proc_pid_syscall(5)). All files are opened below
 * /proc/thread-self, which works also after the main thread has exited.
 *
 * A thread that handles a signal may have more frames on another stack than
 * the one it sleeps on; the return address that the kernel pushes for a
 * handler, the restorer, tells. It counts as not clear.
 */
#include "stack.h"

#include "arch/arch.h"
#include "engine.h"
#include "file.h"
#include "module.h"
#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK_WORDS 4096
#define FRAME_LIMIT 512
#define STACK_LIMIT ((uintptr_t)64 << 20) /* more cannot be searched */

struct mapping {
	uintptr_t start;
	uintptr_t stop;
};

struct hp_stack_reader {
	int memory;
	struct mapping *mappings;
	size_t count;
	size_t capacity;
	uintptr_t restorers[HP_ARCH_RESTORERS];
	size_t restorer_count;
	struct hp_stack_range vdso;
	uintptr_t block[BLOCK_WORDS];
};

/* What to look for. */
struct wanted {
	const struct hp_stack_range *ranges;
	size_t count;
	bool handlers; /* the return address of a signal handler, too */
};

struct registers {
	bool asleep;
	uintptr_t stack;
	uintptr_t code;
};

/* Reads a small file below the task's folder; false if it cannot be read. */
static bool read_task_file(int thread, const char *name, char *text,
			   size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/thread-self/../%d/%s", thread,
		 name);
	return hp_file_read_text(path, text, size);
}

/*
 * Registers of a thread that is asleep. A text that does not end as the kernel
 * ends it was cut, perhaps in the middle of a number.
 */
static bool parse_registers(const char *text, struct registers *registers)
{
	const char *blank = strrchr(text, ' ');
	const char *before;
	char *end;

	registers->asleep = false;
	if (strncmp(text, "running", 7) == 0)
		return true;
	if (!blank)
		return false;
	for (before = blank; before > text && before[-1] != ' '; before--)
		;
	registers->stack = strtoull(before, &end, 16);
	if (end != blank)
		return false;
	registers->code = strtoull(blank + 1, &end, 16);
	if (*end != '\n')
		return false;
	/* "-1" stands for a thread that is stopped or faults, not asleep. */
	registers->asleep = text[0] != '-';
	return registers->stack && registers->code;
}

/* A number that a line of its own ends with, after @before. */
static bool parse_count(const char *before, unsigned long long *count)
{
	char *end;

	*count = strtoull(before, &end, 10);
	return end > before && *end == '\n';
}

/* How often the thread was switched out, of its own will or not. */
static bool parse_switches(const char *text, unsigned long long *switches)
{
	static const char wanted[] = "voluntary_ctxt_switches:";
	const char *first = strstr(text, wanted);
	const char *second = first ? strstr(first + 1, wanted) : NULL;
	unsigned long long more;

	if (!second || !parse_count(first + sizeof(wanted) - 1, switches) ||
	    !parse_count(second + sizeof(wanted) - 1, &more))
		return false;
	*switches += more;
	return true;
}

static bool read_switches(int thread, unsigned long long *switches)
{
	char text[4096];

	return read_task_file(thread, "status", text, sizeof(text)) &&
	       parse_switches(text, switches);
}

/* A main thread that has exited stays a zombie while others run. */
static bool is_zombie(int thread)
{
	char text[4096];

	return read_task_file(thread, "status", text, sizeof(text)) &&
	       strstr(text, "\nState:\tZ");
}

static bool read_registers(int thread, struct registers *registers)
{
	char text[256];

	return read_task_file(thread, "syscall", text, sizeof(text)) &&
	       parse_registers(text, registers);
}

bool hp_stack_thread_lives(int thread)
{
	return syscall(SYS_tgkill, getpid(), thread, 0) == 0 || errno != ESRCH;
}

static bool add_mapping(struct hp_stack_reader *reader, uintptr_t start,
			uintptr_t stop)
{
	struct mapping *grown;
	size_t capacity = reader->capacity ? reader->capacity * 2 : 256;

	if (reader->count == reader->capacity) {
		grown = realloc(reader->mappings, capacity * sizeof(*grown));
		if (!grown)
			return false;
		reader->mappings = grown;
		reader->capacity = capacity;
	}
	reader->mappings[reader->count++] = (struct mapping){start, stop};
	return true;
}

/* False only without memory: a line that tells of nothing else is passed. */
static bool parse_mapping(struct hp_stack_reader *reader, const char *line)
{
	unsigned long start;
	unsigned long stop;
	char modes[5];

	if (sscanf(line, "%lx-%lx %4s", &start, &stop, modes) != 3)
		return true;
	if (strstr(line, "[vdso]"))
		reader->vdso = (struct hp_stack_range){start, stop};
	if (modes[0] != 'r' || modes[1] != 'w')
		return true;
	return add_mapping(reader, start, stop);
}

/*
 * Writable mappings, and where the vdso is. The rest of a line that is longer
 * than the buffer is passed over: it is a file's name, which can read like
 * another mapping.
 */
static bool parse_mappings(struct hp_stack_reader *reader, FILE *file)
{
	char line[512];
	bool begins = true;
	bool complete = true;

	reader->count = 0;
	while (complete && fgets(line, sizeof(line), file)) {
		if (begins)
			complete = parse_mapping(reader, line);
		begins = strchr(line, '\n');
	}
	return complete && !ferror(file) && reader->count > 0;
}

static bool read_mappings(struct hp_stack_reader *reader)
{
	FILE *file = fopen("/proc/thread-self/maps", "re");
	bool complete;

	if (!file)
		return false;
	complete = parse_mappings(reader, file);
	fclose(file);
	return complete;
}

static const struct mapping *find_mapping(const struct hp_stack_reader *reader,
					  uintptr_t address)
{
	size_t low = 0;
	size_t high = reader->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (reader->mappings[middle].stop <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == reader->count || reader->mappings[low].start > address)
		return NULL;
	return &reader->mappings[low];
}

struct hp_stack_reader *hp_stack_open(void)
{
	struct hp_stack_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->memory = open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC);
	if (reader->memory < 0 || !hp_stack_works() || !read_mappings(reader) ||
	    !hp_arch_restorers(reader->restorers, &reader->restorer_count)) {
		hp_stack_close(reader);
		return NULL;
	}
	return reader;
}

void hp_stack_close(struct hp_stack_reader *reader)
{
	if (!reader)
		return;
	if (reader->memory >= 0)
		close(reader->memory);
	free(reader->mappings);
	free(reader);
}

/* For the loops over whole stacks: they read this module's own block, in which
 * a sanitizer finds nothing, but would take as long as some threads sleep. */
#define SEARCHED __attribute__((no_sanitize("address", "thread")))

SEARCHED static bool
in_ranges(uintptr_t word, const struct hp_stack_range *ranges, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (word - ranges[i].start < ranges[i].stop - ranges[i].start)
			return true;
	return false;
}

SEARCHED static bool is_restorer(const struct hp_stack_reader *reader,
				 uintptr_t word)
{
	size_t i;

	for (i = 0; i < reader->restorer_count; i++)
		if (word == reader->restorers[i])
			return true;
	return HP_ARCH_RESTORER_IN_VDSO && in_ranges(word, &reader->vdso, 1);
}

static enum hp_stack_answer unknown(struct hp_stack_look *look, const char *why)
{
	look->why = why;
	return HP_STACK_UNKNOWN;
}

SEARCHED static enum hp_stack_answer
search_block(const struct hp_stack_reader *reader, size_t words,
	     const struct wanted *wanted, struct hp_stack_look *look)
{
	size_t i;

	for (i = 0; i < words; i++) {
		if (in_ranges(reader->block[i], wanted->ranges,
			      wanted->count)) {
			look->found = reader->block[i];
			return HP_STACK_FOUND;
		}
		if (wanted->handlers && is_restorer(reader, reader->block[i]))
			return unknown(look, "is in a signal handler");
	}
	return HP_STACK_CLEAR;
}

static enum hp_stack_answer search(struct hp_stack_reader *reader,
				   uintptr_t from, uintptr_t stop,
				   const struct wanted *wanted,
				   struct hp_stack_look *look)
{
	enum hp_stack_answer answer = HP_STACK_CLEAR;
	size_t size;

	if (stop - from > STACK_LIMIT)
		return unknown(look, "has a stack too large to search");
	for (from &= ~(uintptr_t)7; from < stop && answer == HP_STACK_CLEAR;
	     from += size) {
		size = stop - from < sizeof(reader->block) ?
			       (stop - from) & ~(size_t)7 :
			       sizeof(reader->block);
		if (size == 0)
			break;
		if (pread(reader->memory, reader->block, size, (off_t)from) !=
		    (ssize_t)size)
			return unknown(look, "has a stack that is unreadable");
		answer = search_block(reader, size / sizeof(uintptr_t), wanted,
				      look);
	}
	return answer;
}

/* The end of the stack around @address; the mappings are read again if it is
 * newer than they are. 0 if there is none. */
static uintptr_t stack_end(struct hp_stack_reader *reader, uintptr_t address)
{
	const struct mapping *mapping = find_mapping(reader, address);

	if (!mapping && read_mappings(reader))
		mapping = find_mapping(reader, address);
	return mapping ? mapping->stop : 0;
}

enum hp_stack_answer hp_stack_search(struct hp_stack_reader *reader,
				     uintptr_t from, uintptr_t stop,
				     const struct hp_stack_range *ranges,
				     size_t count, struct hp_stack_look *look)
{
	const struct wanted wanted = {ranges, count, false};

	if (!stop)
		stop = stack_end(reader, from);
	if (!stop)
		return unknown(look, "has a stack that is not mapped");
	return search(reader, from, stop, &wanted, look);
}

static enum hp_stack_answer inspect_asleep(struct hp_stack_reader *reader,
					   const struct registers *registers,
					   const struct hp_stack_range *ranges,
					   size_t count,
					   struct hp_stack_look *look)
{
	const struct wanted wanted = {ranges, count, true};
	uintptr_t stop = stack_end(reader, registers->stack);

	if (in_ranges(registers->code, ranges, count)) {
		look->found = registers->code;
		return HP_STACK_FOUND;
	}
	if (!stop)
		return unknown(look, "has a stack that is not mapped");
	return search(reader, registers->stack, stop, &wanted, look);
}

static enum hp_stack_answer unreadable(int thread, struct hp_stack_look *look)
{
	if (!hp_stack_thread_lives(thread) || is_zombie(thread))
		return HP_STACK_GONE;
	return unknown(look, "cannot be read in /proc");
}

enum hp_stack_answer hp_stack_inspect(struct hp_stack_reader *reader,
				      int thread,
				      const struct hp_stack_range *ranges,
				      size_t count, struct hp_stack_look *look)
{
	struct registers before;
	struct registers after;
	unsigned long long first;
	unsigned long long second;
	enum hp_stack_answer answer;

	*look = (struct hp_stack_look){0, NULL};
	if (!read_switches(thread, &first) || !read_registers(thread, &before))
		return unreadable(thread, look);
	if (!before.asleep)
		return HP_STACK_RUNS;
	answer = inspect_asleep(reader, &before, ranges, count, look);
	/* Asleep at both ends and never switched out in between: it cannot
	 * have run while its stack was read. */
	if (!read_registers(thread, &after) || !after.asleep ||
	    after.stack != before.stack || !read_switches(thread, &second) ||
	    first != second)
		return HP_STACK_RUNS;
	return answer;
}

/*
 * The C library's unwinder stops at the outermost frame or at code without a
 * description, which it lists as well; so the last address tells which it was.
 */
static bool is_described(const void *address)
{
	struct hp_module_facts facts;
	uintptr_t start;
	uintptr_t stop;

	return hp_module_find(address, &facts) &&
	       hp_module_function(&facts, (uintptr_t)address - 1, &start,
				  &stop);
}

bool hp_stack_unwinds_clear(const struct hp_stack_range *ranges,
			    size_t range_count)
{
	void *addresses[FRAME_LIMIT];
	bool complete;
	int count;
	int i;

	hp_loader_enter();
	count = backtrace(addresses, FRAME_LIMIT);
	complete = count > 0 && count < FRAME_LIMIT &&
		   is_described(addresses[count - 1]);
	hp_loader_leave();

	for (i = 0; i < count; i++)
		if (in_ranges((uintptr_t)addresses[i], ranges, range_count))
			return false;
	return complete;
}

long hp_stack_threads(int *threads, size_t size)
{
	DIR *folder = opendir("/proc/thread-self/..");
	const struct dirent *entry;
	long count = 0;

	if (!folder)
		return -1;
	errno = 0; /* the end leaves it so, an error does not */
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if ((size_t)count < size)
			threads[count] = (int)strtol(entry->d_name, NULL, 10);
		count++;
	}
	/* Half a list would be a proof that leaves threads out. */
	if (errno)
		count = -1;
	closedir(folder);
	return count;
}

void hp_stack_thread_name(int thread, char name[16])
{
	name[0] = '\0';
	if (read_task_file(thread, "comm", name, 16))
		name[strcspn(name, "\n")] = '\0';
}

bool hp_stack_works(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct registers registers;

	/* Its own file shows a thread in the read of that file: a little
	 * below this frame. */
	return read_registers((int)syscall(SYS_gettid), &registers) &&
	       registers.asleep && registers.stack < here &&
	       here - registers.stack < 65536;
}
