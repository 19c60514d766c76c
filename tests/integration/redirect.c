/* SPDX-License-Identifier: MIT */
/*
 * Functions that nobody prepared: of the program, also static ones, and of a
 * module. Redirected, they are replaced by bundles like any other; released,
 * nothing is left in their bytes.
 */
#include "support.h"

#include <hotpatch/redirect.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PLUGIN HOTPATCH_TEST_MODULES "/plugin.so"
#define HEAD 16 /* bytes of a function that are compared */

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

int plain(int x);

ALONE int plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

static ALONE int hidden(int x)
{
	volatile int copy = x;

	return copy + 2;
}

static int (*volatile call_plain)(int x) = plain;
static int (*volatile call_hidden)(int x) = hidden;

int calls_first(void);
int loops_first(int x);

/* The first instruction of one is a call; of the other, where its loop goes. */
__asm__(".pushsection .text\n"
	".globl calls_first\n"
	".type calls_first, @function\n"
	"calls_first:\n"
	".cfi_startproc\n"
	"call 1f\n"
	"ret\n"
	".cfi_endproc\n"
	".size calls_first, . - calls_first\n"
	"1:\n"
	".cfi_startproc\n"
	"subq $16, %rsp\n"
	".cfi_adjust_cfa_offset 16\n"
	"call depth\n"
	"addq $16, %rsp\n"
	".cfi_adjust_cfa_offset -16\n"
	"ret\n"
	".cfi_endproc\n"
	".globl loops_first\n"
	".type loops_first, @function\n"
	"loops_first:\n"
	"incl %edi\n"
	"cmpl $10, %edi\n"
	"jne loops_first\n"
	"movl %edi, %eax\n"
	"ret\n"
	".size loops_first, . - loops_first\n"
	".popsection\n");

static const struct hotpatch_function_name both[] = {
	{.name = "plain", .prototype = "int (int x)"},
	{.name = "hidden"},
};

static void redirect_names(const struct hotpatch_function_name *names,
			   size_t count)
{
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect(names, count, &err) == HOTPATCH_OK,
		      "%s", err.sentence);
}

static void release_names(const struct hotpatch_function_name *names,
			  size_t count)
{
	struct hotpatch_error err = {.sentence = ""};

	ck_assert_msg(hotpatch_redirect_release(names, count, &err) ==
			      HOTPATCH_OK,
		      "%s", err.sentence);
}

/* /proc/self/maps without what grows by itself; a sanitizer maps memory of its
 * own as it goes. */
static char *maps_text(void)
{
	static char texts[2][65536];
	static int turn;
	char *text = texts[turn++ % 2];
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];

	text[0] = '\0';
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strstr(line, "[heap]") && !strstr(line, "[stack]"))
			strcat(text, line);
	fclose(file);
	return text;
}

START_TEST(redirecting_changes_nothing_for_callers)
{
	redirect_names(both, 2);
	ck_assert_int_eq(call_plain(1), 2);
	ck_assert_int_eq(call_hidden(1), 3);
	release_names(both, 2);
	ck_assert_int_eq(call_plain(1), 2);
	ck_assert_int_eq(call_hidden(1), 3);
}
END_TEST

