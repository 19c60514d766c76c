/* SPDX-License-Identifier: MIT */
/*
 * The wrapped functions. Each asks whether it is to fail and is otherwise
 * what it was. Those that give something back (munmap, close, free) are not
 * made to fail: they do their work whatever they say.
 */
#include "inject.h"

#include "../../lib/atomic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

const char *const step_names[STEPS] = {
	[STEP_START] = "start",	    [STEP_ENTER] = "enter",
	[STEP_OPEN] = "open",	    [STEP_APPLY] = "apply",
	[STEP_LIST] = "list",	    [STEP_DRAIN] = "drain",
	[STEP_REVERT] = "revert",   [STEP_UNMAP] = "unmap",
	[STEP_CLOSE] = "close",	    [STEP_CONNECT] = "connect",
	[STEP_SERVE] = "serve",	    [STEP_STOP] = "stop",
	[STEP_LOOK] = "look",	    [STEP_REDIRECT] = "redirect",
	[STEP_RELEASE] = "release",
};

static struct fault_plan own_injection = {.fault = FAULT_NONE};
struct fault_plan *injection_place = &own_injection;

bool faults_names_needed;

static bool armed;
static enum step current;
static long live_blocks;

const char *fault_name(enum fault fault)
{
	static const char *const names[FAULTS + 1] = {
#define NAME(name, cause) #name,
		FAULT_MAP(NAME)
#undef NAME
			"none"};

	return names[fault];
}

int fault_errno(enum fault fault)
{
	static const int causes[FAULTS + 1] = {
#define CAUSE(name, cause) cause,
		FAULT_MAP(CAUSE)
#undef CAUSE
			0};

	return causes[fault];
}

void faults_arm(enum step step)
{
	int fault;

	/* Relaxed, here and below: the other threads of a test are told of it
	 * by what the armed step asks of them. */
	hp_store_relaxed(&current, step);
	for (fault = 0; fault < FAULTS; fault++)
		hp_store_relaxed(&injection.before[fault], /* a count */
				 hp_load_relaxed(&injection.calls[fault]));
	hp_store_relaxed(&armed, true);
}

void faults_disarm(void)
{
	hp_store_relaxed(&armed, false); /* likewise */
}

bool faults_hit(void)
{
	/* Pairs with fails(): the step and the text are read after it. */
	return hp_load_acquire(&injection.hit);
}

long faults_live_blocks(void)
{
	return hp_load_relaxed(&live_blocks); /* a count for itself */
}

/* Looked at by the first wrapped call, which comes before main(). */
static void begin(void)
{
	static bool begun;
	const char *text;
	char *end;

	/* Relaxed: the first call comes before there is another thread. */
	if (hp_load_relaxed(&begun))
		return;
	hp_store_relaxed(&begun, true);
	text = getenv(FAULTS_AT_START);
	if (!text)
		return;
	injection.fault = (enum fault)strtoul(text, &end, 10);
	injection.number = (unsigned int)strtoul(end, &end, 10);
	injection.lasting = strtoul(end, &end, 10) != 0;
	faults_arm(STEP_START);
}

/* True, with errno set, if this call is to fail. */
static bool fails(enum fault fault, const char *object)
{
	unsigned int number;

	begin();
	if (!hp_load_relaxed(&armed)) /* see faults_arm() */
		return false;
	number = hp_add_relaxed(&injection.calls[fault], 1) + 1; /* a count */
	/* Relaxed: it is set before there are threads, and once cleared. */
	if (fault != hp_load_relaxed(&injection.fault) ||
	    number < injection.number ||
	    (number > injection.number && !injection.lasting))
		return false;
	if (number == injection.number) {
		injection.step =
			hp_load_relaxed(&current); /* see faults_arm() */
		snprintf(injection.object, sizeof(injection.object), "%s #%u",
			 object ? object : "",
			 number - hp_load_relaxed(&injection.before[fault]));
		/* Pairs with faults_hit(): the text before the word of it. */
		hp_store_release(&injection.hit, true);
	}
	errno = fault_errno(fault);
	return true;
}

/*
 * WRAP(type, failure, name, (parameters), (arguments), object): a function
 * that gives @failure back when it fails.
 */
#define WRAP(type, failure, name, parameters, arguments, object)               \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		if (fails(FAULT_##name, object))                               \
			return failure;                                        \
		return __real_##name arguments;                                \
	}

