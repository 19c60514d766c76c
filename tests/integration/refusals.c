/* SPDX-License-Identifier: MIT */
/*
 * What cannot be applied is refused, each cause with a status of its own, and
 * leaves nothing behind: targets, mappings, descriptors, private files, the
 * list of patches and the heap are as they were, and a good patch applies.
 */
#include "support.h"

#include <malloc.h>
#include <sys/stat.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, stock, (void))
{
	return 1;
}

HOTPATCH_STATIC_FUNCTION(int, local, (int a))
{
	return a + 1;
}

/* Counted by a bundle's constructor. */
int constructed;

/* A directory of this test: private copies in one, made-up files in another. */
static char root[64];
static char made_file[128];

static void make_root(void)
{
	static char store[128];
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = store};

	strcpy(root, "/tmp/hotpatch-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(made_file, sizeof(made_file), "%s/made.so", root);
	snprintf(store, sizeof(store), "%s/store", root);
	expect_ok(hotpatch_configure(&config, &err));
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* Mappings of files, and of bundles among them. */
static unsigned int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[1024];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		count += strchr(line, '/') != NULL;
	fclose(maps);
	return count;
}

/* All that a refusal must leave alone. */
struct picture {
	void *targets[3];
	unsigned int mappings;
	unsigned int copies;
	unsigned int descriptors;
	unsigned int files;
	uint64_t generation;
	char list[256];
};

static void take_picture(struct picture *picture)
{
	struct hotpatch_process_info info;
	char store[128];

	memset(picture, 0, sizeof(*picture));
	*(int (**)(int)) & picture->targets[0] = HOTPATCH_CALL(price);
	*(int (**)(void)) & picture->targets[1] = HOTPATCH_CALL(stock);
	*(int (**)(int)) & picture->targets[2] = HOTPATCH_CALL(local);
	picture->mappings = count_mappings();
	picture->copies = count_copies();
	picture->descriptors = count_descriptors();
	snprintf(store, sizeof(store), "%s/store", root);
	picture->files = count_entries(store);
	hotpatch_process_info(&info);
	picture->generation = info.generation;
	snprintf(picture->list, sizeof(picture->list), "%s", patch_list_text());
}

static void expect_same(const struct picture *before)
{
	struct picture after;

	take_picture(&after);
	ck_assert_mem_eq(after.targets, before->targets, sizeof(after.targets));
	ck_assert_uint_eq(after.mappings, before->mappings);
	ck_assert_uint_eq(after.copies, before->copies);
	ck_assert_uint_eq(after.descriptors, before->descriptors);
	ck_assert_uint_eq(after.files, before->files);
	ck_assert_uint_eq(after.generation, before->generation);
	ck_assert_str_eq(after.list, before->list);
}

static void expect_good_patch_works(void)
{
	struct hotpatch_patch *patch = apply_bundle("good");

	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(local(0), 100);
	remove_patch(patch);
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(local(0), 1);
}

/* @word: what the sentence must name. */
static void refuse(const char *path, enum hotpatch_status expected,
		   const char *word)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error error = {.status = HOTPATCH_OK};
	uint64_t start = events_now();
	enum hotpatch_status status;

	status = hotpatch_patch_open(path, NULL, &patch, &error);
	ck_assert_str_eq(hotpatch_status_name(status),
			 hotpatch_status_name(expected));
	ck_assert_int_eq(error.status, status);
	ck_assert_ptr_null(patch);
	ck_assert_msg(strstr(error.sentence, word) != NULL,
		      "\"%s\" does not name %s", error.sentence, word);
	ck_assert_int_eq(find_event(start, HOTPATCH_PHASE_REFUSED).status,
			 expected);
}

static size_t heap_used(void)
{
	return mallinfo2().uordblks;
}

static void refuse_often(const char *path, enum hotpatch_status expected,
			 const char *word)
{
	int i;

	for (i = 0; i < 16; i++)
		refuse(path, expected, word);
}

/*
 * With the whole picture. The heap is compared only after many refusals: the
 * allocator counts as used what it holds ready for a thread, and fills that
 * store first.
 */
static void expect_refusal(const char *path, enum hotpatch_status expected,
			   const char *word)
{
	struct picture before;
	size_t heap;

	take_picture(&before);
	refuse(path, expected, word);
	expect_same(&before);
	refuse_often(path, expected, word);
	heap = heap_used();
	refuse_often(path, expected, word);
	ck_assert_uint_eq(heap_used(), heap);
	expect_same(&before);
	expect_good_patch_works();
}

#define REFUSED(promise, bundle, status, word)                                 \
	START_TEST(promise)                                                    \
	{                                                                      \
		expect_refusal(bundle_path(bundle), status, word);             \
	}                                                                      \
	END_TEST

