/* SPDX-License-Identifier: MIT */
/*
 * The same where signed bundles are required: whatever fails while a bundle is
 * judged, or while it is recorded that it was accepted, the process is as it
 * was, what was accepted before is remembered, and the next bundle applies.
 */
#include "rows.h"
#include "steps.h"

#include "../integration/bad_bundles/table.h"

#include <sys/stat.h>

static char root[64];
static char keys[80];

/* A copy of the test's bundle @name with this sequence, signed. */
static void put_signed(const char *name, const char *copy, uint64_t sequence)
{
	char file[64];
	char path[128];
	char signature[144];
	struct elf_edit elf;
	char *head;

	snprintf(file, sizeof(file), "%s.so", name);
	elf = elf_load(file);
	head = elf_description(&elf, HOTPATCH_NOTE_BUNDLE, 0);
	memcpy(head + offsetof(struct hotpatch_note_bundle, sequence),
	       &sequence, sizeof(sequence));
	snprintf(path, sizeof(path), "%s/%s.so", root, copy);
	snprintf(signature, sizeof(signature), "%s.minisig", path);
	put_file(path, elf.bytes, elf.size);
	sign_file(path, signature, &(struct signing){.key = TRUSTED_KEY});
	free(elf.bytes);
}

static void put_keys(void)
{
	char path[128];
	char text[128];

	snprintf(keys, sizeof(keys), "%s/keys", root);
	ck_assert_int_eq(mkdir(keys, 0755), 0);
	snprintf(path, sizeof(path), "%s/trusted.pub", keys);
	snprintf(text, sizeof(text), "untrusted comment: x\n%s\n",
		 key_text(TRUSTED_KEY));
	put_text(path, text);
	snprintf(path, sizeof(path), "%s/revoked", keys);
	snprintf(text, sizeof(text), "%s\n", key_id(REVOKED_KEY));
	put_text(path, text);
}

