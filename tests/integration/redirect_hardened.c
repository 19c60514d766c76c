/* SPDX-License-Identifier: MIT */
/*
 * Redirecting where less is allowed than usual, and beside others who have to
 * do with traps: handlers, threads that block the signal, breakpoints.
 */
#include "support.h"

#include <hotpatch/redirect.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define HEAD 32
#define TRAP 0xcc
#define ROUNDS 20

/* What is forbidden here is needed by a search for leaks. */
HOTPATCH_API const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int hardened(int x);

/* Its second instruction is behind whatever a jump can need. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl hardened\n"
	".type hardened, @function\n"
	"hardened:\n"
	".byte 0x48, 0x8d, 0x44, 0x27, 0x01\n" /* lea 1(%rdi), %rax */
	"nopw 0x100(%rax,%rax)\n"
	"nopw 0x100(%rax,%rax)\n"
	"ret\n"
	".size hardened, . - hardened\n"
	".p2align 4\n"
	".popsection\n");

#define BODY 5 /* where the second one begins */

static const struct hotpatch_function_name name = {.name = "hardened"};
static int (*volatile call)(int x) = hardened;

static void expect_answer(enum hotpatch_status wanted, bool on)
{
	struct hotpatch_error err = {.sentence = ""};
	enum hotpatch_status status =
		on ? hotpatch_redirect(&name, 1, &err) :
		     hotpatch_redirect_release(&name, 1, &err);

	ck_assert_msg(status == wanted, "%s: %s", hotpatch_status_name(status),
		      err.sentence);
	ck_assert(wanted == HOTPATCH_OK || err.sentence[0]);
}

/* The answer is @status, and the function is as it was. */
static void expect_refusal(enum hotpatch_status status)
{
	unsigned char before[HEAD];

	memcpy(before, (const void *)hardened, HEAD);
	expect_answer(status, true);
	ck_assert_mem_eq(before, (const void *)hardened, HEAD);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 0);
}

/* ---- Traps ---- */

static volatile sig_atomic_t traps;
static bool stop;

static void count_trap(int number)
{
	(void)number;
	traps++;
}

static void *call_blocked(void *argument)
{
	sigset_t set;

	(void)argument;
	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!hp_load_relaxed(&stop)) /* the join orders the rest */
		ck_assert_int_eq(call(1), 2);
	return NULL;
}

START_TEST(no_thread_ever_meets_a_trap)
{
	const struct sigaction action = {.sa_handler = count_trap};
	struct sigaction after;
	pthread_t thread;
	int i;

	sigaction(SIGTRAP, &action, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, call_blocked, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		expect_answer(HOTPATCH_OK, true);
		ck_assert_int_eq(call(1), 2);
		expect_answer(HOTPATCH_OK, false);
	}
	hp_store_relaxed(&stop, true); /* as above */
	pthread_join(thread, NULL);
	sigaction(SIGTRAP, NULL, &after);
	ck_assert(after.sa_handler == count_trap);
	ck_assert_int_eq(traps, 0);
	raise(SIGTRAP);
	ck_assert_int_eq(traps, 1);
}
END_TEST

/* ---- Breakpoints, as debuggers write them ---- */

static unsigned char byte_at(size_t place)
{
	return ((const volatile unsigned char *)hardened)[place];
}

/* Also in a signal handler, where nothing can be asserted. */
static bool write_byte(size_t place, unsigned char byte)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool written =
		fd >= 0 &&
		pwrite(fd, &byte, 1, (off_t)((uintptr_t)hardened + place)) == 1;

	close(fd);
	return written;
}

/* Gives back what was there. */
static unsigned char exchange_byte(size_t place, unsigned char byte)
{
	unsigned char before = byte_at(place);

	ck_assert(write_byte(place, byte));
	return before;
}

