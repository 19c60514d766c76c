/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures for the table, straight from libsodium and the tool's
 * description of its format.
 */
#include "table.h"

#ifdef HOTPATCH_TEST_SIGNATURES

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static struct {
	unsigned char number[8];
	unsigned char public[crypto_sign_PUBLICKEYBYTES];
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	char text[64];
	char id[17];
} keys[KEY_COUNT];

static char *encode(char *text, size_t room, const unsigned char *bytes,
		    size_t size)
{
	return sodium_bin2base64(text, room, bytes, size,
				 sodium_base64_VARIANT_ORIGINAL);
}

void make_keys(void)
{
	unsigned char seed[crypto_sign_SEEDBYTES] = {0};
	unsigned char bytes[42] = "Ed";
	size_t i, j;

	ck_assert_int_ge(sodium_init(), 0);
	for (i = 0; i < KEY_COUNT; i++) {
		seed[0] = (unsigned char)i;
		crypto_sign_seed_keypair(keys[i].public, keys[i].secret, seed);
		memset(keys[i].number, (int)(0xa0 + i), 8);
		memcpy(bytes + 2, keys[i].number, 8);
		memcpy(bytes + 10, keys[i].public, 32);
		encode(keys[i].text, sizeof(keys[i].text), bytes, 42);
		for (j = 0; j < 8; j++)
			sprintf(keys[i].id + 2 * j, "%02X", 0xa0 + (int)i);
	}
}

const char *key_text(enum key_name name)
{
	return keys[name].text;
}

const char *key_id(enum key_name name)
{
	return keys[name].id;
}

/* What is signed of the file: its hash, or all of it. */
static size_t read_message(const char *path, bool legacy,
			   unsigned char *message, size_t room)
{
	static unsigned char bytes[1 << 18];
	size_t size = get_file(path, bytes, sizeof(bytes));

	if (legacy) {
		ck_assert_uint_le(size, room);
		memcpy(message, bytes, size);
		return size;
	}
	crypto_generichash(message, 64, bytes, size, NULL, 0);
	return 64;
}

void sign_file(const char *path, const char *signature,
	       const struct signing *how)
{
	static unsigned char message[1 << 18];
	const char *comment = how->comment ? how->comment : "for the table";
	const char *algorithm = how->legacy ? "Ed" : "ED";
	unsigned char first[74];
	unsigned char over[64 + 256];
	unsigned char second[64];
	char first_text[128];
	char second_text[128];
	char text[1024];
	size_t size = read_message(path, how->legacy, message, sizeof(message));

	memcpy(first, how->algorithm ? how->algorithm : algorithm, 2);
	memcpy(first + 2, keys[how->says].number, 8);
	crypto_sign_detached(first + 10, NULL, message, size,
			     keys[how->key].secret);
	memcpy(over, first + 10, 64);
	memcpy(over + 64, comment, strlen(comment));
	crypto_sign_detached(second, NULL, over, 64 + strlen(comment),
			     keys[how->key].secret);
	snprintf(text, sizeof(text),
		 "untrusted comment: none\n%s\ntrusted comment: %s\n%s\n",
		 encode(first_text, sizeof(first_text), first, sizeof(first)),
		 comment,
		 encode(second_text, sizeof(second_text), second,
			sizeof(second)));
	put_text(signature, text);
}

#endif
