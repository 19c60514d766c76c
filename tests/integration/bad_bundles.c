/* SPDX-License-Identifier: MIT */
/*
 * A table of bad bundles, in bad_bundles/: each gets the status and the word
 * of its row, nothing of it runs, the process and its private directory are as
 * they were, and a good bundle applies afterwards. Where the library verifies
 * signatures, all of this happens with signatures required.
 */
#include "bad_bundles/table.h"
#include "support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, stock, (void))
{
	return 1;
}

/* Counted by a bundle's constructor. */
int constructed;

struct world world;
const char *swap_with;

void set_sequence(uint64_t sequence)
{
	char *head = elf_description(&world.elf, HOTPATCH_NOTE_BUNDLE, 0);

	memcpy(head + offsetof(struct hotpatch_note_bundle, sequence),
	       &sequence, sizeof(sequence));
}

/* Stands before the loader's own, and may swap the file at the last moment. */
void *dlopen(const char *path, int flags)
{
	void *(*load)(const char *, int) = NULL;
	struct elf_edit other;

	*(void **)&load = dlsym(RTLD_NEXT, "dlopen");
	if (path && swap_with && strstr(path, "/store/")) {
		other = elf_load(swap_with);
		unlink(path);
		put_file(path, other.bytes, other.size);
		free(other.bytes);
	}
	return load(path, flags);
}

/* ---- The world ---- */

static void sign(const char *path)
{
#ifdef HOTPATCH_TEST_SIGNATURES
	char signature[160];

	snprintf(signature, sizeof(signature), "%s.minisig", path);
	sign_file(path, signature, &(struct signing){0});
#else
	(void)path;
#endif
}

static void configure(void)
{
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = world.store};

#ifdef HOTPATCH_TEST_SIGNATURES
	const char *revoked[] = {key_id(SECOND_KEY)};
	const char *trusted[] = {key_text(SECOND_KEY), key_text(REVOKED_KEY)};
	char text[160];

	snprintf(text, sizeof(text), "untrusted comment: x\n%s\n",
		 key_text(TRUSTED_KEY));
	put_text(world.trusted, text);
	snprintf(text, sizeof(text), "%s/revoked", world.keys);
	put_text(text, "# none of these\n\n  A2A2A2A2A2A2A2A2  # lost\n");
	config.key_directory = world.keys;
	config.keys = trusted;
	config.key_count = 2;
	config.revoked = revoked;
	config.revoked_count = 1;
#endif
	expect_ok(hotpatch_configure(&config, &err));
}

static void make_world(void)
{
	umask(022);
	strcpy(world.root, "/tmp/hotpatch-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(world.root));
	snprintf(world.store, sizeof(world.store), "%s/store", world.root);
	snprintf(world.keys, sizeof(world.keys), "%s/keys", world.root);
	snprintf(world.trusted, sizeof(world.trusted), "%s/trusted.pub",
		 world.keys);
	snprintf(world.bundle, sizeof(world.bundle), "%s/bad.so", world.root);
	snprintf(world.signature, sizeof(world.signature), "%s.minisig",
		 world.bundle);
	ck_assert_int_eq(mkdir(world.keys, 0755), 0);
	ck_assert_int_eq(mkdir(world.store, 0700), 0);
#ifdef HOTPATCH_TEST_SIGNATURES
	make_keys();
#endif
	configure();
}

static void remove_world(void)
{
	char command[128];

	free(world.elf.bytes);
	snprintf(command, sizeof(command), "rm -rf '%s'", world.root);
	ck_assert_int_eq(system(command), 0);
}

/* Writes the bundle as it is in world.elf, and signs it. */
static void put_bundle(const char *path)
{
	put_file(path, world.elf.bytes, world.elf.size);
	sign(path);
}

static void take_good(void)
{
	free(world.elf.bytes);
	world.elf = elf_load("good.so");
}

static void expect_good_applies(void)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_patch_info info;
	char path[128];

	snprintf(path, sizeof(path), "%s/good.so", world.root);
	take_good();
	put_bundle(path);
	expect_ok(hotpatch_patch_open(path, NULL, &patch, &err));
	hotpatch_patch_info(patch, &info);
#ifdef HOTPATCH_TEST_SIGNATURES
	ck_assert_str_eq(info.key_id, key_id(TRUSTED_KEY));
#else
	ck_assert_str_eq(info.key_id, "");
#endif
	apply(patch);
	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(stock(), 100);
	remove_patch(patch);
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(stock(), 1);
}

/* ---- What a refusal must leave alone ---- */

struct picture {
	void *targets[2];
	unsigned int mappings;
	unsigned int copies;
	unsigned int descriptors;
	unsigned int files;
	uint64_t generation;
	char list[256];
	char sequences[4096];
};

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

