/* SPDX-License-Identifier: MIT */
/*
 * Rows whose notes are wrong. Each is signed by the trusted key: it is what
 * the notes say that is refused.
 */
#include "table.h"

#include <stddef.h>
#include <string.h>

/* Notes lie at multiples of four, so their words are copied. */
static void set_word(enum hotpatch_note_type type, size_t offset,
		     uint32_t value)
{
	char *at = elf_description(&world.elf, type, 0);

	memcpy(at + offset, &value, sizeof(value));
}

#define SET_HEAD(member, value)                                                \
	set_word(HOTPATCH_NOTE_BUNDLE,                                         \
		 offsetof(struct hotpatch_note_bundle, member), value)
#define SET_REPLACE(member, value)                                             \
	set_word(HOTPATCH_NOTE_REPLACE,                                        \
		 offsetof(struct hotpatch_note_replace, member), value)

static char *name(void)
{
	return (char *)elf_description(&world.elf, HOTPATCH_NOTE_BUNDLE, 0) +
	       sizeof(struct hotpatch_note_bundle);
}

static void *replace(void)
{
	return elf_description(&world.elf, HOTPATCH_NOTE_REPLACE, 0);
}

static Elf64_Nhdr *note(enum hotpatch_note_type type)
{
	return elf_note(&world.elf, HOTPATCH_NOTE_OWNER, type, 0);
}

static void newer_format(void)
{
	SET_HEAD(format, 99);
}

static void no_format(void)
{
	SET_HEAD(format, 0);
}

static void unknown_kind(void)
{
	SET_HEAD(kind, 7);
}

static void restart(void)
{
	SET_HEAD(kind, HOTPATCH_KIND_RESTART);
}

static void unknown_consistency(void)
{
	SET_HEAD(consistency, 9);
}

static void unknown_flag(void)
{
	SET_HEAD(flags, 8);
}

static void name_with_slash(void)
{
	name()[1] = '/';
}

static void no_name(void)
{
	memset(name(), 0, 4);
}

static void name_without_end(void)
{
	memset(name(), 'a', HOTPATCH_PAD_(sizeof("good")));
}

static void other_build(void)
{
	char *id = elf_description(&world.elf, HOTPATCH_NOTE_TARGET, 0);

	id[1] = id[1] == '0' ? '1' : '0';
}

static void build_id_that_is_none(void)
{
	((char *)elf_description(&world.elf, HOTPATCH_NOTE_TARGET, 0))[1] = 'g';
}

static void build_id_without_module(void)
{
	char *module = elf_description(&world.elf, HOTPATCH_NOTE_TARGET, 0);

	module[0] = 'm';
	memset(module + 1, 'm', 40);
}

static void no_target(void)
{
	elf_disown(&world.elf, HOTPATCH_NOTE_TARGET, 0);
}

static void no_bundle_note(void)
{
	elf_disown(&world.elf, HOTPATCH_NOTE_BUNDLE, 0);
}

static void unknown_way(void)
{
	SET_REPLACE(kind, 3);
}

static void reserved_word(void)
{
	SET_REPLACE(reserved, 1);
}

static void unknown_function(void)
{
	elf_overwrite(&world.elf, replace(), "price", "pride");
}

static void function_that_is_no_name(void)
{
	elf_overwrite(&world.elf, replace(), "price", "1rice");
}

static void other_prototype(void)
{
	elf_overwrite(&world.elf, replace(), "(int net)", "(int*net)");
}

static void prototype_with_control_character(void)
{
	elf_overwrite(&world.elf, replace(), "(int net)", "(int\033net)");
}

static void twice_the_same(void)
{
	elf_overwrite(&world.elf,
		      elf_description(&world.elf, HOTPATCH_NOTE_REPLACE, 1),
		      "stock", "price");
}

/* The code still has a record of it. */
static void one_function_fewer(void)
{
	elf_disown(&world.elf, HOTPATCH_NOTE_REPLACE, 1);
}

