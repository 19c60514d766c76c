/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures as the minisign tool writes them: read, refused when
 * anything is amiss, and verified.
 */
#include "../../lib/keyring.h"
#include "../../lib/signature.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made by minisign 0.11: a key, a file, and its signatures of both kinds. */
#define KEY "RWQGy5ep+6uFagLq8568kpb3mDUXcxb6tEPUs6rvskOEhO948nqJVdkB"
#define KEY_ID "6A85ABFBA997CB06"
#define FIRST                                                                  \
	"RUQGy5ep+6uFar4vCXIrWLhKC2d3lN3VFd8CYAfzHrsu8DZvgq"                   \
	"OL8LLcp9VDG/ci5q+sJSyCTuREUcTRrcLl6RcERSZH3LvcVQU="
#define COMMENT "a trusted comment"
#define SECOND                                                                 \
	"BkK3SfonJ1ahOg7tAcQwnI3JHRl44AhlAa/pnNbDiHQH"                         \
	"POt4/02y8oZvr3BA3g1nwnpPLobJ7Wh9QH5kYpJBAQ=="
#define LEGACY                                                                 \
	"RWQGy5ep+6uFajok56Rbx3XkmYhgoke8r5ZZwgx7Sj/Jsmk7Ju"                   \
	"qUwq6uatqbUakfmWh1GArI89794oOEar1fFRS+Bmu2IWlxcwM="
#define SIGNED "what is signed\n"

#define HEAD "untrusted comment: any\n"
#define SIGNATURE                                                              \
	HEAD FIRST "\n"                                                        \
		   "trusted comment: " COMMENT "\n" SECOND "\n"

static struct hotpatch_error err;
static struct hp_signature signature;

/* A copy that ends where it ends, for the sanitizer. */
static enum hotpatch_status read_bytes(const char *text, size_t size)
{
	static char *bytes;
	enum hotpatch_status status;

	free(bytes);
	bytes = malloc(size ? size : 1);
	memcpy(bytes, text, size);
	status = hp_signature_read(bytes, size, "it", &signature, &err);
	if (status != HOTPATCH_OK)
		ck_assert_int_eq(err.status, status);
	return status;
}

static enum hotpatch_status read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static enum hotpatch_status read_key(const char *text, size_t size,
				     struct hp_public_key *key)
{
	char *bytes = malloc(size ? size : 1);
	enum hotpatch_status status;

	memcpy(bytes, text, size);
	status = hp_key_file_read(bytes, size, "it", key, &err);
	free(bytes);
	return status;
}

START_TEST(base64_comes_back_as_it_was)
{
	unsigned char bytes[80];
	unsigned char back[80];
	char text[128];
	size_t size, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size = 0; size <= sizeof(bytes); size++) {
		hp_base64_write(bytes, size, text);
		ck_assert_uint_eq(strlen(text), (size + 2) / 3 * 4);
		ck_assert(hp_base64_read(text, strlen(text), back, size));
		ck_assert_mem_eq(back, bytes, size);
	}
}
END_TEST

START_TEST(base64_has_one_spelling_for_each_byte)
{
	unsigned char byte;

	ck_assert(hp_base64_read("/w==", 4, &byte, 1));
	ck_assert_uint_eq(byte, 0xff);
	ck_assert(!hp_base64_read("/x==", 4, &byte, 1));
	ck_assert(!hp_base64_read("/w=A", 4, &byte, 1));
	ck_assert(!hp_base64_read("/w", 2, &byte, 1));
	ck_assert(!hp_base64_read("=w==", 4, &byte, 1));
	ck_assert(!hp_base64_read("-w==", 4, &byte, 1));
	ck_assert(!hp_base64_read("/w==\n", 5, &byte, 1));
	ck_assert(!hp_base64_read("\0w==", 4, &byte, 1));
}
END_TEST

START_TEST(key_of_the_tool_is_read)
{
	const char text[] = HEAD KEY "\n";
	struct hp_public_key key;
	char id[HOTPATCH_KEY_ID_SIZE];

	ck_assert_int_eq(read_key(text, strlen(text), &key), HOTPATCH_OK);
	hp_key_id(key.number, id);
	ck_assert_str_eq(id, KEY_ID);
	/* Without its last newline, and with the other kind of them. */
	ck_assert_int_eq(read_key(text, strlen(text) - 1, &key), HOTPATCH_OK);
	ck_assert_int_eq(read_key(HEAD "" KEY "\r\n", strlen(HEAD KEY "\r\n"),
				  &key),
			 HOTPATCH_OK);
}
END_TEST

