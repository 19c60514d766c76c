/* SPDX-License-Identifier: MIT */
/*
 * Mapping real bundles and getting rid of them. The test plays the private
 * store: each load is of a fresh copy.
 */
#include "../../lib/image.h"

#include "elf_edit.h"

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct elf_edit elf;
static struct hp_manifest manifest;
static struct hp_image image;
static struct hotpatch_error err;
static char path[] = "/tmp/hotpatch-image-XXXXXX";

/* Writes the bytes to a new file and reads their manifest. */
static void take(const char *name)
{
	int fd;

	elf = elf_load(name);
	ck_assert_int_eq(hp_manifest_parse(elf.bytes, elf.size, name, &manifest,
					   &err),
			 HOTPATCH_OK);
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, elf.bytes, elf.size), (ssize_t)elf.size);
	close(fd);
}

static void clean(void)
{
	unlink(path);
	hp_manifest_release(&manifest);
	free(elf.bytes);
}

static enum hotpatch_status load(unsigned int rehearsal_ms)
{
	return hp_image_load(path, &manifest, rehearsal_ms, &image, &err);
}

static void loaded(void)
{
	enum hotpatch_status status = load(10000);

	ck_assert_msg(status == HOTPATCH_OK, "%s: %s",
		      hotpatch_status_name(status), err.sentence);
}

static bool is_mapped(void)
{
	void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);

	if (handle)
		dlclose(handle);
	return handle != NULL;
}

static void load_refused(enum hotpatch_status expected)
{
	enum hotpatch_status status = load(10000);

	ck_assert_msg(status == expected, "%s: %s",
		      hotpatch_status_name(status), err.sentence);
	ck_assert_int_eq(err.status, expected);
	ck_assert_ptr_null(image.handle);
	ck_assert(!is_mapped());
}

