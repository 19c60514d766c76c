/* SPDX-License-Identifier: MIT */
/*
 * Where less is allowed than usual: system calls forbidden before the library
 * starts or after, memory that never becomes executable, a directory mounted
 * noexec, no privileges, no /proc. What the library needs is there or the
 * refusal says what is missing; what it cannot prove stays mapped.
 */
#include "versions.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

#define NOBODY 65534

/* A sanitizer's search for leaks needs what is forbidden here. */
HOTPATCH_API const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- Filters ---- */

/* Whoever is of another architecture is not one of ours. */
#define LOAD(member)                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
		 offsetof(struct seccomp_data, member))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define FORBIDDEN (SECCOMP_RET_ERRNO | EPERM)

static void install(struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {(unsigned short)count, filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
			 0);
}

/* From now on the system call fails with EPERM, in all children as well. */
static void forbid(unsigned int number)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 0, 2),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(FORBIDDEN),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* The call fails if its third argument, a protection, has all of @bits. */
static void forbid_protection(unsigned int number, unsigned int bits)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 0, 5),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		LOAD(args[2]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(FORBIDDEN),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* ---- Helpers ---- */

static void expect_works(void)
{
	struct hotpatch_patch *patch = apply_bundle("one");

	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
}

static bool uses_membarrier(void)
{
	struct hotpatch_process_info info;

	hotpatch_process_info(&info);
	return info.membarrier;
}

static void expect_no_transition(void)
{
	struct hotpatch_process_info info;

	hotpatch_process_info(&info);
	ck_assert(!info.transition);
}

/* A bundle that was opened while that was still possible. */
static struct hotpatch_patch *open_descriptor(int fd, const char *name)
{
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open_fd(fd, name, NULL, &patch, &err));
	return patch;
}

/*
 * Patches come and go, but their code stays, for the reason that the process
 * cannot look at its own threads; and so again.
 */
static void expect_retained(const int *fds, size_t count)
{
	struct hotpatch_patch_info info;
	struct hotpatch_patch *patch;
	size_t i;

	for (i = 0; i < count; i++) {
		patch = open_descriptor(fds[i], "bundle");
		apply(patch);
		ck_assert_int_eq(version(), (int)i + 1);
		revert(patch);
		ck_assert_int_eq(version(), 0);
		expect_status(HOTPATCH_E_RETAINED,
			      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED,
						  PATIENCE_MS, &err));
		hotpatch_patch_info(patch, &info);
		ck_assert_int_eq(info.state, HOTPATCH_RETAINED);
		ck_assert_int_eq(info.status, HOTPATCH_E_RETAINED);
		ck_assert_ptr_nonnull(strstr(info.reason, "/proc"));
		ck_assert_uint_gt(info.mapped_bytes, 0);
	}
	find_event(0, HOTPATCH_PHASE_RETAINED);
}

static void open_both(int fds[2])
{
	fds[0] = open(bundle_path("one"), O_RDONLY | O_CLOEXEC);
	fds[1] = open(bundle_path("two"), O_RDONLY | O_CLOEXEC);
	ck_assert(fds[0] >= 0 && fds[1] >= 0);
}

/* Runs @work in a child, which ends as a program does, and sees it succeed. */
static void in_child(void (*work)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		work();
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "the child ended with %#x",
		      (unsigned int)status);
}

/* ---- System calls ---- */

static void start_without_membarrier(void)
{
	forbid(SYS_membarrier);
	execl("/proc/self/exe", "hardening", "cycle", NULL);
	exit(99);
}

START_TEST(membarrier_forbidden_before_the_start_is_done_without)
{
	in_child(start_without_membarrier);
}
END_TEST