/* The same for functions that give the errno itself back. */
#define WRAP_THREADS(name, parameters, arguments)                              \
	WRAP(int, fault_errno(FAULT_##name), name, parameters, arguments, NULL)

/* ---- Files ---- */

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

/* The library calls it for locks. */
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *lock;

	va_start(arguments, command);
	lock = va_arg(arguments, void *);
	va_end(arguments);
	if (fails(FAULT_fcntl, command == F_SETLK ? "set" : "get"))
		return -1;
	return __real_fcntl(fd, command, lock);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	if (faults_names_needed && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fails(FAULT_open, path))
		return -1;
	return __real_open(path, flags, mode);
}

int __real_openat(int directory_fd, const char *path, int flags, ...);
int __wrap_openat(int directory_fd, const char *path, int flags, ...);

int __wrap_openat(int directory_fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	if (faults_names_needed && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fails(FAULT_openat,
		  (flags & O_TMPFILE) == O_TMPFILE ? "anonymous" : path))
		return -1;
	return __real_openat(directory_fd, path, flags, mode);
}

WRAP(ssize_t, -1, read, (int fd, void *bytes, size_t size), (fd, bytes, size),
     NULL)
WRAP(ssize_t, -1, pread, (int fd, void *bytes, size_t size, off_t place),
     (fd, bytes, size, place), NULL)

WRAP(ssize_t, -1, pwrite, (int fd, const void *bytes, size_t size, off_t place),
     (fd, bytes, size, place), NULL)

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

/* The counter of an event descriptor, which takes eight bytes, has room. */
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (size != sizeof(uint64_t) && fails(FAULT_write, NULL))
		return -1;
	return __real_write(fd, bytes, size);
}

WRAP(int, -1, fstat, (int fd, struct stat *found), (fd, found), NULL)
WRAP(int, -1, lstat, (const char *path, struct stat *found), (path, found),
     path)
WRAP(int, -1, statvfs, (const char *path, struct statvfs *found), (path, found),
     path)
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode), path)
WRAP(int, -1, mkdirat, (int directory_fd, const char *path, mode_t mode),
     (directory_fd, path, mode), path)
WRAP(char *, NULL, mkdtemp, (char *path), (path), path)
WRAP(int, -1, chmod, (const char *path, mode_t mode), (path, mode), path)
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode), NULL)
WRAP(int, -1, lchown, (const char *path, uid_t user, gid_t group),
     (path, user, group), path)
WRAP(int, -1, linkat,
     (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags), from)
WRAP(int, -1, fsync, (int fd), (fd), NULL)
WRAP(int, -1, renameat,
     (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to), from)
WRAP(int, -1, unlink, (const char *path), (path), path)
WRAP(int, -1, rmdir, (const char *path), (path), path)
WRAP(int, -1, unlinkat, (int directory_fd, const char *path, int flags),
     (directory_fd, path, flags), path)
WRAP(char *, NULL, realpath, (const char *path, char *real), (path, real), path)
WRAP(ssize_t, -1, readlink, (const char *path, char *text, size_t size),
     (path, text, size), path)
WRAP(int, -1, flock, (int fd, int operation), (fd, operation), NULL)
WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode),
     path)

static FILE *failed_file;

char *__real_fgets(char *text, int size, FILE *file);
char *__wrap_fgets(char *text, int size, FILE *file);
int __real_ferror(FILE *file);
int __wrap_ferror(FILE *file);

char *__wrap_fgets(char *text, int size, FILE *file)
{
	if (!fails(FAULT_fgets, NULL))
		return __real_fgets(text, size, file);
	failed_file = file;
	return NULL;
}

int __wrap_ferror(FILE *file)
{
	bool failed = file == failed_file;

	failed_file = NULL;
	return failed || __real_ferror(file);
}

WRAP(DIR *, NULL, opendir, (const char *path), (path), path)
WRAP(DIR *, NULL, fdopendir, (int fd), (fd), NULL)
WRAP(struct dirent *, NULL, readdir, (DIR * list), (list), NULL)

/* ---- Memory ---- */

static void *counted(void *block)
{
	if (block)
		hp_add_relaxed(&live_blocks, 1); /* a count for itself */
	return block;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __real_free(void *block);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
	return fails(FAULT_malloc, NULL) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	if (fails(FAULT_calloc, NULL))
		return NULL;
	return counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
	void *grown;

	if (fails(FAULT_realloc, NULL))
		return NULL;
	grown = __real_realloc(block, size);
	return block ? grown : counted(grown);
}

