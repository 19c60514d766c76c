/* SPDX-License-Identifier: MIT */
/*
 * The seal's notes: what they say, what of them is refused, and that a bundle
 * which an earlier release sealed is still understood.
 */
#include "../../lib/sealed.h"
#include "../../lib/store.h"
#include "elf_edit.h"

#include <check.h>
#include <link.h>
#include <string.h>

#define OTHER_BUILD "fedcba9876543210"

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static struct elf_edit elf;
static struct hp_manifest manifest;
static struct hotpatch_error err;

static void set_up(void)
{
	elf = elf_make_bundle(__ehdr_start.e_machine, 2);
	memset(&manifest, 0, sizeof(manifest));
}

static void tear_down(void)
{
	hp_manifest_release(&manifest);
	free(elf.bytes);
}

static enum hotpatch_status parse(void)
{
	hp_manifest_release(&manifest);
	return hp_manifest_parse(elf.bytes, elf.size, "made", &manifest, &err);
}

static void expect_note_refused(const char *words)
{
	ck_assert_int_eq(parse(), HOTPATCH_E_NOTE);
	ck_assert_msg(strstr(err.sentence, words) != NULL, "%s", err.sentence);
}

static void append_build(const char *module, const char *build_id, uint32_t abi)
{
	const struct hotpatch_note_build head = {abi, 0};
	char note[128] = "";
	size_t size = sizeof(head);

	memcpy(note, &head, sizeof(head));
	strcpy(note + size, module);
	size += strlen(module) + 1;
	strcpy(note + size, build_id);
	size += strlen(build_id) + 1;
	elf_append(&elf, HOTPATCH_NOTE_BUILD, note, size);
}

static void append_function(uint32_t function, uint32_t flags, uint64_t hash)
{
	const struct hotpatch_sealed_function fact = {function, flags, hash};

	elf_append(&elf, HOTPATCH_NOTE_SEALED_FUNCTIONS, &fact, sizeof(fact));
}

static void append_import(uint32_t kind, const char *texts, size_t size)
{
	char note[128] = "";

	memcpy(note, &kind, sizeof(kind));
	memcpy(note + sizeof(struct hotpatch_note_import), texts, size);
	elf_append(&elf, HOTPATCH_NOTE_IMPORT, note,
		   sizeof(struct hotpatch_note_import) + size);
}

#define HOST_IMPORT "\0\0file.c\0count\0int"

static void append_import_fact(uint32_t import, uint32_t kind)
{
	const struct hotpatch_sealed_import fact = {import, kind, 64, 4, 9};

	elf_append(&elf, HOTPATCH_NOTE_SEALED_IMPORTS, &fact, sizeof(fact));
}

START_TEST(bundle_without_a_seal_says_so)
{
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	ck_assert(!hp_manifest_is_sealed(&manifest));
	ck_assert_uint_eq(manifest.target_count, 1);
}
END_TEST

START_TEST(facts_belong_to_the_build_before_them)
{
	struct hotpatch_sealed_function fact;

	append_build("", "0123456789abcdef", HOTPATCH_ABI_HASH);
	append_function(1, HOTPATCH_SEALED_OPAQUE, 11);
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_function(1, 0, 22);
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	ck_assert(hp_manifest_is_sealed(&manifest));
	ck_assert_uint_eq(manifest.target_count, 2);
	ck_assert(hp_sealed_function(&manifest.targets[0], 1, &fact));
	ck_assert_uint_eq(fact.abi_hash, 11);
	ck_assert_uint_eq(fact.flags, HOTPATCH_SEALED_OPAQUE);
	ck_assert(hp_sealed_function(&manifest.targets[1], 1, &fact));
	ck_assert_uint_eq(fact.abi_hash, 22);
	ck_assert(!hp_sealed_function(&manifest.targets[0], 0, &fact));
	ck_assert_str_eq(manifest.targets[1].build_id, OTHER_BUILD);
}
END_TEST

START_TEST(import_has_its_place_in_each_build)
{
	struct hotpatch_sealed_import fact;

	append_import(HOTPATCH_IMPORT_ADDRESS, HOST_IMPORT,
		      sizeof(HOST_IMPORT));
	append_build("", "0123456789abcdef", HOTPATCH_ABI_HASH);
	append_import_fact(0, HOTPATCH_SEALED_DATA);
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	ck_assert_uint_eq(manifest.import_count, 1);
	ck_assert_str_eq(manifest.imports[0].file, "file.c");
	ck_assert_str_eq(manifest.imports[0].name, "count");
	ck_assert_str_eq(manifest.imports[0].type, "int");
	ck_assert(hp_sealed_import(&manifest.targets[0], 0, &fact));
	ck_assert_uint_eq(fact.offset, 64);
}
END_TEST

