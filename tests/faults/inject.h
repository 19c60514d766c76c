/* SPDX-License-Identifier: MIT */
/*
 * Makes one call of the system, the C library or the loader fail. The linker
 * sends the library's calls here (--wrap); while a step of a test is armed
 * they are counted, and the one that was chosen fails with its errno, once or
 * from then on.
 */
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * X(name, errno): all that can fail. The four after mprotect are system calls made
 * through syscall(); json is jansson's memory. gettid, which cannot fail, and
 * reads of the clock are left alone.
 */
#define FAULT_MAP(X)                                                           \
	X(open, EMFILE)                                                        \
	X(openat, EMFILE)                                                      \
	X(read, EIO)                                                           \
	X(pread, EIO)                                                          \
	X(write, ENOSPC)                                                       \
	X(pwrite, EPERM)                                                       \
	X(fstat, EIO)                                                          \
	X(lstat, EIO)                                                          \
	X(statvfs, EIO)                                                        \
	X(mkdir, ENOSPC)                                                       \
	X(mkdirat, ENOSPC)                                                     \
	X(fcntl, ENOLCK)                                                       \
	X(mkdtemp, ENOSPC)                                                     \
	X(chmod, EPERM)                                                        \
	X(fchmod, EPERM)                                                       \
	X(lchown, EPERM)                                                       \
	X(linkat, ENOSPC)                                                      \
	X(fsync, EIO)                                                          \
	X(renameat, ENOSPC)                                                    \
	X(unlink, EIO)                                                         \
	X(unlinkat, EIO)                                                       \
	X(realpath, EIO)                                                       \
	X(rmdir, EIO)                                                          \
	X(readlink, EACCES)                                                    \
	X(flock, ENOLCK)                                                       \
	X(fopen, EMFILE)                                                       \
	X(fgets, EIO)                                                          \
	X(opendir, EMFILE)                                                     \
	X(fdopendir, ENOMEM)                                                   \
	X(readdir, EIO)                                                        \
	X(malloc, ENOMEM)                                                      \
	X(calloc, ENOMEM)                                                      \
	X(realloc, ENOMEM)                                                     \
	X(json, ENOMEM)                                                        \
	X(strdup, ENOMEM)                                                      \
	X(mmap, ENOMEM)                                                        \
	X(memfd_create, EMFILE)                                                \
	X(mremap, ENOMEM)                                                      \
	X(mprotect, EACCES)                                                    \
	X(membarrier, EPERM)                                                   \
	X(futex, ENOSYS)                                                       \
	X(tgkill, EPERM)                                                       \
	X(rt_sigaction, EINVAL)                                                \
	X(backtrace, ENOMEM)                                                   \
	X(dlopen, ENOMEM)                                                      \
	X(dlsym, ENOMEM)                                                       \
	X(dlclose, EINVAL)                                                     \
	X(dlinfo, EINVAL)                                                      \
	X(fork, EAGAIN)                                                        \
	X(pipe2, EMFILE)                                                       \
	X(poll, ENOMEM)                                                        \
	X(waitpid, ECHILD)                                                     \
	X(prctl, EPERM)                                                        \
	X(setrlimit, EPERM)                                                    \
	X(pthread_key_create, EAGAIN)                                          \
	X(pthread_setspecific, ENOMEM)                                         \
	X(pthread_atfork, ENOMEM)                                              \
	X(pthread_create, EAGAIN)                                              \
	X(pthread_setname_np, EIO)                                             \
	X(epoll_create1, EMFILE)                                               \
	X(epoll_ctl, ENOSPC)                                                   \
	X(epoll_wait, EINTR)                                                   \
	X(eventfd, EMFILE)                                                     \
	X(socket, EMFILE)                                                      \
	X(connect, EAGAIN)                                                     \
	X(bind, EACCES)                                                        \
	X(listen, ENOBUFS)                                                     \
	X(accept4, EMFILE)                                                     \
	X(getsockopt, EINVAL)                                                  \
	X(recvmsg, ENOBUFS)                                                    \
	X(send, ENOBUFS)

enum fault {
#define FAULT_ENUM_(name, cause) FAULT_##name,
	FAULT_MAP(FAULT_ENUM_)
#undef FAULT_ENUM_
	FAULTS,
	FAULT_NONE = FAULTS,
};

/* Where a run of a scenario is; a fault belongs to the step that it meets. */
enum step {
	STEP_START,
	STEP_ENTER,
	STEP_OPEN,
	STEP_APPLY,
	STEP_LIST,
	STEP_DRAIN,
	STEP_REVERT,
	STEP_UNMAP,
	STEP_CLOSE,
	STEP_CONNECT,
	STEP_SERVE,
	STEP_STOP,
	STEP_LOOK,
	STEP_REDIRECT,
	STEP_RELEASE,
	STEPS,
};

extern const char *const step_names[STEPS];

/*
 * @fault, @number: which call of which function fails; the first is number 1
 * @lasting:        and all that follow it, too
 * @calls:          made so far, of each
 * @hit, @step, @object: whether it came, where, and what it was about: its
 *           argument that is a text, if any, and "#" with its number among
 *           its kind in this step
 */
struct fault_plan {
	enum fault fault;
	unsigned int number;
	bool lasting;
	unsigned int calls[FAULTS];
	unsigned int before[FAULTS]; /* the step */
	bool hit;
	enum step step;
	char object[256];
};

/* In memory that forked children share, if a test put it there. */
extern struct fault_plan *injection_place;
#define injection (*injection_place)

const char *fault_name(enum fault fault);
int fault_errno(enum fault fault);

/* From now on no file can be made without a name, as on file systems that do
 * not know how; such calls do not count. */
extern bool faults_names_needed;

/* Between these two the calls of every thread count. */
void faults_arm(enum step step);
void faults_disarm(void);

/* Whether the chosen call came. */
bool faults_hit(void);

/* Blocks of memory that the wrapped functions gave out and were not freed. */
long faults_live_blocks(void);

/* For jansson, which calls its own C library otherwise. */
void *faults_json_malloc(size_t size);
void faults_json_free(void *block);

/*
 * For the start of the library, before main() can choose: a child that is
 * executed with this variable begins armed. "FAULT NUMBER LASTING", as
 * numbers.
 */
#define FAULTS_AT_START "HOTPATCH_TEST_FAULT"

#endif
