/* SPDX-License-Identifier: MIT */
/*
 * What is read from good bundles, and how spoilt ones are refused.
 */
#include "../../lib/manifest.h"
#include "../../lib/prototype.h"

#include "elf_edit.h"

#include <check.h>

static struct elf_edit elf;
static struct hp_manifest manifest;
static struct hotpatch_error err;

static void load_good(void)
{
	elf = elf_load("files_good.so");
	memset(&err, 0, sizeof(err));
	memset(&manifest, 0, sizeof(manifest));
}

/* Puts a file that no linker wrote in the place of the good one. */
static void make(size_t replacements)
{
	Elf64_Half machine = elf_header(&elf)->e_machine;

	free(elf.bytes);
	elf = elf_make_bundle(machine, replacements);
}

static void load(const char *name)
{
	free(elf.bytes);
	elf = elf_load(name);
}

static void release(void)
{
	hp_manifest_release(&manifest);
	free(elf.bytes);
}

static enum hotpatch_status parse(void)
{
	return hp_manifest_parse(elf.bytes, elf.size, "fix.so", &manifest,
				 &err);
}

/* Refused with this status, with an error that names the file. */
static void refused(enum hotpatch_status expected)
{
	enum hotpatch_status status = parse();

	ck_assert_msg(status == expected, "%s: %s",
		      hotpatch_status_name(status), err.sentence);
	ck_assert_int_eq(err.status, expected);
	ck_assert_str_eq(err.object, "fix.so");
	ck_assert_ptr_nonnull(strstr(err.sentence, "fix.so"));
	ck_assert_ptr_null(manifest.targets);
}

static void accepted(void)
{
	enum hotpatch_status status = parse();

	ck_assert_msg(status == HOTPATCH_OK, "%s: %s",
		      hotpatch_status_name(status), err.sentence);
}

/* Writes a number into a head; notes are aligned for 32 bits only. */
static void poke(enum hotpatch_note_type type, size_t offset, uint32_t value)
{
	unsigned char *head = elf_description(&elf, type, 0);

	memcpy(head + offset, &value, sizeof(value));
}

static void poke_bundle(size_t offset, uint32_t value)
{
	poke(HOTPATCH_NOTE_BUNDLE, offset, value);
}

static bool has_prototype(const char *name, const char *prototype)
{
	size_t i;

	for (i = 0; i < manifest.replace_count; i++)
		if (!strcmp(manifest.replaces[i].name, name))
			return hp_prototype_equal(
				manifest.replaces[i].prototype, prototype);
	return false;
}

static const struct hp_replace *find_replace(const char *name)
{
	size_t i;

	for (i = 0; i < manifest.replace_count; i++)
		if (!strcmp(manifest.replaces[i].name, name))
			return &manifest.replaces[i];
	ck_abort_msg("%s is not replaced", name);
	return NULL;
}

START_TEST(head_is_read)
{
	accepted();
	ck_assert_str_eq(manifest.name, "fix-1");
	ck_assert_uint_eq(manifest.sequence, 7);
	ck_assert_int_eq(manifest.kind, HOTPATCH_KIND_PATCH);
	ck_assert_int_eq(manifest.consistency, HOTPATCH_IMMEDIATE);
	ck_assert_uint_eq(manifest.flags, HOTPATCH_FLAG_CONSTRUCTORS);
}
END_TEST

START_TEST(build_id_is_that_of_the_note)
{
	Elf64_Nhdr *note = elf_note(&elf, "GNU", NT_GNU_BUILD_ID, 0);
	char expected[3];

	ck_assert_ptr_nonnull(note);
	accepted();
	ck_assert_uint_eq(strlen(manifest.build_id), 2 * note->n_descsz);
	sprintf(expected, "%02x", ((unsigned char *)(note + 1))[4]);
	ck_assert_int_eq(strncmp(manifest.build_id, expected, 2), 0);
}
END_TEST