static void make_bundles(void)
{
	umask(022);
	strcpy(root, "/tmp/hotpatch-signed-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	make_keys();
	put_keys();
	put_signed("two", "stale", 1);
	put_signed("one", "before", 2);
	put_signed("one", "one", 3);
	put_signed("two", "two", 4);
	setenv("HOTPATCH_TEST_OTHER_BUNDLES", root, 1);
}

static void remove_bundles(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

static void require_signatures(void)
{
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = private_directory,
		.key_directory = keys,
	};

	demand(hotpatch_configure(&config, NULL) == HOTPATCH_OK, "configure");
}

static enum hotpatch_status try_to_open(const char *name)
{
	struct hotpatch_patch *patch = NULL;
	enum hotpatch_status status;

	status = hotpatch_patch_open(bundle_path(name), NULL, &patch, NULL);
	hotpatch_patch_close(patch);
	return status;
}

#define REFUSED_IF_LASTING(fault, object, why)                                 \
	{                                                                      \
		FAULT_##fault, object, STEP_OPEN, OK, HOTPATCH_E_STORE, why    \
	}
#define LOOKED_AT_AGAIN(fault, object)                                         \
	REFUSED_IF_LASTING(fault, object, "the directory is opened once more")
#define UNREADABLE(fault, object)                                              \
	REFUSED(fault, object, STEP_OPEN, HOTPATCH_E_IO)
#define NOT_STORED(fault, object)                                              \
	REFUSED(fault, object, STEP_OPEN, HOTPATCH_E_STORE)

/*
 * Numbers stand for what has no name: first comes the file with its signature,
 * then each part of the path to the keys and the keys, then the private
 * directory four times, for the look at the quarantine and at the sequences,
 * the copy, and the record. At "./ #24" what others left is not swept, and the
 * sequences come next.
 */
#define SIGNED_ROWS                                                                           \
	NOT_STORED(openat, "sequences.next"), UNREADABLE(openat, "sequences"),                \
		UNREADABLE(openat, "hotpatch-signed"),                                        \
		WRITTEN_OTHERWISE(openat, "./ #31"),                                          \
		UNREADABLE(openat, "/ #3"), UNREADABLE(openat, "/ #4"),                       \
		UNREADABLE(openat, "tmp #5"), UNREADABLE(openat, "keys #7"),                  \
		UNREADABLE(openat, ". #8"), UNREADABLE(openat, "revoked"),                    \
		UNREADABLE(openat, "trusted.pub"),                                            \
		{FAULT_openat,	"./ #24",                                                     \
		 STEP_OPEN,	OK,                                                           \
		 HOTPATCH_E_IO, "what others left lies there for the next one"},              \
		UNREADABLE(fstat, "#10"), UNREADABLE(fstat, "#24"),                           \
		UNREADABLE(fstat, "#25"), UNREADABLE(fstat, "#36"),                           \
		UNREADABLE(fstat, "#37"), LOOKED_AT_AGAIN(fstat, "#16"),                      \
		LOOKED_AT_AGAIN(fstat, "#17"), LOOKED_AT_AGAIN(fstat, "#23"),                 \
		LOOKED_AT_AGAIN(fstat, "#26"), LOOKED_AT_AGAIN(fstat, "#33"),                 \
		LOOKED_AT_AGAIN(fstat, "#34"), LOOKED_AT_AGAIN(fstat, "#35"),                 \
		NOT_STORED(fstat, "#11"), NOT_STORED(fstat, "#12"),                           \
		NOT_STORED(fstat, "#13"), NOT_STORED(fstat, "#14"),                           \
		NOT_STORED(fstat, "#15"), NOT_STORED(fstat, "#18"),                           \
		NOT_STORED(fstat, "#19"), NOT_STORED(fstat, "#20"),                           \
		NOT_STORED(fstat, "#21"), NOT_STORED(fstat, "#22"),                           \
		NOT_STORED(fstat, "#27"), NOT_STORED(fstat, "#28"),                           \
		NOT_STORED(fstat, "#29"), NOT_STORED(fstat, "#30"),                           \
		NOT_STORED(fstat, "#31"), NOT_STORED(fstat, "#32"),                           \
		UNREADABLE(fstat, NULL), LOOKED_AT_AGAIN(lstat, NULL),                        \
		NOT_STORED(fchmod, "#2"), NOT_STORED(fsync, NULL),                            \
		NOT_STORED(renameat, NULL),                                                   \
		TOLERATED(                                                                    \
			unlinkat, NULL, STEP_OPEN,                                            \
			"nobody was killed here, so there is nothing to remove"),             \
		TOLERATED(flock, "#13", STEP_OPEN,                                            \
			  "the lock goes with the descriptor as well"),                       \
		NOT_STORED(flock, "#3"), NOT_STORED(flock, "#7"),                             \
		NOT_STORED(flock, "#12"),                                                     \
		REFUSED_IF_LASTING(                                                           \
			flock, NULL,                                                          \
			"it is swept by the next one, or the lock goes with its descriptor"), \
		REFUSED(fdopendir, "#1", STEP_OPEN, HOTPATCH_E_NO_MEMORY),                    \
		UNSWEPT(readdir, "#10"), UNSWEPT(readdir, "#11"),                             \
		UNSWEPT(readdir, "#12"), UNSWEPT(readdir, "#13"),                             \
		UNSWEPT(readdir, "#14"), UNSWEPT(readdir, "#15"),                             \
		UNSWEPT(readdir, "#16"), UNSWEPT(readdir, "#17"),                             \
		UNREADABLE(readdir, "#1"), UNREADABLE(readdir, "#2"),                         \
		UNREADABLE(readdir, "#3"), UNREADABLE(readdir, "#4"),                         \
		UNREADABLE(readdir, "#5")

static const struct expectation signed_table[] = {
	SIGNED_ROWS, OPEN_ROWS,	 CONFIGURED_ROWS,
	CHANGE_ROWS, UNMAP_ROWS, TABLE_END,
};

/* The same without a record to read, so that the copy and the record come two
 * calls earlier. */
static const struct expectation first_table[] = {
	LOOKED_AT_AGAIN(fstat, "#24"),
	NOT_STORED(fstat, "#25"),
	NOT_STORED(fstat, "#26"),
	LOOKED_AT_AGAIN(fstat, "#31"),
	LOOKED_AT_AGAIN(fstat, "#32"),
	SIGNED_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

/*
 * Of "stale" nobody may forget that something newer was accepted. After a
 * failure, "one" may be recorded or not: it is if only the flush of the
 * directory failed.
 */
static void accept_one(void)
{
	enum hotpatch_status status;
	struct hotpatch_patch *patch;

	begin_run();
	patch = checked_open("one", NULL);
	status = try_to_open("stale");
	demand(status == HOTPATCH_E_REPLAYED, "the stale one is %s",
	       hotpatch_status_name(status));
	checked_apply(patch, 1);
	checked_drain(patch, HOTPATCH_ACTIVE);
	checked_revert(patch);
	checked_unmap(patch);
	checked_close(patch);
	end_run();
	status = try_to_open("before");
	demand(status == HOTPATCH_E_REPLAYED, "what was before is %s",
	       hotpatch_status_name(status));
}

static void run_signed(void)
{
	enum hotpatch_status status;

	require_signatures();
	status = try_to_open("before");
	demand(status == OK, "it is %s", hotpatch_status_name(status));
	accept_one();
}

/* The very first record: nothing has been accepted yet, and the directory is
 * empty. */
static void run_first(void)
{
	require_signatures();
	accept_one();
}

START_TEST(every_fault_of_the_first_record_leaves_all_or_nothing)
{
	static const enum fault required[] = {FAULT_fsync, FAULT_renameat,
					      FAULT_flock, FAULT_openat,
					      FAULT_write, FAULT_fchmod,
					      FAULT_fstat, FAULT_malloc,
					      FAULT_NONE};
	static const struct scenario scenario = {"first", run_first,
						 first_table, required, false};

	exhaust(&scenario);
}
END_TEST

START_TEST(every_fault_of_a_signed_bundle_leaves_all_or_nothing)
{
	static const enum fault required[] = {
		FAULT_fsync,  FAULT_renameat, FAULT_flock,     FAULT_openat,
		FAULT_pread,  FAULT_write,    FAULT_fchmod,    FAULT_fstat,
		FAULT_malloc, FAULT_unlinkat, FAULT_fdopendir, FAULT_readdir,
		FAULT_NONE};
	static const struct scenario scenario = {"signed", run_signed,
						 signed_table, required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_a_signed_bundle_leaves_all_or_nothing,
		every_fault_of_the_first_record_leaves_all_or_nothing,
	};

	return run_tests_around("signed_faults", tests,
				sizeof(tests) / sizeof(tests[0]), make_bundles,
				remove_bundles);
}