START_TEST(bundle_is_mapped_in_its_range)
{
	uintptr_t bundle;

	take("files_good.so");
	loaded();
	bundle = (uintptr_t)image.bundle;
	ck_assert(bundle >= image.start && bundle < image.stop);
	ck_assert_int_eq(image.bundle->stop - image.bundle->start, 5);
	ck_assert_str_eq(image.path, path);
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(unloaded_bundle_is_gone)
{
	take("files_good.so");
	loaded();
	ck_assert(is_mapped());
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	ck_assert(!is_mapped());
}
END_TEST

START_TEST(bundle_of_cxx_is_mapped)
{
	take("files_cxx.so");
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(restart_without_records_is_mapped)
{
	take("files_restart.so");
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(same_bytes_are_mapped_twice_under_two_paths)
{
	struct hp_image first;

	take("files_good.so");
	loaded();
	first = image;
	clean();
	take("files_good.so");
	loaded();
	ck_assert(first.start != image.start);
	ck_assert_int_eq(hp_image_unload(&first, &err), HOTPATCH_OK);
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(bundle_that_somebody_else_holds_is_retained)
{
	void *handle;

	take("files_good.so");
	loaded();
	handle = dlopen(path, RTLD_LAZY);
	ck_assert_ptr_nonnull(handle);
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_E_RETAINED);
	ck_assert_int_eq(err.status, HOTPATCH_E_RETAINED);
	ck_assert_ptr_nonnull(strstr(err.sentence, path));
	dlclose(handle);
	ck_assert(!is_mapped());
}
END_TEST

START_TEST(bundle_with_unique_symbol_is_retained)
{
	take("files_unique.so");
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_E_RETAINED);
}
END_TEST

START_TEST(missing_file_is_told_in_the_loaders_words)
{
	take("files_good.so");
	unlink(path);
	load_refused(HOTPATCH_E_LOAD);
	ck_assert_ptr_nonnull(strstr(err.sentence, path));
}
END_TEST

START_TEST(other_build_id_is_swapped)
{
	take("files_good.so");
	manifest.build_id[0] ^= 1;
	load_refused(HOTPATCH_E_SWAPPED);
}
END_TEST

START_TEST(build_id_where_none_was_is_swapped)
{
	take("files_good.so");
	manifest.build_id[0] = '\0';
	load_refused(HOTPATCH_E_SWAPPED);
}
END_TEST

START_TEST(other_function_is_swapped)
{
	take("files_good.so");
	manifest.replaces[2].name = "another";
	load_refused(HOTPATCH_E_SWAPPED);
}
END_TEST

START_TEST(other_file_of_a_static_function_is_swapped)
{
	size_t i;

	take("files_good.so");
	for (i = 0; i < manifest.replace_count; i++)
		if (*manifest.replaces[i].file)
			manifest.replaces[i].file = "client.c";
	load_refused(HOTPATCH_E_SWAPPED);
}
END_TEST

START_TEST(fewer_replacements_than_verified_are_swapped)
{
	struct hp_replace more[6];
	struct hp_replace *kept;

	take("files_good.so");
	memcpy(more, manifest.replaces, 5 * sizeof(more[0]));
	more[5] = more[4];
	kept = manifest.replaces;
	manifest.replaces = more;
	manifest.replace_count = 6;
	load_refused(HOTPATCH_E_SWAPPED);
	manifest.replaces = kept;
}
END_TEST

START_TEST(other_order_of_replacements_is_the_same)
{
	struct hp_replace first;

	take("files_good.so");
	first = manifest.replaces[0];
	manifest.replaces[0] = manifest.replaces[4];
	manifest.replaces[4] = first;
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

/*
 * Rewrites the pointer at @place of the image in the file: the addend of its
 * relocation is the pointer, on every CPU that uses RELA.
 */
static void spoil_pointer(Elf64_Addr place, Elf64_Sxword addend)
{
	Elf64_Phdr *dynamic = elf_segment(&elf, PT_DYNAMIC);
	Elf64_Dyn *entry = (Elf64_Dyn *)(elf.bytes + dynamic->p_offset);
	Elf64_Rela *relocation = NULL;
	size_t count = 0;
	FILE *file;

	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_RELA)
			relocation = (void *)(elf.bytes + entry->d_un.d_ptr);
		if (entry->d_tag == DT_RELASZ)
			count = entry->d_un.d_val / sizeof(*relocation);
	}
	ck_assert_ptr_nonnull(relocation);
	while (count && relocation->r_offset != place) {
		relocation++;
		count--;
	}
	ck_assert_uint_gt(count, 0);
	relocation->r_addend = addend;
	file = fopen(path, "wb");
	ck_assert_uint_eq(fwrite(elf.bytes, 1, elf.size, file), elf.size);
	fclose(file);
}

struct pointer {
	size_t offset;
	Elf64_Sxword addend;
};

static const struct pointer pointers[] = {
	{offsetof(struct hotpatch_replacement, module), 0x7fffffff},
	{offsetof(struct hotpatch_replacement, file), 0x7fffffff},
	{offsetof(struct hotpatch_replacement, name), -4096},
#if defined(__x86_64__)
	/* Elsewhere linkers put the file's head into the code's segment. */
	{offsetof(struct hotpatch_replacement, function), 0},
#endif
	{offsetof(struct hotpatch_replacement, function), 0x7fffffff},
	{offsetof(struct hotpatch_replacement, original), 0},
	{offsetof(struct hotpatch_replacement, original), 0x7ffffff8},
};

START_TEST(record_that_points_elsewhere_is_swapped)
{
	Elf64_Addr record;

	/* The place of a record is known once it was mapped. */
	take("files_good.so");
	loaded();
	record = (uintptr_t)image.bundle->start - image.start;
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	ck_assert(!is_mapped());
	spoil_pointer(record + pointers[_i].offset, pointers[_i].addend);
	load_refused(HOTPATCH_E_SWAPPED);
}
END_TEST

/* Rewrites what lies at @place of the image in the file. */
static void spoil_word(Elf64_Addr place, uint32_t word)
{
	const Elf64_Ehdr *head = (const void *)elf.bytes;
	const Elf64_Phdr *part = (const void *)(elf.bytes + head->e_phoff);
	FILE *file;

	while (part->p_type != PT_LOAD || place < part->p_vaddr ||
	       place - part->p_vaddr >= part->p_filesz)
		part++;
	memcpy(elf.bytes + part->p_offset + (place - part->p_vaddr), &word,
	       sizeof(word));
	file = fopen(path, "wb");
	ck_assert_uint_eq(fwrite(elf.bytes, 1, elf.size, file), elf.size);
	fclose(file);
}

static const struct {
	size_t offset;
	uint32_t word;
	bool good;
} words[] = {
	/* From before the size was told, and as it was then. */
	{offsetof(struct hotpatch_bundle, size), 0, true},
	{offsetof(struct hotpatch_bundle, size), HOTPATCH_BUNDLE_SIZE_0, true},
	{offsetof(struct hotpatch_bundle, size), HOTPATCH_BUNDLE_SIZE_0 - 1,
	 false},
	{offsetof(struct hotpatch_bundle, size), 1, false},
	{offsetof(struct hotpatch_bundle, size), 0x7fffffff, false},
	{offsetof(struct hotpatch_bundle, format), 0, false},
	{offsetof(struct hotpatch_bundle, format), HOTPATCH_NOTE_FORMAT + 1,
	 false},
};

START_TEST(table_has_a_size_and_a_format_that_can_be)
{
	Elf64_Addr table;

	take("files_good.so");
	loaded();
	table = (uintptr_t)image.bundle - image.start;
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	spoil_word(table + words[_i].offset, words[_i].word);
	if (!words[_i].good) {
		load_refused(HOTPATCH_E_SWAPPED);
		return;
	}
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

static size_t count_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(stream);
	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

static void call_in_bundle(const char *variable, void (*function)(void))
{
	char text[32];

	snprintf(text, sizeof(text), "%llx",
		 (unsigned long long)(uintptr_t)function);
	setenv(variable, text, 1);
}

static int callback_seen;

static void look(void)
{
	if (hp_image_in_callback())
		callback_seen++;
}

START_TEST(constructor_and_destructor_run_in_a_callback)
{
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", look);
	call_in_bundle("HOTPATCH_TEST_DESTRUCTOR", look);
	ck_assert(!hp_image_in_callback());
	loaded();
	ck_assert_int_eq(callback_seen, 1);
	ck_assert(!hp_image_in_callback());
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	ck_assert_int_eq(callback_seen, 2);
	ck_assert(!hp_image_in_callback());
}
END_TEST

static int witness;

static void testify(void)
{
	if (write(witness, "x", 1) != 1)
		abort();
}

START_TEST(constructor_is_rehearsed_once_and_then_run_once)
{
	char seen[8];
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	witness = ends[1];
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", testify);
	loaded();
	ck_assert_int_eq(read(ends[0], seen, sizeof(seen)), 2);
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

START_TEST(without_constructors_no_child_is_made)
{
	take("files_good.so");
	signal(SIGCHLD, SIG_DFL);
	loaded();
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
}
END_TEST

static void crash(void)
{
	raise(SIGSEGV);
}

static void hang(void)
{
	for (;;)
		pause();
}

static void end_process(void)
{
	exit(0);
}

static void close_everything_and_hang(void)
{
	int fd;

	for (fd = 3; fd < 64; fd++)
		close(fd);
	hang();
}

static void host_exit_handler(void)
{
	testify();
}

START_TEST(crash_of_a_constructor_is_named_and_harmless)
{
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", crash);
	load_refused(HOTPATCH_E_CONSTRUCTOR);
	ck_assert_str_eq(err.object, "constructor");
	ck_assert_ptr_nonnull(strstr(err.sentence, "signal 11"));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(crash_does_not_reach_the_hosts_handlers)
{
	struct sigaction action = {.sa_handler = _exit};

	sigaction(SIGSEGV, &action, NULL);
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", crash);
	load_refused(HOTPATCH_E_CONSTRUCTOR);
	ck_assert_ptr_nonnull(strstr(err.sentence, "signal 11"));
}
END_TEST

START_TEST(constructor_that_does_not_return_is_given_up_in_time)
{
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", hang);
	ck_assert_int_eq(load(100), HOTPATCH_E_CONSTRUCTOR);
	ck_assert_ptr_nonnull(strstr(err.sentence, "100 ms"));
	ck_assert_ptr_nonnull(strstr(err.sentence, "constructor"));
	ck_assert(!is_mapped());
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(constructor_that_closes_the_pipe_is_given_up_in_time)
{
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", close_everything_and_hang);
	ck_assert_int_eq(load(100), HOTPATCH_E_CONSTRUCTOR);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(constructor_that_exits_runs_no_exit_handler_of_the_host)
{
	char seen[8];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	witness = ends[1];
	ck_assert_int_eq(atexit(host_exit_handler), 0);
	take("files_constructor.so");
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", end_process);
	load_refused(HOTPATCH_E_CONSTRUCTOR);
	ck_assert_int_eq(read(ends[0], seen, sizeof(seen)), -1);
}
END_TEST

START_TEST(host_that_reaps_every_child_is_no_obstacle)
{
	take("files_constructor.so");
	signal(SIGCHLD, SIG_IGN);
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	memset(&image, 0, sizeof(image));
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", crash);
	load_refused(HOTPATCH_E_CONSTRUCTOR);
}
END_TEST

START_TEST(nothing_stays_open_after_any_outcome)
{
	size_t before = count_descriptors();

	take("files_constructor.so");
	loaded();
	ck_assert_int_eq(hp_image_unload(&image, &err), HOTPATCH_OK);
	memset(&image, 0, sizeof(image));
	call_in_bundle("HOTPATCH_TEST_CONSTRUCTOR", crash);
	load_refused(HOTPATCH_E_CONSTRUCTOR);
	unsetenv("HOTPATCH_TEST_CONSTRUCTOR");
	manifest.build_id[0] ^= 1;
	load_refused(HOTPATCH_E_SWAPPED);
	ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

static void add_mapping(TCase *tcase)
{
	tcase_add_test(tcase, bundle_is_mapped_in_its_range);
	tcase_add_test(tcase, unloaded_bundle_is_gone);
	tcase_add_test(tcase, bundle_of_cxx_is_mapped);
	tcase_add_test(tcase, restart_without_records_is_mapped);
	tcase_add_test(tcase, same_bytes_are_mapped_twice_under_two_paths);
	tcase_add_test(tcase, bundle_that_somebody_else_holds_is_retained);
	tcase_add_test(tcase, bundle_with_unique_symbol_is_retained);
	tcase_add_test(tcase, missing_file_is_told_in_the_loaders_words);
	tcase_add_test(tcase, other_build_id_is_swapped);
	tcase_add_test(tcase, build_id_where_none_was_is_swapped);
	tcase_add_test(tcase, other_function_is_swapped);
	tcase_add_test(tcase, other_file_of_a_static_function_is_swapped);
	tcase_add_test(tcase, fewer_replacements_than_verified_are_swapped);
	tcase_add_test(tcase, other_order_of_replacements_is_the_same);
	tcase_add_loop_test(tcase, record_that_points_elsewhere_is_swapped, 0,
			    sizeof(pointers) / sizeof(pointers[0]));
	tcase_add_loop_test(tcase, table_has_a_size_and_a_format_that_can_be, 0,
			    sizeof(words) / sizeof(words[0]));
}

static void add_constructors(TCase *tcase)
{
	tcase_add_test(tcase, constructor_and_destructor_run_in_a_callback);
	tcase_add_test(tcase, constructor_is_rehearsed_once_and_then_run_once);
	tcase_add_test(tcase, without_constructors_no_child_is_made);
	tcase_add_test(tcase, crash_of_a_constructor_is_named_and_harmless);
	tcase_add_test(tcase, crash_does_not_reach_the_hosts_handlers);
	tcase_add_test(tcase,
		       constructor_that_does_not_return_is_given_up_in_time);
	tcase_add_test(tcase,
		       constructor_that_closes_the_pipe_is_given_up_in_time);
	tcase_add_test(tcase,
		       constructor_that_exits_runs_no_exit_handler_of_the_host);
	tcase_add_test(tcase, host_that_reaps_every_child_is_no_obstacle);
	tcase_add_test(tcase, nothing_stays_open_after_any_outcome);
}

static void add_case(Suite *suite, const char *name, void (*add)(TCase *))
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, NULL, clean);
	tcase_set_timeout(tcase, 30);
	add(tcase);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("image");
	SRunner *runner;
	int failed;

	add_case(suite, "mapping", add_mapping);
	add_case(suite, "constructors", add_constructors);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