START_TEST(targets_are_read_in_order)
{
	accepted();
	ck_assert_uint_eq(manifest.target_count, 2);
	ck_assert_str_eq(manifest.targets[0].module, "server");
	ck_assert_str_eq(manifest.targets[0].build_id,
			 "0123456789abcdef0123456789abcdef01234567");
	ck_assert_str_eq(manifest.targets[1].module, "libtable.so.1");
	ck_assert_str_eq(manifest.targets[1].build_id, "fedcba9876543210");
}
END_TEST

START_TEST(replacements_of_all_source_files_are_read)
{
	accepted();
	ck_assert_uint_eq(manifest.replace_count, 5);
	ck_assert_str_eq(find_replace("handle_one")->module, "");
	ck_assert_str_eq(find_replace("handle_one")->file, "");
	ck_assert(has_prototype("handle_one",
				"int (struct request *, const char[4])"));
	ck_assert_str_eq(find_replace("make_table")->module, "libtable.so.1");
	ck_assert_str_eq(find_replace("helper")->file, "server.c");
}
END_TEST

START_TEST(other_patches_are_read)
{
	accepted();
	ck_assert_uint_eq(manifest.supersede_count, 2);
	ck_assert_uint_eq(manifest.require_count, 1);
	ck_assert_str_eq(manifest.requires[0], "base");
	ck_assert_uint_eq(manifest.conflict_count, 1);
	ck_assert_str_eq(manifest.conflicts[0], "rival");
}
END_TEST

START_TEST(constructors_of_the_start_files_do_not_count)
{
	accepted();
	ck_assert_uint_eq(manifest.constructors, 0);
}
END_TEST

START_TEST(constructors_of_the_bundle_count)
{
	load("files_constructor.so");
	accepted();
	ck_assert_uint_eq(manifest.constructors, 1);
}
END_TEST

static Elf64_Dyn *dynamic_entry(Elf64_Sxword tag)
{
	Elf64_Phdr *segment = elf_segment(&elf, PT_DYNAMIC);
	Elf64_Dyn *entry = (Elf64_Dyn *)(elf.bytes + segment->p_offset);

	for (; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == tag)
			return entry;
	ck_abort_msg("no such entry");
	return NULL;
}

START_TEST(without_start_files_every_constructor_counts)
{
	dynamic_entry(DT_INIT)->d_tag = DT_DEBUG;
	accepted();
	ck_assert_uint_eq(manifest.constructors, 1);
}
END_TEST

START_TEST(init_function_without_start_files_counts)
{
	dynamic_entry(DT_INIT_ARRAYSZ)->d_tag = DT_DEBUG;
	accepted();
	ck_assert_uint_eq(manifest.constructors, 1);
}
END_TEST

START_TEST(restart_needs_no_replacement)
{
	load("files_restart.so");
	accepted();
	ck_assert_int_eq(manifest.kind, HOTPATCH_KIND_RESTART);
	ck_assert_uint_eq(manifest.replace_count, 0);
}
END_TEST

