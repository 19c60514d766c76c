/* SPDX-License-Identifier: MIT */
/*
 * Who can still be in there: looks at the threads of this process through
 * /proc, without touching them. A thread that is blocked in a system call has
 * its stack pointer and program counter in its "syscall" file; if its switch
 * counters did not move between two looks, its stack stood still meanwhile and
 * can be searched for addresses of the code in question. Everything that
 * cannot be read, or is not what was expected, counts as not clear.
 */
#ifndef HP_STACK_H
#define HP_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hp_stack_answer {
	HP_STACK_CLEAR,	  /* nothing of the range on its stack */
	HP_STACK_FOUND,	  /* @found is there */
	HP_STACK_RUNS,	  /* not asleep in a system call, or moved meanwhile */
	HP_STACK_GONE,	  /* no such thread */
	HP_STACK_UNKNOWN, /* cannot be told, @why says it */
};

struct hp_stack_range {
	uintptr_t start;
	uintptr_t stop;
};

struct hp_stack_look {
	uintptr_t found;
	const char *why;
};

/* A look at one process's mappings and files, made once for many threads. */
struct hp_stack_reader;

/* NULL if /proc cannot be used here. */
struct hp_stack_reader *hp_stack_open(void);
void hp_stack_close(struct hp_stack_reader *reader);

/* Is a word of the thread's stack, or its program counter, in a range? */
enum hp_stack_answer hp_stack_inspect(struct hp_stack_reader *reader,
				      int thread,
				      const struct hp_stack_range *ranges,
				      size_t count, struct hp_stack_look *look);

/*
 * The same for the stretch of a stack from @from to its base, of a thread that
 * may run: for frames that live long. @stop is 0 for the end of the mapping.
 */
enum hp_stack_answer hp_stack_search(struct hp_stack_reader *reader,
				     uintptr_t from, uintptr_t stop,
				     const struct hp_stack_range *ranges,
				     size_t count, struct hp_stack_look *look);

/*
 * True if the calling thread's stack, unwound frame by frame, has no return
 * address in a range. Unlike a search it is not misled by what earlier calls
 * left on the stack. False also where unwinding does not reach the stack's
 * base. Calls the dynamic loader.
 */
bool hp_stack_unwinds_clear(const struct hp_stack_range *ranges, size_t count);

/* Thread ids of the process into @threads; gives back how many there are,
 * which may be more than @size, or -1. */
long hp_stack_threads(int *threads, size_t size);

bool hp_stack_thread_lives(int thread);

/* "" if it cannot be read. */
void hp_stack_thread_name(int thread, char name[16]);

/* True if hp_stack_inspect() works here: tried on the calling thread, because
 * an emulator or a hardened kernel may show other registers or none. */
bool hp_stack_works(void);

#endif