START_TEST(import_from_a_patch_requires_it_once)
{
	const char first[] = "other\0\0\0one\0int";
	const char second[] = "other\0\0\0two\0int";

	append_import(HOTPATCH_IMPORT_ADDRESS, first, sizeof(first));
	append_import(HOTPATCH_IMPORT_ADDRESS, second, sizeof(second));
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	ck_assert_uint_eq(manifest.require_count, 1);
	ck_assert_str_eq(manifest.requires[0], "other");
}
END_TEST

START_TEST(malformed_import_is_refused)
{
	const char no_name[] = "\0\0file.c\0\0int";
	const char bad_patch[] = "ot her\0\0\0one\0int";
	const char with_path[] = "\0\0a/file.c\0one\0int";
	const char no_build[] = "\0lib.so\0\0one\0int";

	append_import(HOTPATCH_IMPORT_ADDRESS, no_name, sizeof(no_name));
	expect_note_refused("malformed note of an import");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_ADDRESS, bad_patch, sizeof(bad_patch));
	expect_note_refused("malformed note of an import");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_ADDRESS, with_path, sizeof(with_path));
	expect_note_refused("malformed note of an import");
	tear_down();
	set_up();
	append_import(7, HOST_IMPORT, sizeof(HOST_IMPORT));
	expect_note_refused("imports in an unknown way");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_ADDRESS, no_build, sizeof(no_build));
	ck_assert_int_eq(parse(), HOTPATCH_E_NO_TARGET);
}
END_TEST

START_TEST(malformed_export_and_allowance_are_refused)
{
	elf_append(&elf, HOTPATCH_NOTE_EXPORT, "a b\0int", 8);
	expect_note_refused("malformed note of an export");
	tear_down();
	set_up();
	elf_append(&elf, HOTPATCH_NOTE_ALLOW, "layout", 7);
	expect_note_refused("malformed note of what was allowed");
	tear_down();
	set_up();
	elf_append(&elf, HOTPATCH_NOTE_ALLOW, "lay\033ut\0x", 9);
	expect_note_refused("malformed note of what was allowed");
}
END_TEST

START_TEST(malformed_build_is_refused)
{
	append_build("", "short", HOTPATCH_ABI_HASH);
	expect_note_refused("hexadecimal");
	tear_down();
	set_up();
	append_build("a/b", OTHER_BUILD, HOTPATCH_ABI_HASH);
	expect_note_refused("malformed note of a target");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH + 1);
	expect_note_refused("sealed in an unknown way");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	expect_note_refused("sealed twice");
	tear_down();
	set_up();
	elf_append(&elf, HOTPATCH_NOTE_BUILD, "\1\0\0", 4);
	expect_note_refused("malformed note of a sealed build");
}
END_TEST

START_TEST(malformed_facts_are_refused)
{
	append_function(0, 0, 1);
	expect_note_refused("facts of no build");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_function(2, 0, 1);
	expect_note_refused("malformed facts of functions");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_function(0, 2, 1);
	expect_note_refused("malformed facts of functions");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_function(0, 0, 1);
	append_function(1, 0, 1);
	expect_note_refused("malformed facts of functions");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	elf_append(&elf, HOTPATCH_NOTE_SEALED_FUNCTIONS, "\0\0\0", 4);
	expect_note_refused("malformed facts of functions");
}
END_TEST

START_TEST(malformed_facts_of_imports_are_refused)
{
	append_import(HOTPATCH_IMPORT_ADDRESS, HOST_IMPORT,
		      sizeof(HOST_IMPORT));
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_import_fact(1, HOTPATCH_SEALED_DATA);
	expect_note_refused("malformed facts of imports");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_ADDRESS, HOST_IMPORT,
		      sizeof(HOST_IMPORT));
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_import_fact(0, HOTPATCH_SEALED_TLS);
	expect_note_refused("malformed facts of imports");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_THREAD_LOCAL, HOST_IMPORT,
		      sizeof(HOST_IMPORT));
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_import_fact(0, HOTPATCH_SEALED_DATA);
	expect_note_refused("malformed facts of imports");
	tear_down();
	set_up();
	append_import(HOTPATCH_IMPORT_ADDRESS, HOST_IMPORT,
		      sizeof(HOST_IMPORT));
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_import_fact(0, 9);
	expect_note_refused("malformed facts of imports");
}
END_TEST