START_TEST(patch_without_replacement_is_refused)
{
	load("files_restart.so");
	poke_bundle(offsetof(struct hotpatch_note_bundle, kind),
		    HOTPATCH_KIND_PATCH);
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(cxx_writes_the_same_notes)
{
	load("files_cxx.so");
	accepted();
	ck_assert_str_eq(manifest.name, "cxx");
	ck_assert_str_eq(manifest.supersedes[0], "*");
	ck_assert(has_prototype("handle_one",
				"int (struct request *, const char[4])"));
}
END_TEST

START_TEST(bytes_may_lie_anywhere)
{
	unsigned char *moved = malloc(elf.size + 1);

	ck_assert_ptr_nonnull(moved);
	memcpy(moved + 1, elf.bytes, elf.size);
	ck_assert_int_eq(hp_manifest_parse(moved + 1, elf.size, "fix.so",
					   &manifest, &err),
			 HOTPATCH_OK);
	free(moved);
}
END_TEST

START_TEST(file_cut_anywhere_is_refused)
{
	enum hotpatch_status status;
	unsigned char *cut;
	size_t size;

	for (size = 0; size < elf.size; size += 64) {
		/* Of its own size, so that a sanitizer sees a read past it. */
		cut = malloc(size ? size : 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, elf.bytes, size);
		status =
			hp_manifest_parse(cut, size, "fix.so", &manifest, &err);
		ck_assert_msg(status == (size ? HOTPATCH_E_TRUNCATED :
						HOTPATCH_E_NOT_ELF),
			      "%zu bytes: %s", size,
			      hotpatch_status_name(status));
		free(cut);
	}
}
END_TEST

START_TEST(last_byte_missing_is_noticed)
{
	elf.size--;
	refused(HOTPATCH_E_TRUNCATED);
}
END_TEST

START_TEST(segment_past_the_end_is_refused_without_section_headers)
{
	elf_header(&elf)->e_shoff = 0;
	elf_segment(&elf, PT_NOTE)->p_offset = elf.size - 8;
	refused(HOTPATCH_E_TRUNCATED);
}
END_TEST

START_TEST(text_file_is_no_elf_file)
{
	memcpy(elf.bytes, "#!/bin/sh\n", 10);
	refused(HOTPATCH_E_NOT_ELF);
}
END_TEST

START_TEST(other_machine_is_refused)
{
	elf_header(&elf)->e_machine = EM_RISCV;
	refused(HOTPATCH_E_MACHINE);
}
END_TEST

START_TEST(other_word_size_is_refused)
{
	elf.bytes[EI_CLASS] = ELFCLASS32;
	refused(HOTPATCH_E_MACHINE);
}
END_TEST

START_TEST(other_byte_order_is_refused)
{
	elf.bytes[EI_DATA] = ELFDATA2MSB;
	refused(HOTPATCH_E_MACHINE);
}
END_TEST

START_TEST(object_file_is_no_bundle)
{
	elf_header(&elf)->e_type = ET_REL;
	refused(HOTPATCH_E_NOT_BUNDLE);
}
END_TEST

START_TEST(object_without_dynamic_segment_is_no_bundle)
{
	elf_segment(&elf, PT_DYNAMIC)->p_type = PT_NULL;
	refused(HOTPATCH_E_NOT_BUNDLE);
}
END_TEST

START_TEST(shared_object_without_our_notes_is_no_bundle)
{
	Elf64_Half machine = elf_header(&elf)->e_machine;

	free(elf.bytes);
	elf = elf_make(machine);
	refused(HOTPATCH_E_NOT_BUNDLE);
}
END_TEST

START_TEST(program_headers_past_the_end_are_refused)
{
	elf_header(&elf)->e_phoff = UINT64_MAX - 8;
	refused(HOTPATCH_E_TRUNCATED);
}
END_TEST

START_TEST(segment_that_wraps_round_is_refused)
{
	elf_segment(&elf, PT_LOAD)->p_vaddr = UINT64_MAX - 8;
	refused(HOTPATCH_E_NOT_ELF);
}
END_TEST

START_TEST(segment_with_odd_alignment_is_refused)
{
	elf_segment(&elf, PT_NOTE)->p_align = 3;
	refused(HOTPATCH_E_NOT_ELF);
}
END_TEST

START_TEST(note_larger_than_its_segment_is_refused)
{
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_TARGET, 0)->n_descsz =
		UINT32_MAX;
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(owner_larger_than_its_segment_is_refused)
{
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_TARGET, 0)->n_namesz =
		UINT32_MAX;
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(newer_format_is_refused)
{
	poke_bundle(0, HOTPATCH_NOTE_FORMAT + 1);
	refused(HOTPATCH_E_FORMAT);
}
END_TEST

START_TEST(unknown_note_of_newer_format_is_told_as_format)
{
	poke_bundle(0, HOTPATCH_NOTE_FORMAT + 1);
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_TARGET, 0)->n_type =
		77;
	refused(HOTPATCH_E_FORMAT);
}
END_TEST