REFUSED(bundle_that_wants_a_function_too_much_changes_nothing, "missing",
	HOTPATCH_E_NO_SLOT, "price_of_nothing")
REFUSED(other_prototype_is_refused, "prototype", HOTPATCH_E_PROTOTYPE,
	"int (long net)")
REFUSED(other_prototype_of_a_static_function_is_refused, "static_prototype",
	HOTPATCH_E_PROTOTYPE, "local")
REFUSED(static_function_of_another_file_is_refused, "static_file",
	HOTPATCH_E_NO_SLOT, "other.c:local")
REFUSED(bundle_for_another_build_is_refused, "other_build",
	HOTPATCH_E_WRONG_TARGET, "00112233445566778899aabbccddeeff00112233")
REFUSED(bundle_without_a_target_is_refused, "no_target", HOTPATCH_E_NO_TARGET,
	"target")
REFUSED(function_of_a_module_without_a_build_is_refused, "no_module",
	HOTPATCH_E_NO_TARGET, "libelsewhere.so")
REFUSED(function_named_twice_is_refused, "duplicate", HOTPATCH_E_DUPLICATE,
	"price")
REFUSED(newer_format_is_refused, "format", HOTPATCH_E_FORMAT, "99")
REFUSED(fix_that_needs_a_restart_says_so, "restart", HOTPATCH_E_RESTART,
	"restart")
REFUSED(constructor_that_nobody_asked_for_is_refused, "constructor",
	HOTPATCH_E_CONSTRUCTOR, "constructor")
REFUSED(call_of_a_function_that_is_nowhere_is_refused, "unbound",
	HOTPATCH_E_LOAD, "price_of_nowhere")
REFUSED(shared_object_without_notes_is_refused, "not_bundle",
	HOTPATCH_E_NOT_BUNDLE, "not_bundle.so")
REFUSED(malformed_note_is_refused, "note", HOTPATCH_E_NOTE, "note.so")
REFUSED(missing_file_is_refused, "no_such_file", HOTPATCH_E_NOT_FOUND,
	"no_such_file.so")

/* Writes the first @size bytes of the good bundle, byte @place changed. */
static void make_file(size_t size, size_t place, char byte)
{
	FILE *source = fopen(bundle_path("good"), "rb");
	FILE *made = fopen(made_file, "wb");
	static char bytes[1 << 20];
	size_t got;

	ck_assert_ptr_nonnull(source);
	ck_assert_ptr_nonnull(made);
	got = fread(bytes, 1, sizeof(bytes), source);
	ck_assert_uint_lt(got, sizeof(bytes));
	bytes[place] = byte;
	if (size > got)
		size = got;
	ck_assert_uint_eq(fwrite(bytes, 1, size, made), size);
	fclose(source);
	ck_assert_int_eq(fclose(made), 0);
}

#define WHOLE ((size_t)1 << 20)
#define E_MACHINE_OFFSET 18

START_TEST(truncated_file_is_refused_wherever_it_ends)
{
	struct stat found;
	size_t size;
	size_t step;

	ck_assert_int_eq(stat(bundle_path("good"), &found), 0);
	step = (size_t)found.st_size / 40;
	for (size = (size_t)found.st_size - 1; size > 100; size -= step) {
		make_file(size, 0, 0x7f);
		refuse(made_file, HOTPATCH_E_TRUNCATED, "made.so");
		if (size <= step)
			break;
	}
	make_file((size_t)found.st_size / 2, 0, 0x7f);
	expect_refusal(made_file, HOTPATCH_E_TRUNCATED, "made.so");
}
END_TEST

START_TEST(other_machine_is_refused)
{
	make_file(WHOLE, E_MACHINE_OFFSET, 2);
	expect_refusal(made_file, HOTPATCH_E_MACHINE, "made.so");
}
END_TEST

START_TEST(file_that_is_no_elf_is_refused)
{
	make_file(WHOLE, 1, 'X');
	expect_refusal(made_file, HOTPATCH_E_NOT_ELF, "made.so");
}
END_TEST

START_TEST(empty_file_is_refused)
{
	make_file(0, 0, 0);
	expect_refusal(made_file, HOTPATCH_E_NOT_ELF, "made.so");
}
END_TEST

START_TEST(link_is_refused)
{
	ck_assert_int_eq(symlink(bundle_path("good"), made_file), 0);
	expect_refusal(made_file, HOTPATCH_E_NOT_REGULAR, "link");
}
END_TEST

START_TEST(directory_is_refused)
{
	expect_refusal(root, HOTPATCH_E_NOT_REGULAR, root);
}
END_TEST