/* It counts as the third of those that are replaced. */
static void append_redirect(const char *name)
{
	size_t size = sizeof(struct hotpatch_note_replace) + 2;
	char note[64] = "";

	size += (size_t)sprintf(note + size, "%s", name) + 1;
	size += (size_t)sprintf(note + size, "int (int a)") + 1;
	elf_append(&elf, HOTPATCH_NOTE_REDIRECT, note, size);
}

static void append_redirect_fact(uint32_t function, uint32_t size)
{
	const struct hotpatch_sealed_redirect fact = {function, size, 4096, 9};

	elf_append(&elf, HOTPATCH_NOTE_SEALED_REDIRECTS, &fact, sizeof(fact));
}

START_TEST(redirect_has_its_place_in_each_build)
{
	struct hotpatch_sealed_redirect fact;

	append_redirect("function");
	append_build("", "0123456789abcdef", HOTPATCH_ABI_HASH);
	append_redirect_fact(2, 100);
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	ck_assert_uint_eq(manifest.replace_count, 3);
	ck_assert(!manifest.replaces[1].redirect);
	ck_assert(manifest.replaces[2].redirect);
	ck_assert_str_eq(manifest.replaces[2].name, "function");
	ck_assert(hp_sealed_redirect(&manifest.targets[0], 2, &fact));
	ck_assert_uint_eq(fact.offset, 4096);
	ck_assert_uint_eq(fact.size, 100);
	ck_assert(!hp_sealed_redirect(&manifest.targets[0], 1, &fact));
}
END_TEST

static void expect_fact_refused(uint32_t function, uint32_t size)
{
	tear_down();
	set_up();
	append_redirect("function");
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_redirect_fact(function, size);
	expect_note_refused("malformed facts of redirects");
}

START_TEST(malformed_facts_of_redirects_are_refused)
{
	append_redirect("function");
	append_redirect_fact(2, 100);
	expect_note_refused("facts of no build");
	expect_fact_refused(3, 100);
	expect_fact_refused(1, 100); /* was prepared */
	expect_fact_refused(2, 0);
	expect_fact_refused(2, HP_SEALED_CODE_LIMIT + 1);
	tear_down();
	set_up();
	append_redirect("function");
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	append_redirect_fact(2, 100);
	append_redirect_fact(2, 100);
	expect_note_refused("malformed facts of redirects");
	tear_down();
	set_up();
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH);
	elf_append(&elf, HOTPATCH_NOTE_SEALED_REDIRECTS, "\0\0\0", 4);
	expect_note_refused("malformed facts of redirects");
}
END_TEST

START_TEST(function_is_not_replaced_and_redirected)
{
	append_redirect("f1");
	ck_assert_int_eq(parse(), HOTPATCH_E_DUPLICATE);
}
END_TEST

START_TEST(room_has_nothing_but_zeros)
{
	elf_append(&elf, HOTPATCH_NOTE_ROOM, "\0\0\0\0\0\0\0", 8);
	ck_assert_int_eq(parse(), HOTPATCH_OK);
	elf_append(&elf, HOTPATCH_NOTE_ROOM, "\0\0\0\1\0\0\0", 8);
	expect_note_refused("in the room for its seal");
}
END_TEST