START_TEST(key_that_is_cut_anywhere_is_refused)
{
	const char text[] = HEAD KEY "\n";
	struct hp_public_key key;
	size_t size;

	for (size = 0; size < strlen(text) - 1; size++)
		ck_assert_int_eq(read_key(text, size, &key), HOTPATCH_E_KEY);
}
END_TEST

START_TEST(what_is_no_key_is_refused)
{
	static const char *const texts[] = {
		"",
		KEY "\n",
		HEAD,
		HEAD KEY "\n" KEY "\n",
		HEAD KEY "A\n",
		HEAD "RX" KEY "\n",
		"trusted comment: any\n" KEY "\n",
	};
	struct hp_public_key key;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(read_key(texts[i], strlen(texts[i]), &key),
				 HOTPATCH_E_KEY);
}
END_TEST

START_TEST(id_is_read_as_it_is_shown)
{
	unsigned char number[HP_KEY_NUMBER_SIZE];
	char id[HOTPATCH_KEY_ID_SIZE];

	ck_assert(hp_key_id_read("0123456789abcDEF", 16, number));
	ck_assert_uint_eq(number[0], 0xef);
	hp_key_id(number, id);
	ck_assert_str_eq(id, "0123456789ABCDEF");
	ck_assert(!hp_key_id_read("0123456789abcDE", 15, number));
	ck_assert(!hp_key_id_read("0123456789abcDEF0", 17, number));
	ck_assert(!hp_key_id_read("0123456789abcDEg", 16, number));
}
END_TEST

START_TEST(signature_of_the_tool_is_read)
{
	char id[HOTPATCH_KEY_ID_SIZE];

	ck_assert_msg(read_text(SIGNATURE) == HOTPATCH_OK, "%s", err.sentence);
	hp_key_id(signature.number, id);
	ck_assert_str_eq(id, KEY_ID);
	ck_assert_uint_eq(signature.comment_size, strlen(COMMENT));
	ck_assert_mem_eq(signature.comment, COMMENT, strlen(COMMENT));
}
END_TEST

START_TEST(signature_that_is_cut_anywhere_is_refused)
{
	size_t size;

	for (size = 0; size < strlen(SIGNATURE) - 1; size++)
		ck_assert_int_eq(read_bytes(SIGNATURE, size),
				 HOTPATCH_E_SIGNATURE);
}
END_TEST

START_TEST(signature_of_the_old_kind_is_told_apart)
{
	ck_assert_int_eq(read_text(HEAD LEGACY "\ntrusted comment: x\n" SECOND
					       "\n"),
			 HOTPATCH_E_SIGNATURE_LEGACY);
	ck_assert_ptr_nonnull(strstr(err.sentence, "old kind"));
}
END_TEST

START_TEST(empty_comments_will_do)
{
	ck_assert_int_eq(read_text("untrusted comment:\n" FIRST
				   "\ntrusted comment: \n" SECOND "\n"),
			 HOTPATCH_OK);
	ck_assert_uint_eq(signature.comment_size, 0);
}
END_TEST

START_TEST(comments_have_the_tools_limits)
{
	static char text[16384];

	snprintf(text, sizeof(text),
		 "untrusted comment:%1025s\n" FIRST
		 "\ntrusted comment: x\n" SECOND "\n",
		 "x");
	ck_assert_int_eq(read_text(text), HOTPATCH_E_SIGNATURE);
	snprintf(text, sizeof(text),
		 HEAD FIRST "\ntrusted comment: %8192s\n" SECOND "\n", "x");
	ck_assert_int_eq(read_text(text), HOTPATCH_OK);
	snprintf(text, sizeof(text),
		 HEAD FIRST "\ntrusted comment: %8193s\n" SECOND "\n", "x");
	ck_assert_int_eq(read_text(text), HOTPATCH_E_SIGNATURE);
}
END_TEST

static struct hp_keyring ring;