static void no_functions(void)
{
	elf_disown(&world.elf, HOTPATCH_NOTE_REPLACE, 1);
	elf_disown(&world.elf, HOTPATCH_NOTE_REPLACE, 0);
}

/* What the host prepared, as if it had not. */
static void prepared_function(void)
{
	note(HOTPATCH_NOTE_REPLACE)->n_type = HOTPATCH_NOTE_REDIRECT;
}

#ifdef HOTPATCH_TEST_REDIRECT
static void function_that_is_missing(void)
{
	elf_overwrite(&world.elf, replace(), "price", "pride");
	prepared_function();
}
#endif

static void redirect_in_an_unknown_way(void)
{
	SET_REPLACE(kind, 1);
	prepared_function();
}

static void redirects_of_no_build(void)
{
	note(HOTPATCH_NOTE_CONFLICTS)->n_type = HOTPATCH_NOTE_SEALED_REDIRECTS;
}

static void replaced_name(void)
{
	char *text = elf_description(&world.elf, HOTPATCH_NOTE_REPLACES, 0);

	text[0] = '/';
}

static void excluded_name(void)
{
	char *text = elf_description(&world.elf, HOTPATCH_NOTE_CONFLICTS, 0);

	text[0] = ' ';
}

static void excludes_all(void)
{
	memcpy(elf_description(&world.elf, HOTPATCH_NOTE_CONFLICTS, 0),
	       "*\0\0\0", 5);
}

static void no_expiry(void)
{
	memset(elf_description(&world.elf, HOTPATCH_NOTE_EXPIRES, 0), 0, 8);
}

static void expired(void)
{
	const uint64_t long_ago = 86400;

	memcpy(elf_description(&world.elf, HOTPATCH_NOTE_EXPIRES, 0), &long_ago,
	       sizeof(long_ago));
}

static void short_expiry(void)
{
	note(HOTPATCH_NOTE_EXPIRES)->n_descsz = 4;
}

static void text_after_expiry(void)
{
	char *head_of = elf_description(&world.elf, HOTPATCH_NOTE_EXPIRES, 0);

	head_of[8] = 'x';
}

static void unknown_note(void)
{
	note(HOTPATCH_NOTE_CONFLICTS)->n_type = 77;
}

static void second_name(void)
{
	uint32_t *format =
		elf_description(&world.elf, HOTPATCH_NOTE_CONFLICTS, 0);

	*format = HOTPATCH_NOTE_FORMAT;
	note(HOTPATCH_NOTE_CONFLICTS)->n_type = HOTPATCH_NOTE_BUNDLE;
}

static void large_owner(void)
{
	note(HOTPATCH_NOTE_REPLACES)->n_namesz = 0x7fffffff;
}

static void large_description(void)
{
	note(HOTPATCH_NOTE_REPLACES)->n_descsz = 0xfffffff0;
}

