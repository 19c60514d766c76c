/* SPDX-License-Identifier: MIT */
/*
 * The analysis of whole modules: of this program, with functions of every
 * shape, and of the C library.
 */
#include "../../lib/redirect/code.h"
#include "../redirect_shapes.h"

#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hp_code *code;

static void setup(void)
{
	struct hotpatch_error err;

	ck_assert_int_eq(hp_code_open("/proc/self/exe", "", &code, &err),
			 HOTPATCH_OK);
}

static const struct hp_function *find(const char *name)
{
	const struct hp_function *function = NULL;
	bool indirect;

	ck_assert_msg(hp_code_find(code, name, &function, &indirect) ==
			      HOTPATCH_OK,
		      "%s", name);
	return function;
}

START_TEST(each_shape_gets_its_tier)
{
	const struct shape *shape = &shapes[_i];
	const struct hp_function *function = find(shape->name);

	ck_assert_msg(function->refusal == HOTPATCH_REFUSAL_NONE, "%s",
		      shape->name);
	ck_assert_msg(function->tier == shape->tier, "%s: tier %u", shape->name,
		      function->tier);
	ck_assert_msg(function->written == shape->written, "%s: %u bytes",
		      shape->name, function->written);
}
END_TEST

START_TEST(landing_pads_stay)
{
	ck_assert_uint_eq(find("shape_landing")->skip, 4);
	ck_assert_uint_eq(find("shape_landing_five")->skip, 4);
	ck_assert_uint_eq(find("shape_push_one")->skip, 0);
}
END_TEST

START_TEST(a_loop_that_begins_with_the_function_is_refused)
{
	ck_assert_uint_eq(find("shape_loop")->refusal, HOTPATCH_REFUSAL_LOOP);
}
END_TEST

START_TEST(parts_of_functions_are_refused)
{
	ck_assert_uint_eq(find("shape_split.cold")->refusal,
			  HOTPATCH_REFUSAL_PART);
	ck_assert_uint_eq(find("shape_split")->refusal, HOTPATCH_REFUSAL_NONE);
	ck_assert_uint_eq(find("shape_split_loop")->refusal,
			  HOTPATCH_REFUSAL_LOOP);
}
END_TEST

START_TEST(an_entry_in_the_second_instruction_is_kept)
{
	/* Nothing enters the second instruction of the first; something does
	 * so in the middle of the first instruction of the second. */
	ck_assert_uint_eq(find("shape_pair_one")->next_written, 5);
	ck_assert_uint_eq(find("shape_entered")->next_written, 0);
}
END_TEST

static int same_name(void)
{
	return 1;
}

START_TEST(names_are_found_in_the_symbol_table)
{
	const struct hp_function *function = find("same_name");
	const struct hp_function *other;
	bool indirect;

	ck_assert_str_eq(hp_code_name(code, function), "same_name");
	ck_assert_ptr_eq(hp_code_at(code, function->start), function);
	ck_assert_ptr_null(hp_code_at(code, function->start + 1));
	ck_assert_int_eq(hp_code_find(code, "no_such_name", &other, &indirect),
			 HOTPATCH_E_NO_FUNCTION);
	ck_assert_int_eq(same_name(), 1);
}
END_TEST

START_TEST(a_module_is_analysed_once)
{
	const struct hp_code *again;
	struct hotpatch_error err;

	ck_assert_int_eq(hp_code_open("/proc/self/exe", "", &again, &err),
			 HOTPATCH_OK);
	ck_assert_ptr_eq(again, code);
}
END_TEST

START_TEST(another_build_is_refused)
{
	struct hotpatch_error err;
	const struct hp_code *other;

	ck_assert_int_eq(hp_code_open("/proc/self/exe", "0123456789abcdef",
				      &other, &err),
			 HOTPATCH_E_SWAPPED);
	ck_assert_int_eq(hp_code_open("/nonexistent", "", &other, &err),
			 HOTPATCH_E_NOT_FOUND);
	ck_assert_int_eq(hp_code_open("/proc/self/cmdline", "", &other, &err),
			 HOTPATCH_E_NOT_ELF);
}
END_TEST

/* Files that end, or lie, at any byte: read, never followed. */
START_TEST(damaged_files_are_survived)
{
	char path[] = "/tmp/hotpatch-redirect-XXXXXX";
	struct hotpatch_error err;
	const struct hp_code *other;
	static char bytes[65536];
	FILE *self = fopen("/proc/self/exe", "re");
	size_t size;
	size_t i;
	int fd = mkstemp(path);

	ck_assert_ptr_nonnull(self);
	ck_assert_int_ge(fd, 0);
	size = fread(bytes, 1, sizeof(bytes), self);
	fclose(self);
	srand((unsigned int)_i);
	for (i = 0; i < 64; i++)
		bytes[(size_t)rand() % (i < 32 ? sizeof(Elf64_Ehdr) : size)] =
			(char)rand();
	size = _i % 2 ? size : (size_t)rand() % size + 1;
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	(void)hp_code_open(path, "", &other, &err);
	unlink(path);
}
END_TEST

static const char *path_of(const char *name)
{
	struct link_map *map = NULL;
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	ck_assert_ptr_nonnull(handle);
	ck_assert_int_eq(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	return map->l_name;
}

START_TEST(the_c_library_has_resolvers_and_a_return_from_signals)
{
	const struct hp_function *function;
	struct hotpatch_error err;
	bool indirect = false;
	size_t refused = 0;
	size_t count;
	size_t i;

	ck_assert_int_eq(hp_code_open(path_of("libc.so.6"), "", &code, &err),
			 HOTPATCH_OK);
	ck_assert_int_eq(hp_code_find(code, "memcpy", &function, &indirect),
			 HOTPATCH_OK);
	ck_assert(indirect);
	ck_assert_int_eq(hp_code_find(code, "write", &function, &indirect),
			 HOTPATCH_OK);
	ck_assert(!indirect);
	function = hp_code_functions(code, &count);
	ck_assert_uint_gt(count, 1000);
	for (i = 0; i < count; i++)
		refused += function[i].refusal ==
			   HOTPATCH_REFUSAL_SIGNAL_RETURN;
	ck_assert_uint_eq(refused, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redirect_code");
	TCase *tcase = tcase_create("redirect_code");
	TCase *damaged = tcase_create("damaged");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, each_shape_gets_its_tier, 0, SHAPE_COUNT);
	tcase_add_test(tcase, landing_pads_stay);
	tcase_add_test(tcase, a_loop_that_begins_with_the_function_is_refused);
	tcase_add_test(tcase, parts_of_functions_are_refused);
	tcase_add_test(tcase, an_entry_in_the_second_instruction_is_kept);
	tcase_add_test(tcase, names_are_found_in_the_symbol_table);
	tcase_add_test(tcase, a_module_is_analysed_once);
	tcase_add_test(tcase, another_build_is_refused);
	tcase_add_loop_test(damaged, damaged_files_are_survived, 0, 80);
	tcase_add_test(tcase,
		       the_c_library_has_resolvers_and_a_return_from_signals);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, damaged);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