START_TEST(a_bundle_replaces_what_was_redirected_and_calls_the_original)
{
	struct hotpatch_patch *patch;

	redirect_names(both, 2);
	patch = apply_bundle("one");
	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_int_eq(call_hidden(1), 103);
	remove_patch(patch);
	ck_assert_int_eq(call_plain(1), 2);
	ck_assert_int_eq(call_hidden(1), 3);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

START_TEST(patches_stack_and_leave_in_any_order)
{
	struct hotpatch_patch *one;
	struct hotpatch_patch *two;

	redirect_names(both, 2);
	one = apply_bundle("one");
	two = apply_bundle("two");
	ck_assert_int_eq(call_plain(1), 202);
	ck_assert_int_eq(call_hidden(1), 103);
	remove_patch(one);
	ck_assert_int_eq(call_plain(1), 202);
	ck_assert_int_eq(call_hidden(1), 3);
	remove_patch(two);
	ck_assert_int_eq(call_plain(1), 2);
}
END_TEST

static void check_still_old(void *argument)
{
	(void)argument;
	ck_assert_int_eq(call_plain(1), 2);
	ck_assert_int_eq(call_hidden(1), 3);
}

START_TEST(a_section_keeps_its_view_of_redirected_functions)
{
	struct hotpatch_patch *patch;
	struct holder holder;

	redirect_names(both, 2);
	holder_start(&holder);
	patch = open_bundle("one");
	begin_apply(patch);
	holder_run(&holder, check_still_old, NULL);
	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_int_eq(state_of(patch), HOTPATCH_APPLYING);
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_int_eq(state_of(patch), HOTPATCH_ACTIVE);
}
END_TEST

static sem_t inside;
static sem_t leave_inside;

/* Called by the bundle "blocking". */
HOTPATCH_API void wait_inside(void);

void wait_inside(void)
{
	sem_post(&inside);
	await_semaphore(&leave_inside);
}

static void *call_at_rest(void *argument)
{
	int *result = argument;

	hotpatch_enter();
	hotpatch_leave();
	*result = call_plain(1);
	return NULL;
}

/* A host knows where its marked functions are called, but not this one. */
START_TEST(code_stays_while_a_task_at_rest_is_in_it)
{
	struct hotpatch_patch *patch;
	pthread_t thread;
	int result = 0;

	sem_init(&inside, 0, 0);
	sem_init(&leave_inside, 0, 0);
	redirect_names(both, 1);
	patch = apply_bundle("blocking");
	ck_assert_int_eq(pthread_create(&thread, NULL, call_at_rest, &result),
			 0);
	await_semaphore(&inside);
	revert(patch);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 50, &err));
	ck_assert_uint_eq(count_copies(), 1);
	sem_post(&leave_inside);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 302);
	await_unmapped(patch);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(redirected_functions_are_listed_as_slots)
{
	struct hotpatch_slot_info info;

	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 0);
	redirect_names(both, 1);
	ck_assert_uint_eq(hotpatch_slot_list(&info, 1), 1);
	ck_assert_str_eq(info.name, "plain");
	ck_assert_str_eq(info.prototype, "int (int x)");
	release_names(both, 1);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 0);
}
END_TEST

START_TEST(an_address_does_for_a_name)
{
	const struct hotpatch_function_name name = {
		.address = (const void *)call_hidden};
	struct hotpatch_function_info info;

	redirect_names(&name, 1);
	ck_assert_int_eq(hotpatch_redirect_look(&name, &info, NULL),
			 HOTPATCH_OK);
	ck_assert_str_eq(info.name, "hidden");
	ck_assert_ptr_eq(info.address, name.address);
	ck_assert(info.redirected);
	remove_patch((redirect_names(both, 1), apply_bundle("one")));
	release_names(&name, 1);
}
END_TEST

START_TEST(what_is_redirected_already_stays_as_it_is)
{
	redirect_names(both, 1);
	redirect_names(both, 2);
	redirect_names(both, 2);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 2);
	release_names(both, 2);
	release_names(both, 2);
	ck_assert_int_eq(call_plain(1), 2);
}
END_TEST

START_TEST(release_gives_the_original_bytes_back)
{
	unsigned char before[HEAD];
	char *maps;
	int i;

	memcpy(before, (const void *)call_plain, HEAD);
	redirect_names(both, 2);
	ck_assert_int_ne(memcmp(before, (const void *)call_plain, HEAD), 0);
	release_names(both, 2);
	ck_assert_mem_eq(before, (const void *)call_plain, HEAD);
	redirect_names(both, 2);
	release_names(both, 2);
	maps = maps_text();
	for (i = 0; i < 200; i++) {
		redirect_names(both, 2);
		release_names(both, 2);
	}
	ck_assert(SANITIZED || strcmp(maps, maps_text()) == 0);
}
END_TEST

START_TEST(release_is_refused_while_a_patch_replaces_the_function)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	redirect_names(both, 2);
	patch = apply_bundle("two");
	ck_assert_int_eq(hotpatch_redirect_release(both, 2, &err),
			 HOTPATCH_E_IN_USE);
	ck_assert_str_eq(err.object, "plain");
	ck_assert_int_eq(call_plain(1), 202);
	remove_patch(patch);
	release_names(both, 2);
}
END_TEST

START_TEST(a_type_that_the_host_gave_is_compared)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	redirect_names(both, 2);
	ck_assert_int_eq(hotpatch_patch_open(bundle_path("long"), NULL, &patch,
					     &err),
			 HOTPATCH_E_PROTOTYPE);
}
END_TEST