START_TEST(membarrier_forbidden_later_refuses_to_apply)
{
	struct hotpatch_patch *patch = open_bundle("one");

	if (!uses_membarrier())
		leave_out("membarrier is not used here");
	forbid(SYS_membarrier);
	expect_status(HOTPATCH_E_UNSUPPORTED,
		      hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_int_eq(version(), 0);
	expect_state(patch, HOTPATCH_LOADED);
	expect_no_transition();
	ck_assert_uint_eq(count_copies(), 1);
	hotpatch_patch_close(patch);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

START_TEST(membarrier_forbidden_later_refuses_to_revert)
{
	struct hotpatch_patch *patch = apply_bundle("one");

	if (!uses_membarrier())
		leave_out("membarrier is not used here");
	forbid(SYS_membarrier);
	expect_status(HOTPATCH_E_UNSUPPORTED,
		      hotpatch_patch_revert(patch, NULL, &err));
	ck_assert_int_eq(version(), 1);
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_no_transition();
}
END_TEST

/* A transition that is on its way needs no barrier to settle. */
START_TEST(membarrier_forbidden_meanwhile_keeps_no_transition_open)
{
	struct hotpatch_patch *patch = open_bundle("one");
	struct holder holder;

	if (!uses_membarrier())
		leave_out("membarrier is not used here");
	holder_start(&holder);
	begin_apply(patch);
	forbid(SYS_membarrier);
	ck_assert_int_eq(version_of(&holder), 0);
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_int_eq(version(), 1);
}
END_TEST

START_TEST(text_that_must_not_become_executable_is_not_needed_to)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	forbid_protection(SYS_mprotect, PROT_EXEC);
	forbid_protection(SYS_mmap, PROT_WRITE | PROT_EXEC);
	forbid(SYS_memfd_create);
	forbid(SYS_ptrace);
	forbid(SYS_process_vm_writev);
	ck_assert_int_ne(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
	expect_works();
}
END_TEST

START_TEST(memory_deny_write_execute_is_kept)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
		leave_out("the kernel has no PR_SET_MDWE");
	ck_assert_int_ne(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
	expect_works();
}
END_TEST

/* ---- Mounts ---- */

/* A view of the mounts that only this process has. */
static bool own_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	return false;
}

START_TEST(directory_without_execution_is_refused)
{
	char directory[] = "/tmp/hotpatch-noexec-XXXXXX";
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = directory};
	struct hotpatch_patch *patch = NULL;

	if (!own_mounts())
		leave_out("mounts may not be changed here");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	expect_ok(hotpatch_configure(&config, &err));
	ck_assert_int_eq(
		mount("tmpfs", directory, "tmpfs", MS_NOEXEC, "mode=0700"), 0);
	expect_status(HOTPATCH_E_NOEXEC,
		      hotpatch_patch_open(bundle_path("one"), NULL, &patch,
					  &err));
	ck_assert_ptr_null(patch);
	ck_assert_uint_eq(count_entries(directory), 0);
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_int_eq(umount2(directory, MNT_DETACH), 0);
	expect_works();
	rmdir(directory);
}
END_TEST

static void hide_proc(void)
{
	if (umount2("/proc", MNT_DETACH) != 0)
		ck_assert_int_eq(mount("/mnt", "/proc", NULL, MS_BIND, NULL),
				 0);
	ck_assert_int_ne(access("/proc/self", F_OK), 0);
}

START_TEST(without_proc_code_is_retained)
{
	int fds[2];

	if (!own_mounts())
		leave_out("mounts may not be changed here");
	open_both(fds);
	hide_proc();
	expect_retained(fds, 2);
}
END_TEST

/* ---- Privileges ---- */

static int bundles[2];

static bool become_nobody(void)
{
	return setgroups(0, NULL) == 0 &&
	       setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* As a service is that was started by another user: its /proc is its own. */
static void work_as_nobody(void)
{
	struct hotpatch_patch *patch;

	if (geteuid() == 0)
		ck_assert(become_nobody());
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
	patch = open_descriptor(bundles[0], "one");
	apply(patch);
	ck_assert_int_eq(version(), 1);
	remove_patch(patch);
	ck_assert_int_eq(version(), 0);
	ck_assert_uint_eq(count_copies(), code_stays() ? 1 : 0);
}

START_TEST(no_privilege_is_needed)
{
	open_both(bundles);
	in_child(work_as_nobody);
}
END_TEST

/* What others do is hidden then; what the process itself does is not. */
START_TEST(proc_that_hides_other_processes_is_enough)
{
	if (!own_mounts() ||
	    mount("proc", "/proc", "proc", 0, "hidepid=invisible") != 0)
		leave_out("/proc may not be mounted here");
	open_both(bundles);
	in_child(work_as_nobody);
}
END_TEST

static void work_undumpable(void)
{
	if (geteuid() == 0)
		ck_assert(become_nobody());
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
	expect_retained(bundles, 2);
}

START_TEST(process_that_may_not_look_at_itself_retains_code)
{
	open_both(bundles);
	in_child(work_undumpable);
}
END_TEST

/* ---- The program that is started anew ---- */

/* Without the means of a test, which this program is not then. */
static int cycle_alone(void)
{
	struct hotpatch_patch *patch;
	bool seen;

	if (uses_membarrier())
		return 2;
	if (hotpatch_patch_open(bundle_path("one"), NULL, &patch, NULL) ||
	    hotpatch_patch_apply(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL))
		return 3;
	hotpatch_enter();
	seen = version() == 1;
	hotpatch_leave();
	if (hotpatch_patch_revert(patch, NULL, NULL) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS, NULL))
		return 4;
	hotpatch_patch_close(patch);
	return seen && version() == 0 ? 0 : 5;
}

int main(int count, char **arguments)
{
	const TTest *const tests[] = {
		membarrier_forbidden_before_the_start_is_done_without,
		membarrier_forbidden_later_refuses_to_apply,
		membarrier_forbidden_later_refuses_to_revert,
		membarrier_forbidden_meanwhile_keeps_no_transition_open,
		text_that_must_not_become_executable_is_not_needed_to,
		memory_deny_write_execute_is_kept,
		directory_without_execution_is_refused,
		without_proc_code_is_retained,
		no_privilege_is_needed,
		proc_that_hides_other_processes_is_enough,
		process_that_may_not_look_at_itself_retains_code,
	};

	if (count > 1 && strcmp(arguments[1], "cycle") == 0)
		return cycle_alone();
	if (getenv("HOTPATCH_TEST_EMULATED")) {
		printf("skipped: the emulator itself would be hardened\n");
		return 77;
	}
	return run_tests("hardening", tests, sizeof(tests) / sizeof(tests[0]));
}