static const struct bad_bundle rows[] = {
	{.promise = "format_that_is_newer",
	 .expected = HOTPATCH_E_FORMAT,
	 .word = "99",
	 .spoil = newer_format},
	{.promise = "format_that_is_missing",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "format",
	 .spoil = no_format},
	{.promise = "kind_that_is_unknown",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "kind",
	 .spoil = unknown_kind},
	{.promise = "kind_that_needs_a_restart",
	 .expected = HOTPATCH_E_RESTART,
	 .word = "good",
	 .spoil = restart},
	{.promise = "consistency_that_is_unknown",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "consistency",
	 .spoil = unknown_consistency},
	{.promise = "flag_that_is_unknown",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "flag",
	 .spoil = unknown_flag},
	{.promise = "name_with_a_slash",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "name",
	 .spoil = name_with_slash},
	{.promise = "name_that_is_empty",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "name",
	 .spoil = no_name},
	{.promise = "name_without_an_end",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "name",
	 .spoil = name_without_end},
	{.promise = "note_of_its_name_that_is_missing",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "name",
	 .spoil = no_bundle_note},
	{.promise = "name_that_is_there_twice",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "more than once",
	 .spoil = second_name},
	{.promise = "target_of_another_build",
	 .expected = HOTPATCH_E_WRONG_TARGET,
	 .word = "build",
	 .spoil = other_build},
	{.promise = "target_whose_build_id_is_none",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "build-id",
	 .spoil = build_id_that_is_none},
	{.promise = "target_with_one_text",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "build-id",
	 .spoil = build_id_without_module},
	{.promise = "target_that_is_missing",
	 .expected = HOTPATCH_E_NO_TARGET,
	 .word = "target",
	 .spoil = no_target},
	{.promise = "replacement_in_an_unknown_way",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "price",
	 .spoil = unknown_way},
	{.promise = "replacement_with_a_reserved_word",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "price",
	 .spoil = reserved_word},
	{.promise = "replacement_of_what_is_not_there",
	 .expected = HOTPATCH_E_NO_SLOT,
	 .word = "pride",
	 .spoil = unknown_function},
	{.promise = "replacement_whose_name_is_none",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "replacement",
	 .spoil = function_that_is_no_name},
	{.promise = "replacement_of_another_prototype",
	 .expected = HOTPATCH_E_PROTOTYPE,
	 .word = "price",
	 .spoil = other_prototype},
	{.promise = "prototype_with_a_control_character",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "replacement",
	 .spoil = prototype_with_control_character},
	{.promise = "replacement_that_is_there_twice",
	 .expected = HOTPATCH_E_DUPLICATE,
	 .word = "price",
	 .spoil = twice_the_same},
	{.promise = "code_with_a_replacement_that_no_note_tells",
	 .expected = HOTPATCH_E_SWAPPED,
	 .word = ".so",
	 .spoil = one_function_fewer},
	{.promise = "bundle_that_replaces_nothing",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "nothing",
	 .spoil = no_functions},
#ifdef HOTPATCH_TEST_REDIRECT
	{.promise = "redirect_of_what_was_prepared",
	 .expected = HOTPATCH_E_PREPARED,
	 .word = "price",
	 .spoil = prepared_function},
	{.promise = "redirect_of_what_is_not_there",
	 .expected = HOTPATCH_E_NO_FUNCTION,
	 .word = "pride",
	 .spoil = function_that_is_missing},
#else
	{.promise = "redirect_without_redirection",
	 .expected = HOTPATCH_E_UNSUPPORTED,
	 .word = "redirection",
	 .spoil = prepared_function},
#endif
	{.promise = "redirect_in_an_unknown_way",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "price",
	 .spoil = redirect_in_an_unknown_way},
	{.promise = "sealed_redirects_of_no_build",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "no build",
	 .spoil = redirects_of_no_build},
	{.promise = "replaced_patch_whose_name_is_none",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "another patch",
	 .spoil = replaced_name},
	{.promise = "excluded_patch_whose_name_is_none",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "another patch",
	 .spoil = excluded_name},
	{.promise = "all_patches_excluded",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "another patch",
	 .spoil = excludes_all},
	{.promise = "expiry_at_no_time",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "expiry",
	 .spoil = no_expiry},
	{.promise = "expiry_cut_short",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "",
	 .spoil = short_expiry},
	{.promise = "expiry_with_a_text",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "expiry",
	 .spoil = text_after_expiry},
	{.promise = "bundle_that_expired",
	 .expected = HOTPATCH_E_EXPIRED,
	 .word = "1970-01-02",
	 .spoil = expired},
	{.promise = "note_of_an_unknown_type",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "77",
	 .spoil = unknown_note},
	{.promise = "note_whose_owner_does_not_fit",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "note",
	 .spoil = large_owner},
	{.promise = "note_whose_description_does_not_fit",
	 .expected = HOTPATCH_E_NOTE,
	 .word = "note",
	 .spoil = large_description},
};

BAD_GROUP(note_rows, rows);