START_TEST(a_type_may_be_told_later)
{
	const struct hotpatch_function_name nameless = {.name = "plain"};
	struct hotpatch_slot_info info;
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	redirect_names(&nameless, 1);
	ck_assert_uint_eq(hotpatch_slot_list(&info, 1), 1);
	ck_assert_str_eq(info.prototype, "");
	redirect_names(both, 1);
	ck_assert_uint_eq(hotpatch_slot_list(&info, 1), 1);
	ck_assert_str_eq(info.prototype, "int (int x)");
	redirect_names(both, 2);
	ck_assert_int_eq(hotpatch_patch_open(bundle_path("long"), NULL, &patch,
					     &err),
			 HOTPATCH_E_PROTOTYPE);
	release_names(both, 2);
}
END_TEST

START_TEST(a_module_stays_loaded_until_its_functions_are_released)
{
	const struct hotpatch_function_name name = {.module = "plugin.so",
						    .name = "plugin_sum"};
	struct hotpatch_patch *patch;
	int (*sum)(int a, int b);
	struct hotpatch_error err;
	void *module;

	ck_assert_int_eq(hotpatch_redirect(&name, 1, &err),
			 HOTPATCH_E_NO_MODULE);
	module = dlopen(PLUGIN, RTLD_NOW);
	ck_assert_ptr_nonnull(module);
	sum = (int (*)(int, int))dlsym(module, "plugin_sum");
	redirect_names(&name, 1);
	patch = apply_bundle("plugin/sum");
	ck_assert_int_eq(sum(2, 3), 10);
	dlclose(module);
	ck_assert_int_eq(sum(2, 3), 10);
	remove_patch(patch);
	ck_assert_int_eq(sum(2, 3), 5);
	release_names(&name, 1);
	ck_assert_ptr_null(dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD));
}
END_TEST

int depth(void);

/* How many frames there are from here to the outermost. */
int depth(void)
{
	void *frames[64];

	return backtrace(frames, 64);
}

START_TEST(unwinding_passes_through_a_moved_call)
{
	const struct hotpatch_function_name name = {.name = "calls_first"};
	int (*volatile call)(void) = calls_first;
	int before = call();

	redirect_names(&name, 1);
	ck_assert_int_gt(before, 4);
	ck_assert_int_eq(call(), before);
}
END_TEST

static void check_refused(struct hotpatch_function_name name,
			  enum hotpatch_status wanted)
{
	const struct hotpatch_function_name names[] = {both[0], name};
	struct hotpatch_error err = {.sentence = ""};
	struct hotpatch_function_info info;
	unsigned char before[HEAD];
	char *maps;

	/* The analysis stays, so it is not to be counted. */
	ck_assert_int_eq(hotpatch_redirect_look(both, &info, NULL),
			 HOTPATCH_OK);
	maps = maps_text();
	memcpy(before, (const void *)call_plain, HEAD);
	ck_assert_int_eq(hotpatch_redirect(names, 2, &err), wanted);
	ck_assert_str_ne(err.sentence, "");
	ck_assert_mem_eq(before, (const void *)call_plain, HEAD);
	ck_assert(SANITIZED || strcmp(maps, maps_text()) == 0);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 0);
}

START_TEST(each_refusal_has_its_status_and_changes_nothing)
{
	struct hotpatch_function_name name = {.name = "no_such_function"};

	check_refused(name, HOTPATCH_E_NO_FUNCTION);
	name.name = "loops_first";
	check_refused(name, HOTPATCH_E_IMMUTABLE);
	name.module = "no_such_module.so";
	check_refused(name, HOTPATCH_E_NO_MODULE);
	name = (struct hotpatch_function_name){.name = NULL};
	check_refused(name, HOTPATCH_E_ARGUMENT);
	name.address = (const char *)call_plain + 1;
	check_refused(name, HOTPATCH_E_NO_FUNCTION);
}
END_TEST

START_TEST(code_that_somebody_else_changed_is_refused)
{
	FILE *memory = fopen("/proc/self/mem", "r+e");
	unsigned char trap = 0xcc;

	ck_assert_ptr_nonnull(memory);
	ck_assert_int_eq(pwrite(fileno(memory), &trap, 1,
				(off_t)(uintptr_t)call_hidden),
			 1);
	fclose(memory);
	check_refused(both[1], HOTPATCH_E_FOREIGN);
}
END_TEST