static void take_picture(struct picture *picture)
{
	struct hotpatch_process_info info;
	char path[160];

	memset(picture, 0, sizeof(*picture));
	*(int (**)(int)) & picture->targets[0] = HOTPATCH_CALL(price);
	*(int (**)(void)) & picture->targets[1] = HOTPATCH_CALL(stock);
	picture->mappings = count_mappings();
	picture->copies = count_copies();
	picture->descriptors = count_descriptors();
	picture->files = count_entries(world.store);
	hotpatch_process_info(&info);
	picture->generation = info.generation;
	snprintf(picture->list, sizeof(picture->list), "%s", patch_list_text());
	snprintf(path, sizeof(path), "%s/sequences", world.store);
	if (!access(path, F_OK))
		get_file(path, picture->sequences, sizeof(picture->sequences));
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
	ck_assert_str_eq(after.sequences, before->sequences);
	ck_assert_int_eq(constructed, 0);
}

/* ---- The rows ---- */

/* Shown by what was loaded, which a check does not do. */
static bool shows_when_loaded(enum hotpatch_status status)
{
	return status == HOTPATCH_E_SWAPPED || status == HOTPATCH_E_LOAD;
}

static void refuse_as(const struct bad_bundle *row, bool check_only)
{
	struct hotpatch_open_options options = {.size = sizeof(options),
						.rollback = row->rollback,
						.check_only = check_only};
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error error = {.status = HOTPATCH_OK};
	enum hotpatch_status status;

	status = hotpatch_patch_open(world.bundle, &options, &patch, &error);
	if (check_only && shows_when_loaded(row->expected)) {
		expect_ok(status);
		ck_assert_ptr_null(patch);
		return;
	}
	ck_assert_msg(status == row->expected, "%s%s: %s, wanted %s: %s",
		      row->promise, check_only ? ", checked" : "",
		      hotpatch_status_name(status),
		      hotpatch_status_name(row->expected), error.sentence);
	ck_assert_int_eq(error.status, status);
	ck_assert_ptr_null(patch);
	ck_assert_msg(strstr(error.sentence, row->word) != NULL,
		      "%s: \"%s\" does not name %s", row->promise,
		      error.sentence, row->word);
}

/* A check tells what opening it would. */
static void refuse(const struct bad_bundle *row)
{
	refuse_as(row, true);
	refuse_as(row, false);
}

static void try_row(const struct bad_bundle *row)
{
	struct picture before;

	expect_good_applies();
	take_good();
	if (row->spoil)
		row->spoil();
	put_bundle(world.bundle);
	if (row->then)
		row->then();
	take_picture(&before);
	refuse(row);
	refuse(row);
	expect_same(&before);
	if (row->mend)
		row->mend();
	expect_good_applies();
}

static const struct bad_group *const groups[] = {
	&file_rows,	 &note_rows,
#ifdef HOTPATCH_TEST_SIGNATURES
	&signature_rows, &key_rows,  &age_rows,
#endif
};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

static size_t count_rows(void)
{
	size_t count = 0;
	size_t i;

	for (i = 0; i < GROUP_COUNT; i++)
		count += groups[i]->count;
	return count;
}

START_TEST(bad_bundle_is_refused_and_changes_nothing)
{
	size_t index = (size_t)_i;
	size_t group = 0;

	while (index >= groups[group]->count)
		index -= groups[group++]->count;
	try_row(&groups[group]->rows[index]);
}
END_TEST

START_TEST(table_has_at_least_forty_rows)
{
	printf("%zu rows\n", count_rows());
	ck_assert_uint_ge(count_rows(), 40);
}
END_TEST

/* Signed as it is, so that it is the cut that shows. */
START_TEST(bundle_cut_at_every_64_bytes_is_refused)
{
	struct bad_bundle row = {
		.promise = "cut",
		.expected = HOTPATCH_E_TRUNCATED,
		.word = "bad.so",
	};
	struct picture before;
	size_t size;

	expect_good_applies();
	take_good();
	size = world.elf.size - 1;
	take_picture(&before);
	for (size -= size % 64; size >= 64; size -= 64) {
		world.elf.size = size;
		put_bundle(world.bundle);
		refuse(&row);
	}
	expect_same(&before);
	expect_good_applies();
}
END_TEST

/* ---- What is not refused ---- */

START_TEST(file_that_is_replaced_after_opening_does_not_matter)
{
	struct elf_edit other = elf_load("other.so");
	struct hotpatch_patch *patch = NULL;

	take_good();
	put_bundle(world.bundle);
	expect_ok(hotpatch_patch_open(world.bundle, NULL, &patch, &err));
	put_file(world.bundle, other.bytes, other.size);
	free(other.bytes);
	apply(patch);
	ck_assert_int_eq(price(0), 100);
	remove_patch(patch);
}
END_TEST