void __wrap_free(void *block)
{
	if (block)
		hp_add_relaxed(&live_blocks, -1); /* a count for itself */
	__real_free(block);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

char *__wrap_strdup(const char *text)
{
	return fails(FAULT_strdup, text) ? NULL : counted(__real_strdup(text));
}

void *faults_json_malloc(size_t size)
{
	return fails(FAULT_json, NULL) ? NULL : counted(__real_malloc(size));
}

void faults_json_free(void *block)
{
	__wrap_free(block);
}

/* What is to be mapped tells them apart. */
WRAP(void *, MAP_FAILED, mmap,
     (void *place, size_t size, int protection, int flags, int fd,
      off_t offset),
     (place, size, protection, flags, fd, offset),
     flags &MAP_FIXED_NOREPLACE ? "place" :
     protection &PROT_EXEC	? "code" :
				  NULL)
WRAP(int, -1, memfd_create, (const char *name, unsigned int flags),
     (name, flags), NULL)
WRAP(void *, MAP_FAILED, mremap,
     (void *place, size_t size, size_t new_size, int flags, void *new_place),
     (place, size, new_size, flags, new_place), NULL)
WRAP(int, -1, mprotect, (void *place, size_t size, int protection),
     (place, size, protection), NULL)

/* ---- System calls without a function of their own ---- */

static enum fault fault_of(long number)
{
	switch (number) {
	case SYS_membarrier:
		return FAULT_membarrier;
	case SYS_futex:
		return FAULT_futex;
	case SYS_tgkill:
		return FAULT_tgkill;
	case SYS_rt_sigaction:
		return FAULT_rt_sigaction;
	default:
		return FAULT_NONE;
	}
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	enum fault fault = fault_of(number);
	long words[6];
	va_list arguments;
	size_t i;

	va_start(arguments, number);
	for (i = 0; i < 6; i++)
		words[i] = va_arg(arguments, long);
	va_end(arguments);
	if (fault != FAULT_NONE && fails(fault, NULL))
		return -1;
	return __real_syscall(number, words[0], words[1], words[2], words[3],
			      words[4], words[5]);
}

/* ---- Code ---- */

WRAP(int, 0, backtrace, (void **addresses, int size), (addresses, size), NULL)
WRAP(void *, NULL, dlopen, (const char *path, int flags), (path, flags), path)
WRAP(void *, NULL, dlsym, (void *handle, const char *name), (handle, name),
     name)
WRAP(int, -1, dlclose, (void *handle), (handle), NULL)
WRAP(int, -1, dlinfo, (void *handle, int request, void *place),
     (handle, request, place), NULL)

/* After a dlopen() that failed here the loader has nothing to say. */
char *__real_dlerror(void);
char *__wrap_dlerror(void);

char *__wrap_dlerror(void)
{
	static char words[] = "no memory, says the test";
	char *said = __real_dlerror();

	return said ? said : words;
}

/* ---- Processes and threads ---- */

WRAP(pid_t, -1, fork, (void), (), NULL)
WRAP(int, -1, pipe2, (int ends[2], int flags), (ends, flags), NULL)
WRAP(int, -1, poll, (struct pollfd * fds, unsigned long count, int timeout_ms),
     (fds, count, timeout_ms), NULL)
WRAP(pid_t, -1, waitpid, (pid_t child, int *status, int flags),
     (child, status, flags), NULL)
WRAP(int, -1, prctl,
     (int option, unsigned long a, unsigned long b, unsigned long c,
      unsigned long d),
     (option, a, b, c, d), NULL)
WRAP(int, -1, setrlimit, (int what, const struct rlimit *limit), (what, limit),
     NULL)
WRAP_THREADS(pthread_key_create, (pthread_key_t * key, void (*end)(void *)),
	     (key, end))
WRAP_THREADS(pthread_setspecific, (pthread_key_t key, const void *value),
	     (key, value))
WRAP_THREADS(pthread_atfork,
	     (void (*before)(void), void (*parent)(void), void (*child)(void)),
	     (before, parent, child))
WRAP_THREADS(pthread_create,
	     (pthread_t * thread, const pthread_attr_t *attributes,
	      void *(*work)(void *), void *argument),
	     (thread, attributes, work, argument))
WRAP_THREADS(pthread_setname_np, (pthread_t thread, const char *name),
	     (thread, name))

/* ---- Sockets ---- */

WRAP(int, -1, epoll_create1, (int flags), (flags), NULL)
WRAP(int, -1, epoll_ctl,
     (int epoll_fd, int operation, int fd, struct epoll_event *event),
     (epoll_fd, operation, fd, event), NULL)
WRAP(int, -1, epoll_wait,
     (int epoll_fd, struct epoll_event *events, int size, int timeout_ms),
     (epoll_fd, events, size, timeout_ms), NULL)
WRAP(int, -1, eventfd, (unsigned int count, int flags), (count, flags), NULL)
WRAP(int, -1, socket, (int domain, int type, int protocol),
     (domain, type, protocol), NULL)
WRAP(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size), NULL)
WRAP(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size), NULL)
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog), NULL)
WRAP(int, -1, accept4,
     (int fd, struct sockaddr *address, socklen_t *size, int flags),
     (fd, address, size, flags), NULL)
WRAP(int, -1, getsockopt,
     (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), NULL)
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags),
     (fd, message, flags), NULL)
WRAP(ssize_t, -1, send, (int fd, const void *bytes, size_t size, int flags),
     (fd, bytes, size, flags), NULL)