START_TEST(a_breakpoint_at_the_entry_is_refused_and_stays)
{
	unsigned char before = exchange_byte(0, TRAP);

	expect_refusal(HOTPATCH_E_FOREIGN);
	ck_assert_uint_eq(byte_at(0), TRAP);
	exchange_byte(0, before);
	expect_answer(HOTPATCH_OK, true);
	expect_answer(HOTPATCH_OK, false);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

START_TEST(a_breakpoint_behind_the_jump_stays)
{
	unsigned char before = exchange_byte(BODY, TRAP);

	expect_answer(HOTPATCH_OK, true);
	ck_assert_uint_eq(byte_at(BODY), TRAP);
	ck_assert_uint_eq(exchange_byte(BODY, before), TRAP);
	ck_assert_int_eq(call(1), 2);
	exchange_byte(BODY, TRAP);
	expect_answer(HOTPATCH_OK, false);
	ck_assert_uint_eq(exchange_byte(BODY, before), TRAP);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

static unsigned char trapped_byte;

/* The application's own debugger: takes the breakpoint out and goes on there. */
static void pass_breakpoint(int number, siginfo_t *info, void *place)
{
	greg_t *registers = ((ucontext_t *)place)->uc_mcontext.gregs;

	(void)number;
	(void)info;
	if (registers[REG_RIP] != (greg_t)((uintptr_t)hardened + BODY + 1) ||
	    !write_byte(BODY, trapped_byte))
		_exit(1);
	registers[REG_RIP]--;
	traps++;
}

static void meet_breakpoint(void)
{
	trapped_byte = exchange_byte(BODY, TRAP);
	traps = 0;
	ck_assert_int_eq(call(1), 2);
	ck_assert_int_eq(traps, 1);
	ck_assert_uint_eq(byte_at(BODY), trapped_byte);
}

START_TEST(a_handler_of_traps_meets_breakpoints_before_meanwhile_and_afterwards)
{
	const struct sigaction action = {.sa_sigaction = pass_breakpoint,
					 .sa_flags = SA_SIGINFO};

	sigaction(SIGTRAP, &action, NULL);
	meet_breakpoint();
	expect_answer(HOTPATCH_OK, true);
	meet_breakpoint();
	expect_answer(HOTPATCH_OK, false);
	meet_breakpoint();
}
END_TEST

START_TEST(a_breakpoint_on_the_jump_is_not_overwritten)
{
	unsigned char jump;

	expect_answer(HOTPATCH_OK, true);
	jump = exchange_byte(0, TRAP);
	expect_answer(HOTPATCH_E_FOREIGN, false);
	ck_assert_uint_eq(byte_at(0), TRAP);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1);
	exchange_byte(0, jump);
	ck_assert_int_eq(call(1), 2);
	expect_answer(HOTPATCH_OK, false);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

/* ---- What may be forbidden ---- */

/* From here on the system call fails. */
static void forbid(unsigned int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
			 0);
}

START_TEST(without_mprotect_there_is_a_status)
{
	forbid(SYS_mprotect);
	expect_refusal(HOTPATCH_E_TEXT);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

START_TEST(without_files_of_memory_a_function_is_redirected)
{
	forbid(SYS_memfd_create);
	expect_answer(HOTPATCH_OK, true);
	ck_assert_int_eq(call(1), 2);
	expect_answer(HOTPATCH_OK, false);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 0);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

START_TEST(without_mremap_a_function_stays_redirected)
{
	expect_answer(HOTPATCH_OK, true);
	forbid(SYS_mremap);
	expect_answer(HOTPATCH_E_TEXT, false);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

/* From here on nothing but an empty directory that has no name can be seen. */
static bool see_nothing(void)
{
	char empty[] = "/tmp/hotpatch-empty-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(empty));
	ck_assert_int_eq(chdir(empty), 0);
	ck_assert_int_eq(rmdir(empty), 0);
	return chroot(".") == 0;
}

START_TEST(without_proc_there_is_a_status)
{
	if (!see_nothing())
		leave_out("the root directory cannot be changed here");
	expect_refusal(HOTPATCH_E_TEXT);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

START_TEST(without_proc_a_function_stays_redirected)
{
	expect_answer(HOTPATCH_OK, true);
	if (!see_nothing())
		leave_out("the root directory cannot be changed here");
	expect_answer(HOTPATCH_E_TEXT, false);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1);
	ck_assert_int_eq(call(1), 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_thread_ever_meets_a_trap,
		a_breakpoint_at_the_entry_is_refused_and_stays,
		a_breakpoint_behind_the_jump_stays,
		a_handler_of_traps_meets_breakpoints_before_meanwhile_and_afterwards,
		a_breakpoint_on_the_jump_is_not_overwritten,
		without_mprotect_there_is_a_status,
		without_files_of_memory_a_function_is_redirected,
		without_mremap_a_function_stays_redirected,
		without_proc_there_is_a_status,
		without_proc_a_function_stays_redirected,
	};

	return run_tests("redirect_hardened", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