#ifdef HOTPATCH_TEST_SIGNATURES

static void put_sequence(const char *path, uint64_t sequence)
{
	take_good();
	set_sequence(sequence);
	put_bundle(path);
}

static void open_and_close(const char *path, bool rollback)
{
	struct hotpatch_open_options options = {.size = sizeof(options),
						.rollback = rollback};
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open(path, &options, &patch, &err));
	hotpatch_patch_close(patch);
}

START_TEST(rollback_to_what_was_accepted_works_and_keeps_the_highest)
{
	struct bad_bundle older = {
		.promise = "older",
		.expected = HOTPATCH_E_REPLAYED,
		.word = "sequence 6",
	};
	char newer[160];

	put_sequence(world.bundle, 6);
	open_and_close(world.bundle, false);
	snprintf(newer, sizeof(newer), "%s/newer.so", world.root);
	put_sequence(newer, 7);
	open_and_close(newer, false);
	refuse(&older);
	open_and_close(world.bundle, true);
	refuse(&older);
	open_and_close(newer, false);
}
END_TEST

START_TEST(descriptors_of_bundle_and_signature_will_do)
{
	struct hotpatch_open_options options = {.size = sizeof(options)};
	struct hotpatch_patch *patch = NULL;
	int signature_fd;
	int fd;

	take_good();
	put_bundle(world.bundle);
	fd = open(world.bundle, O_RDONLY);
	signature_fd = open(world.signature, O_RDONLY);
	expect_status(HOTPATCH_E_UNSIGNED,
		      hotpatch_patch_open_fd(fd, world.bundle, &options, &patch,
					     &err));
	options.signature_fd = &signature_fd;
	expect_ok(hotpatch_patch_open_fd(fd, "it", &options, &patch, &err));
	hotpatch_patch_close(patch);
	close(fd);
	close(signature_fd);
}
END_TEST

START_TEST(signature_may_lie_elsewhere)
{
	struct hotpatch_open_options options = {.size = sizeof(options)};
	struct hotpatch_patch *patch = NULL;
	char elsewhere[160];

	take_good();
	put_bundle(world.bundle);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", world.root);
	ck_assert_int_eq(rename(world.signature, elsewhere), 0);
	options.signature_path = elsewhere;
	expect_ok(hotpatch_patch_open(world.bundle, &options, &patch, &err));
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(preferred_takes_what_is_unsigned_but_nothing_forged)
{
	struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = world.store,
		.key_directory = world.keys,
		.signatures = HOTPATCH_SIGNATURES_PREFERRED,
	};
	struct bad_bundle forged = {
		.promise = "forged",
		.expected = HOTPATCH_E_FORGED,
		.word = "bad.so",
	};

	expect_ok(hotpatch_configure(&config, &err));
	put_sequence(world.bundle, 1);
	put_file(world.bundle, world.elf.bytes, world.elf.size - 1);
	refuse(&forged);
	put_file(world.bundle, world.elf.bytes, world.elf.size);
	unlink(world.signature);
	open_and_close(world.bundle, false);
}
END_TEST

START_TEST(policy_without_a_key_or_a_directory_is_refused)
{
	struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = world.store,
		.signatures = HOTPATCH_SIGNATURES_REQUIRED,
	};
	const char *const bad_key[] = {"RWQnonsense"};

	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_configure(&config, &err));
	config.key_directory = world.keys;
	config.directory = NULL;
	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_configure(&config, &err));
	config.directory = world.store;
	config.signatures = (enum hotpatch_signature_policy)9;
	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_configure(&config, &err));
	config.signatures = HOTPATCH_SIGNATURES_DEFAULT;
	config.keys = bad_key;
	config.key_count = 1;
	expect_status(HOTPATCH_E_KEY, hotpatch_configure(&config, &err));
}
END_TEST

#endif

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		table_has_at_least_forty_rows,
		bundle_cut_at_every_64_bytes_is_refused,
		file_that_is_replaced_after_opening_does_not_matter,
#ifdef HOTPATCH_TEST_SIGNATURES
		rollback_to_what_was_accepted_works_and_keeps_the_highest,
		descriptors_of_bundle_and_signature_will_do,
		signature_may_lie_elsewhere,
		preferred_takes_what_is_unsigned_but_nothing_forged,
		policy_without_a_key_or_a_directory_is_refused,
#endif
	};
	Suite *suite = suite_create("bad_bundles");
	TCase *tcase = tcase_create("table");
	size_t i;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_world, remove_world);
	tcase_add_loop_test(tcase, bad_bundle_is_refused_and_changes_nothing, 0,
			    (int)count_rows());
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