START_TEST(inside_a_section_it_is_refused)
{
	hotpatch_enter();
	ck_assert_int_eq(hotpatch_redirect(both, 2, NULL),
			 HOTPATCH_E_IN_SECTION);
	hotpatch_leave();
}
END_TEST

START_TEST(nothing_is_ever_writable_and_executable)
{
	redirect_names(both, 2);
	ck_assert_ptr_null(strstr(maps_text(), " rwx"));
	ck_assert_ptr_null(strstr(maps_text(), " -wx"));
	release_names(both, 2);
	ck_assert_ptr_null(strstr(maps_text(), " rwx"));
}
END_TEST

START_TEST(it_works_where_no_mapping_may_become_executable)
{
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
	/* An older kernel does not know it; then there is nothing to test. */
	(void)prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	redirect_names(both, 2);
	apply_bundle("one");
	ck_assert_int_eq(call_plain(1), 102);
}
END_TEST

/* From here on the system call fails, where its argument has the bits. */
static void forbid(unsigned int call, unsigned int argument, unsigned int bits)
{
	const unsigned int place =
		offsetof(struct seccomp_data, args) + argument * 8;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, place),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
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

static void check_forbidden(unsigned int call, unsigned int argument,
			    unsigned int bits, enum hotpatch_status status)
{
	forbid(call, argument, bits);
	check_refused(both[1], status);
	ck_assert_int_eq(call_plain(1), 2);
}

START_TEST(without_mremap_there_is_a_status)
{
	check_forbidden(SYS_mremap, 3, MREMAP_FIXED, HOTPATCH_E_TEXT);
}
END_TEST

START_TEST(where_code_cannot_be_written_there_is_a_status)
{
	check_forbidden(SYS_pwrite64, 2, 0xffff, HOTPATCH_E_TEXT);
}
END_TEST

START_TEST(where_nothing_can_be_mapped_there_is_a_status)
{
	check_forbidden(SYS_mmap, 3, MAP_FIXED_NOREPLACE, HOTPATCH_E_TEXT);
}
END_TEST

START_TEST(where_the_file_cannot_be_mapped_there_is_a_status)
{
	check_forbidden(SYS_mmap, 3, MAP_POPULATE, HOTPATCH_E_TEXT);
}
END_TEST

START_TEST(a_child_of_a_fork_has_redirections_of_its_own)
{
	pid_t child;
	int status;

	redirect_names(both, 1);
	child = fork();
	if (child == 0) {
		if (hotpatch_redirect(both, 2, NULL) != HOTPATCH_OK ||
		    hotpatch_redirect_release(both, 1, NULL) != HOTPATCH_OK ||
		    call_plain(1) != 2 || call_hidden(1) != 3 ||
		    hotpatch_slot_list(NULL, 0) != 1)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1);
	ck_assert_int_eq(call_plain(1), 2);
	apply_bundle((redirect_names(both, 2), "one"));
	ck_assert_int_eq(call_plain(1), 102);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		redirecting_changes_nothing_for_callers,
		a_bundle_replaces_what_was_redirected_and_calls_the_original,
		patches_stack_and_leave_in_any_order,
		a_section_keeps_its_view_of_redirected_functions,
		code_stays_while_a_task_at_rest_is_in_it,
		redirected_functions_are_listed_as_slots,
		an_address_does_for_a_name,
		what_is_redirected_already_stays_as_it_is,
		release_gives_the_original_bytes_back,
		release_is_refused_while_a_patch_replaces_the_function,
		a_type_that_the_host_gave_is_compared,
		a_type_may_be_told_later,
		a_module_stays_loaded_until_its_functions_are_released,
		unwinding_passes_through_a_moved_call,
		each_refusal_has_its_status_and_changes_nothing,
		code_that_somebody_else_changed_is_refused,
		inside_a_section_it_is_refused,
		nothing_is_ever_writable_and_executable,
		it_works_where_no_mapping_may_become_executable,
		without_mremap_there_is_a_status,
		where_code_cannot_be_written_there_is_a_status,
		where_nothing_can_be_mapped_there_is_a_status,
		where_the_file_cannot_be_mapped_there_is_a_status,
		a_child_of_a_fork_has_redirections_of_its_own,
	};

	return run_tests("redirect", tests, sizeof(tests) / sizeof(tests[0]));
}