START_TEST(unknown_note_is_refused)
{
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_CONFLICTS, 0)->n_type =
		77;
	refused(HOTPATCH_E_NOTE);
	ck_assert_ptr_nonnull(strstr(err.sentence, "77"));
}
END_TEST

START_TEST(copy_of_the_library_inside_is_refused)
{
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_CONFLICTS, 0)->n_type =
		HOTPATCH_NOTE_LIBRARY;
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(foreign_notes_are_passed_over)
{
	elf_disown(&elf, HOTPATCH_NOTE_CONFLICTS, 0);
	accepted();
	ck_assert_uint_eq(manifest.conflict_count, 0);
}
END_TEST

START_TEST(bundle_without_name_is_refused)
{
	elf_disown(&elf, HOTPATCH_NOTE_BUNDLE, 0);
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(bundle_with_two_names_is_refused)
{
	poke(HOTPATCH_NOTE_CONFLICTS, 0, HOTPATCH_NOTE_FORMAT);
	elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_CONFLICTS, 0)->n_type =
		HOTPATCH_NOTE_BUNDLE;
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(bundle_without_target_is_refused)
{
	elf_disown(&elf, HOTPATCH_NOTE_TARGET, 0);
	elf_disown(&elf, HOTPATCH_NOTE_TARGET, 0);
	refused(HOTPATCH_E_NO_TARGET);
}
END_TEST

START_TEST(module_without_target_is_refused)
{
	elf_disown(&elf, HOTPATCH_NOTE_TARGET, 1);
	refused(HOTPATCH_E_NO_TARGET);
	ck_assert_ptr_nonnull(strstr(err.sentence, "libtable.so.1"));
}
END_TEST

START_TEST(two_builds_of_one_module_are_refused)
{
	char *text = elf_description(&elf, HOTPATCH_NOTE_TARGET, 1);

	/* The texts are "server" and 16 digits in the same space. */
	memset(text, 0, sizeof("libtable.so.1") + 16);
	strcpy(text, "server");
	strcpy(text + sizeof("server"), "0123456789abcdef0123456");
	text[sizeof("server") + 22] = '\0';
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(function_named_twice_is_refused)
{
	char *text = elf_description(&elf, HOTPATCH_NOTE_REPLACE, 0);

	elf_overwrite(&elf, text, "handle_one", "handle_two");
	refused(HOTPATCH_E_DUPLICATE);
	ck_assert_ptr_nonnull(strstr(err.sentence, "handle_two"));
}
END_TEST

START_TEST(first_target_named_or_not_is_the_same)
{
	static const char target[] = "server\0"
				     "0123456789abcdef";
	static const char replace[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				      "server\0"
				      "\0"
				      "f0\0"
				      "int (void)";

	make(1);
	elf_disown(&elf, HOTPATCH_NOTE_TARGET, 0);
	elf_append(&elf, HOTPATCH_NOTE_TARGET, target, sizeof(target));
	elf_append(&elf, HOTPATCH_NOTE_REPLACE, replace, sizeof(replace));
	refused(HOTPATCH_E_DUPLICATE);
}
END_TEST

struct spoilt {
	enum hotpatch_note_type type;
	const char *from;
	const char *to;
};

static const struct spoilt spoilt[] = {
	{HOTPATCH_NOTE_BUNDLE, "fix-1", "fix/1"},
	{HOTPATCH_NOTE_BUNDLE, "fix-1", "fix 1"},
	{HOTPATCH_NOTE_BUNDLE, "fix-1", "\xc3\xa4x-1"},
	{HOTPATCH_NOTE_TARGET, "server", "ser/er"},
	{HOTPATCH_NOTE_TARGET, "server", "ser\x1b[m"},
	{HOTPATCH_NOTE_TARGET, "abcdef", "ABCDEF"},
	{HOTPATCH_NOTE_TARGET, "abcdef", "abcdeg"},
	{HOTPATCH_NOTE_REPLACES, "fix-", "fix*"},
	{HOTPATCH_NOTE_REQUIRES, "base", "ba e"},
	{HOTPATCH_NOTE_CONFLICTS, "rival", "\nival"},
	{HOTPATCH_NOTE_REPLACE, "handle_one", "handle-one"},
	{HOTPATCH_NOTE_REPLACE, "handle_one", "0andle_one"},
	{HOTPATCH_NOTE_REPLACE, "struct", "str\nct"},
};

START_TEST(malformed_text_is_refused)
{
	const struct spoilt *this = &spoilt[_i];

	elf_overwrite(&elf, elf_description(&elf, this->type, 0), this->from,
		      this->to);
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(text_without_end_is_refused)
{
	Elf64_Nhdr *note =
		elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_REQUIRES, 0);
	char *text = elf_description(&elf, HOTPATCH_NOTE_REQUIRES, 0);

	memset(text, 'a', note->n_descsz);
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(more_texts_than_known_are_refused)
{
	Elf64_Nhdr *note =
		elf_note(&elf, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_REQUIRES, 0);
	char *text = elf_description(&elf, HOTPATCH_NOTE_REQUIRES, 0);

	text[note->n_descsz - 2] = 'a';
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(short_build_id_of_target_is_refused)
{
	static const char target[] = "\0"
				     "0123456789abcd";

	make(1);
	elf_disown(&elf, HOTPATCH_NOTE_TARGET, 0);
	elf_append(&elf, HOTPATCH_NOTE_TARGET, target, sizeof(target));
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(unknown_kind_consistency_flag_or_way_is_refused)
{
	size_t kind = offsetof(struct hotpatch_note_bundle, kind);
	size_t consistency = offsetof(struct hotpatch_note_bundle, consistency);
	size_t flags = offsetof(struct hotpatch_note_bundle, flags);

	poke_bundle(kind, 2);
	refused(HOTPATCH_E_NOTE);
	poke_bundle(kind, 0);
	poke_bundle(consistency, 9);
	refused(HOTPATCH_E_NOTE);
	poke_bundle(consistency, 0);
	poke_bundle(flags, 2);
	refused(HOTPATCH_E_NOTE);
	poke_bundle(flags, 0);
	poke(HOTPATCH_NOTE_REPLACE, 0, 1);
	refused(HOTPATCH_E_NOTE);
	poke(HOTPATCH_NOTE_REPLACE, 0, 0);
	accepted();
}
END_TEST

START_TEST(callbacks_and_states_are_read)
{
	load("files_calls.so");
	accepted();
	ck_assert_int_eq(manifest.consistency, HOTPATCH_RENDEZVOUS);
	ck_assert_uint_eq(manifest.callback_count, 4);
	ck_assert_int_eq(manifest.callbacks[0].kind, HOTPATCH_CALLBACK_PREPARE);
	ck_assert_str_eq(manifest.callbacks[0].object, "");
	ck_assert_int_eq(manifest.callbacks[1].kind, HOTPATCH_CALLBACK_COMMIT);
	ck_assert_str_eq(manifest.callbacks[1].object, "libtable.so.1");
	ck_assert_int_eq(manifest.callbacks[3].kind,
			 HOTPATCH_CALLBACK_CLEAN_UP);
	ck_assert_str_eq(manifest.callbacks[3].object, "queue");
	ck_assert_uint_eq(manifest.state_count, 2);
	ck_assert_str_eq(manifest.states[0].id, "layout");
	ck_assert_uint_eq(manifest.states[0].version, 3);
}
END_TEST

static void poke_callback(unsigned int index, size_t offset, uint32_t value)
{
	unsigned char *head =
		elf_description(&elf, HOTPATCH_NOTE_CALLBACKS, index);

	memcpy(head + offset, &value, sizeof(value));
}

static void poke_state(const char *id)
{
	unsigned char *head = elf_description(&elf, HOTPATCH_NOTE_STATE, 0);

	memcpy(head + sizeof(struct hotpatch_note_state), id, strlen(id));
}

START_TEST(callbacks_and_states_that_make_no_sense_are_refused)
{
	load("files_calls.so");
	poke_callback(0, 0, HOTPATCH_CALLBACK_CLEAN_UP + 1);
	refused(HOTPATCH_E_NOTE);
	/* Of a state that it does not declare: "". */
	poke_callback(0, 0, HOTPATCH_CALLBACK_CLEAN_UP);
	refused(HOTPATCH_E_NOTE);
	/* A second one of its kind. */
	poke_callback(0, 0, HOTPATCH_CALLBACK_MIGRATE);
	refused(HOTPATCH_E_DUPLICATE);
	poke_callback(0, 0, HOTPATCH_CALLBACK_PREPARE);
	poke_callback(0, 4, 1);
	refused(HOTPATCH_E_NOTE);
	poke_callback(0, 4, 0);
	/* For a module without a build: "queue". */
	poke_callback(3, 0, HOTPATCH_CALLBACK_COMMIT);
	refused(HOTPATCH_E_NO_TARGET);
	poke_callback(3, 0, HOTPATCH_CALLBACK_CLEAN_UP);
	/* Migrates without a rendezvous. */
	poke_bundle(offsetof(struct hotpatch_note_bundle, consistency), 0);
	refused(HOTPATCH_E_NOTE);
	poke_bundle(offsetof(struct hotpatch_note_bundle, consistency),
		    HOTPATCH_RENDEZVOUS);
	poke(HOTPATCH_NOTE_STATE, 0, 0);
	refused(HOTPATCH_E_NOTE);
	poke(HOTPATCH_NOTE_STATE, 0, 3);
	poke_state("lay ut");
	refused(HOTPATCH_E_NOTE);
	poke_state("layout");
	accepted();
}
END_TEST

START_TEST(name_of_63_bytes_is_the_longest)
{
	char note[sizeof(struct hotpatch_note_bundle) + 65];
	struct hotpatch_note_bundle head = {.format = HOTPATCH_NOTE_FORMAT};
	size_t length;

	for (length = 63; length <= 64; length++) {
		make(1);
		elf_disown(&elf, HOTPATCH_NOTE_BUNDLE, 0);
		memset(note, 'n', sizeof(note));
		memcpy(note, &head, sizeof(head));
		note[sizeof(head) + length] = '\0';
		elf_append(&elf, HOTPATCH_NOTE_BUNDLE, note,
			   sizeof(head) + length + 1);
		if (length == 63)
			accepted();
		hp_manifest_release(&manifest);
	}
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(as_many_replacements_as_allowed_are_read_in_time)
{
	make(131072);
	accepted();
	ck_assert_uint_eq(manifest.replace_count, 131072);
}
END_TEST

START_TEST(more_replacements_than_allowed_are_refused)
{
	make(131073);
	refused(HOTPATCH_E_NOTE);
}
END_TEST

START_TEST(overlapping_note_segments_are_refused)
{
	Elf64_Phdr *segment = elf_segment(&elf, PT_NOTE);

	segment->p_offset = 0;
	segment->p_filesz = segment->p_memsz = elf.size;
	*elf_segment(&elf, PT_GNU_STACK) = *segment;
	refused(HOTPATCH_E_NOT_ELF);
}
END_TEST

START_TEST(no_error_is_written_where_none_is_wanted)
{
	elf.bytes[0] = 0;
	ck_assert_int_eq(hp_manifest_parse(elf.bytes, elf.size, "fix.so",
					   &manifest, NULL),
			 HOTPATCH_E_NOT_ELF);
}
END_TEST

static void add_reading(TCase *tcase)
{
	tcase_add_test(tcase, head_is_read);
	tcase_add_test(tcase, build_id_is_that_of_the_note);
	tcase_add_test(tcase, targets_are_read_in_order);
	tcase_add_test(tcase, replacements_of_all_source_files_are_read);
	tcase_add_test(tcase, other_patches_are_read);
	tcase_add_test(tcase, constructors_of_the_start_files_do_not_count);
	tcase_add_test(tcase, constructors_of_the_bundle_count);
	tcase_add_test(tcase, without_start_files_every_constructor_counts);
	tcase_add_test(tcase, init_function_without_start_files_counts);
	tcase_add_test(tcase, restart_needs_no_replacement);
	tcase_add_test(tcase, cxx_writes_the_same_notes);
	tcase_add_test(tcase, bytes_may_lie_anywhere);
	tcase_add_test(tcase, foreign_notes_are_passed_over);
	tcase_add_test(tcase, as_many_replacements_as_allowed_are_read_in_time);
}

static void add_elf(TCase *tcase)
{
	tcase_add_test(tcase, file_cut_anywhere_is_refused);
	tcase_add_test(tcase, last_byte_missing_is_noticed);
	tcase_add_test(tcase,
		       segment_past_the_end_is_refused_without_section_headers);
	tcase_add_test(tcase, text_file_is_no_elf_file);
	tcase_add_test(tcase, other_machine_is_refused);
	tcase_add_test(tcase, other_word_size_is_refused);
	tcase_add_test(tcase, other_byte_order_is_refused);
	tcase_add_test(tcase, object_file_is_no_bundle);
	tcase_add_test(tcase, object_without_dynamic_segment_is_no_bundle);
	tcase_add_test(tcase, shared_object_without_our_notes_is_no_bundle);
	tcase_add_test(tcase, program_headers_past_the_end_are_refused);
	tcase_add_test(tcase, segment_that_wraps_round_is_refused);
	tcase_add_test(tcase, segment_with_odd_alignment_is_refused);
	tcase_add_test(tcase, note_larger_than_its_segment_is_refused);
	tcase_add_test(tcase, owner_larger_than_its_segment_is_refused);
	tcase_add_test(tcase, overlapping_note_segments_are_refused);
	tcase_add_test(tcase, no_error_is_written_where_none_is_wanted);
}

static void add_notes(TCase *tcase)
{
	tcase_add_test(tcase, patch_without_replacement_is_refused);
	tcase_add_test(tcase, newer_format_is_refused);
	tcase_add_test(tcase, unknown_note_of_newer_format_is_told_as_format);
	tcase_add_test(tcase, unknown_note_is_refused);
	tcase_add_test(tcase, copy_of_the_library_inside_is_refused);
	tcase_add_test(tcase, bundle_without_name_is_refused);
	tcase_add_test(tcase, bundle_with_two_names_is_refused);
	tcase_add_test(tcase, bundle_without_target_is_refused);
	tcase_add_test(tcase, module_without_target_is_refused);
	tcase_add_test(tcase, two_builds_of_one_module_are_refused);
	tcase_add_test(tcase, function_named_twice_is_refused);
	tcase_add_test(tcase, first_target_named_or_not_is_the_same);
	tcase_add_loop_test(tcase, malformed_text_is_refused, 0,
			    sizeof(spoilt) / sizeof(spoilt[0]));
	tcase_add_test(tcase, text_without_end_is_refused);
	tcase_add_test(tcase, more_texts_than_known_are_refused);
	tcase_add_test(tcase, short_build_id_of_target_is_refused);
	tcase_add_test(tcase, unknown_kind_consistency_flag_or_way_is_refused);
	tcase_add_test(tcase, callbacks_and_states_are_read);
	tcase_add_test(tcase,
		       callbacks_and_states_that_make_no_sense_are_refused);
	tcase_add_test(tcase, name_of_63_bytes_is_the_longest);
	tcase_add_test(tcase, more_replacements_than_allowed_are_refused);
}

static void add_case(Suite *suite, const char *name, void (*add)(TCase *))
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, load_good, release);
	add(tcase);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("manifest");
	SRunner *runner;
	int failed;

	add_case(suite, "reading", add_reading);
	add_case(suite, "elf", add_elf);
	add_case(suite, "notes", add_notes);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