START_TEST(pipe_is_refused_without_waiting_for_a_writer)
{
	ck_assert_int_eq(mkfifo(made_file, 0600), 0);
	expect_refusal(made_file, HOTPATCH_E_NOT_REGULAR, "made.so");
}
END_TEST

START_TEST(nothing_of_a_bundle_that_does_not_fit_runs)
{
	refuse(bundle_path("misfit"), HOTPATCH_E_NO_SLOT, "price_of_nothing");
	ck_assert_int_eq(constructed, 0);
}
END_TEST

START_TEST(refusal_leaves_an_active_patch_alone)
{
	struct picture before;

	apply_bundle("good");
	take_picture(&before);
	refuse(bundle_path("missing"), HOTPATCH_E_NO_SLOT, "price_of_nothing");
	refuse(bundle_path("unbound"), HOTPATCH_E_LOAD, "price_of_nowhere");
	expect_same(&before);
	ck_assert_str_eq(patch_list_text(), "good active\n");
	ck_assert_int_eq(price(0), 100);
}
END_TEST

START_TEST(apply_and_revert_leave_nothing_behind)
{
	struct picture before;
	struct picture after;

	needs_proc();
	expect_good_patch_works();
	take_picture(&before);
	expect_good_patch_works();
	take_picture(&after);
	ck_assert_uint_gt(after.generation, before.generation);
	after.generation = before.generation;
	ck_assert_mem_eq(&after, &before, sizeof(before));
}
END_TEST

START_TEST(closed_handle_of_a_patch_never_applied_unloads_it)
{
	struct picture before;

	expect_good_patch_works();
	take_picture(&before);
	hotpatch_patch_close(open_bundle("good"));
	expect_same(&before);
}
END_TEST

START_TEST(patch_that_is_over_goes_neither_on_nor_back)
{
	struct hotpatch_patch *patch = apply_bundle("good");

	begin_revert(patch);
	await_unmapped(patch);
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_status(HOTPATCH_E_ALREADY,
		      hotpatch_patch_revert(patch, NULL, &err));
	expect_state(patch, HOTPATCH_CLOSED);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(what_is_no_argument_is_refused)
{
	struct hotpatch_open_options opening = {.size = 1};
	struct hotpatch_config config = {.size = 1};
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_apply(NULL, NULL, &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_revert(NULL, NULL, &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_wait(NULL, HOTPATCH_DRAINED, 0, &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_open(NULL, NULL, &patch, &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_open(bundle_path("good"), &opening, &patch,
					  &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_patch_open_fd(-1, "good", NULL, &patch, &err));
	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_configure(&config, &err));
	ck_assert_int_eq(hotpatch_patch_find(NULL, &patch),
			 HOTPATCH_E_ARGUMENT);
	ck_assert_ptr_null(patch);
	expect_good_patch_works();
}
END_TEST

START_TEST(process_is_not_configured_when_it_has_opened_a_bundle)
{
	struct hotpatch_config config = {.size = sizeof(config)};

	expect_good_patch_works();
	expect_status(HOTPATCH_E_STATE, hotpatch_configure(&config, &err));
	expect_good_patch_works();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		bundle_that_wants_a_function_too_much_changes_nothing,
		other_prototype_is_refused,
		other_prototype_of_a_static_function_is_refused,
		static_function_of_another_file_is_refused,
		bundle_for_another_build_is_refused,
		bundle_without_a_target_is_refused,
		function_of_a_module_without_a_build_is_refused,
		function_named_twice_is_refused,
		newer_format_is_refused,
		fix_that_needs_a_restart_says_so,
		constructor_that_nobody_asked_for_is_refused,
		call_of_a_function_that_is_nowhere_is_refused,
		shared_object_without_notes_is_refused,
		malformed_note_is_refused,
		missing_file_is_refused,
		truncated_file_is_refused_wherever_it_ends,
		other_machine_is_refused,
		file_that_is_no_elf_is_refused,
		empty_file_is_refused,
		link_is_refused,
		directory_is_refused,
		pipe_is_refused_without_waiting_for_a_writer,
		nothing_of_a_bundle_that_does_not_fit_runs,
		refusal_leaves_an_active_patch_alone,
		apply_and_revert_leave_nothing_behind,
		closed_handle_of_a_patch_never_applied_unloads_it,
		patch_that_is_over_goes_neither_on_nor_back,
		what_is_no_argument_is_refused,
		process_is_not_configured_when_it_has_opened_a_bundle,
	};

	return run_tests_around("refusals", tests,
				sizeof(tests) / sizeof(tests[0]), make_root,
				remove_root);
}