START_TEST(second_key_of_one_number_is_refused_and_the_same_is_not)
{
	char other[] = KEY;

	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_uint_eq(ring.key_count, 1);
	other[sizeof(other) - 2] ^= 1;
	ck_assert_int_eq(hp_keyring_add(&ring, other, &err), HOTPATCH_E_KEY);
}
END_TEST

START_TEST(more_keys_than_the_limit_are_refused)
{
	unsigned char bytes[42] = "Ed";
	char text[64];
	size_t i;

	for (i = 0; i < HP_KEY_LIMIT; i++) {
		bytes[2] = (unsigned char)i;
		hp_base64_write(bytes, sizeof(bytes), text);
		ck_assert_int_eq(hp_keyring_add(&ring, text, &err),
				 HOTPATCH_OK);
	}
	bytes[2] = HP_KEY_LIMIT;
	hp_base64_write(bytes, sizeof(bytes), text);
	ck_assert_int_eq(hp_keyring_add(&ring, text, &err), HOTPATCH_E_LIMIT);
}
END_TEST

#ifdef HOTPATCH_TEST_SIGNATURES

static enum hotpatch_status verify(const char *bytes, const char *text)
{
	unsigned char hash[HP_HASH_SIZE];

	ck_assert(hp_signature_works());
	ck_assert_int_eq(read_text(text), HOTPATCH_OK);
	hp_signature_hash(bytes, strlen(bytes), hash);
	return hp_keyring_verify(&ring, &signature, hash, "it", &err);
}

START_TEST(signature_of_the_tool_fits_its_file_and_no_other)
{
	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_int_eq(verify(SIGNED, SIGNATURE), HOTPATCH_OK);
	ck_assert_int_eq(verify("what was signed\n", SIGNATURE),
			 HOTPATCH_E_FORGED);
	ck_assert_int_eq(verify("", SIGNATURE), HOTPATCH_E_FORGED);
}
END_TEST

START_TEST(comment_that_was_not_signed_is_refused)
{
	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_int_eq(verify(SIGNED, HEAD FIRST
				"\ntrusted comment: a rusted comment\n" SECOND
				"\n"),
			 HOTPATCH_E_FORGED);
	ck_assert_ptr_nonnull(strstr(err.sentence, "comment"));
}
END_TEST

START_TEST(key_that_is_unknown_or_revoked_is_named)
{
	ck_assert_int_eq(verify(SIGNED, SIGNATURE), HOTPATCH_E_UNTRUSTED_KEY);
	ck_assert_ptr_nonnull(strstr(err.sentence, KEY_ID));
	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_int_eq(hp_keyring_revoke(&ring, KEY_ID, &err), HOTPATCH_OK);
	ck_assert_int_eq(verify(SIGNED, SIGNATURE), HOTPATCH_E_REVOKED_KEY);
	ck_assert_ptr_nonnull(strstr(err.sentence, KEY_ID));
}
END_TEST

#else

START_TEST(library_without_signatures_says_so)
{
	unsigned char hash[HP_HASH_SIZE] = {0};

	ck_assert(!hp_signature_works());
	ck_assert_int_eq(hp_keyring_add(&ring, KEY, &err), HOTPATCH_OK);
	ck_assert_int_eq(read_text(SIGNATURE), HOTPATCH_OK);
	ck_assert_int_eq(hp_keyring_verify(&ring, &signature, hash, "it", &err),
			 HOTPATCH_E_UNSUPPORTED);
}
END_TEST

#endif

int main(void)
{
	const TTest *const tests[] = {
		base64_comes_back_as_it_was,
		base64_has_one_spelling_for_each_byte,
		key_of_the_tool_is_read,
		key_that_is_cut_anywhere_is_refused,
		what_is_no_key_is_refused,
		id_is_read_as_it_is_shown,
		signature_of_the_tool_is_read,
		signature_that_is_cut_anywhere_is_refused,
		signature_of_the_old_kind_is_told_apart,
		empty_comments_will_do,
		comments_have_the_tools_limits,
		second_key_of_one_number_is_refused_and_the_same_is_not,
		more_keys_than_the_limit_are_refused,
#ifdef HOTPATCH_TEST_SIGNATURES
		signature_of_the_tool_fits_its_file_and_no_other,
		comment_that_was_not_signed_is_refused,
		key_that_is_unknown_or_revoked_is_named,
#else
		library_without_signatures_says_so,
#endif
	};
	Suite *suite = suite_create("signature");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