START_TEST(earlier_seal_is_passed_over_when_sealing_anew)
{
	append_build("", OTHER_BUILD, HOTPATCH_ABI_HASH + 1);
	append_function(77, 77, 77);
	elf_append(&elf, HOTPATCH_NOTE_ROOM, "\1\1\1\1", 4);
	ck_assert_int_eq(hp_manifest_parse_unsealed(elf.bytes, elf.size, "made",
						    &manifest, &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(manifest.target_count, 1);
	ck_assert(!hp_manifest_is_sealed(&manifest));
}
END_TEST

/* Only the machine is changed, so that it is read on any. */
static void load_data(const char *path)
{
	struct hp_file file;

	ck_assert_int_eq(hp_file_read(path, &file, &err), HOTPATCH_OK);
	free(elf.bytes);
	elf.bytes = malloc(file.size);
	elf.size = file.size;
	ck_assert_ptr_nonnull(elf.bytes);
	memcpy(elf.bytes, file.bytes, file.size);
	hp_file_release(&file);
	elf_header(&elf)->e_machine = __ehdr_start.e_machine;
}

static void load_first_release(void)
{
	load_data(HOTPATCH_TEST_DATA "/sealed-1.so");
}

static void expect_understood(void)
{
	struct hotpatch_sealed_function function;
	struct hotpatch_sealed_import import;
	const struct hp_target *target;

	ck_assert_int_eq(parse(), HOTPATCH_OK);
	target = &manifest.targets[0];
	ck_assert_str_eq(manifest.name, "sealed-one");
	ck_assert_uint_eq(manifest.sequence, 7);
	ck_assert_uint_eq(manifest.target_count, 1);
	ck_assert(target->sealed);
	ck_assert_uint_eq(manifest.replace_count, 1);
	ck_assert_str_eq(manifest.replaces[0].prototype, "int (int value)");
	ck_assert(hp_sealed_function(target, 0, &function));
	ck_assert_uint_eq(function.abi_hash, manifest.replaces[0].abi_hash);
	ck_assert_uint_ne(function.abi_hash, 0);
	ck_assert_uint_eq(manifest.import_count, 2);
	ck_assert(hp_sealed_import(target, 0, &import));
	ck_assert_uint_eq(import.kind, HOTPATCH_SEALED_DATA);
	ck_assert_uint_eq(import.size, 4);
	ck_assert(hp_sealed_import(target, 1, &import));
	ck_assert_uint_eq(import.kind, HOTPATCH_SEALED_TLS);
	ck_assert_uint_eq(manifest.export_count, 1);
	ck_assert_str_eq(manifest.exports[0].name, "half");
	ck_assert_str_eq(manifest.requires[0], "earlier");
	ck_assert_uint_eq(manifest.allow_count, 1);
	ck_assert_str_eq(manifest.allows[0].name, "twin");
}

START_TEST(bundle_sealed_by_the_first_release_is_understood)
{
	load_first_release();
	expect_understood();
}
END_TEST

START_TEST(bundle_sealed_before_the_first_release_is_understood)
{
	load_data(HOTPATCH_TEST_DATA "/sealed-0.so");
	expect_understood();
}
END_TEST

/* In memory of its own size, so that a sanitizer sees a read past its end. */
static enum hotpatch_status parse_copy(size_t size)
{
	unsigned char *bytes = malloc(size + !size);
	enum hotpatch_status status;

	ck_assert_ptr_nonnull(bytes);
	memcpy(bytes, elf.bytes, size);
	status = hp_manifest_parse(bytes, size, "cut", &manifest, &err);
	hp_manifest_release(&manifest);
	free(bytes);
	return status;
}

START_TEST(sealed_bundle_that_was_cut_is_refused_wherever_it_was)
{
	size_t whole;
	size_t size;

	load_first_release();
	whole = elf.size;
	for (size = 0; size < whole; size += 64)
		ck_assert_int_ne(parse_copy(size), HOTPATCH_OK);
	ck_assert_int_eq(parse_copy(whole), HOTPATCH_OK);
}
END_TEST

START_TEST(sealed_bundle_with_a_changed_byte_is_read_within_its_bounds)
{
	size_t i;

	load_first_release();
	for (i = 0; i < elf.size; i++) {
		elf.bytes[i] ^= 0xff;
		if (parse_copy(elf.size) != HOTPATCH_OK)
			ck_assert_str_ne(err.sentence, "");
		elf.bytes[i] ^= 0xff;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sealed");
	TCase *tcase = tcase_create("sealed");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, bundle_without_a_seal_says_so);
	tcase_add_test(tcase, facts_belong_to_the_build_before_them);
	tcase_add_test(tcase, import_has_its_place_in_each_build);
	tcase_add_test(tcase, import_from_a_patch_requires_it_once);
	tcase_add_test(tcase, malformed_import_is_refused);
	tcase_add_test(tcase, malformed_export_and_allowance_are_refused);
	tcase_add_test(tcase, malformed_build_is_refused);
	tcase_add_test(tcase, malformed_facts_are_refused);
	tcase_add_test(tcase, malformed_facts_of_imports_are_refused);
	tcase_add_test(tcase, redirect_has_its_place_in_each_build);
	tcase_add_test(tcase, malformed_facts_of_redirects_are_refused);
	tcase_add_test(tcase, function_is_not_replaced_and_redirected);
	tcase_add_test(tcase, room_has_nothing_but_zeros);
	tcase_add_test(tcase, earlier_seal_is_passed_over_when_sealing_anew);
	tcase_add_test(tcase, bundle_sealed_by_the_first_release_is_understood);
	tcase_add_test(tcase,
		       bundle_sealed_before_the_first_release_is_understood);
	tcase_add_test(tcase,
		       sealed_bundle_that_was_cut_is_refused_wherever_it_was);
	tcase_add_test(
		tcase,
		sealed_bundle_with_a_changed_byte_is_read_within_its_bounds);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
