/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures in the format of the minisign tool: reading them from
 * foreign bytes, and whether a signature fits. Knows nothing of who is
 * trusted. The reading needs nothing; the arithmetic is libsodium's and can be
 * left out of the library.
 */
#ifndef HP_SIGNATURE_H
#define HP_SIGNATURE_H

#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_KEY_NUMBER_SIZE 8
#define HP_PUBLIC_KEY_SIZE 32
#define HP_SIGNATURE_SIZE 64
#define HP_HASH_SIZE 64 /* BLAKE2b-512 of the signed file */

/* No key or signature file of more bytes is read. */
#define HP_KEY_FILE_LIMIT ((size_t)4 << 10)
#define HP_SIGNATURE_FILE_LIMIT ((size_t)16 << 10)

struct hp_public_key {
	unsigned char number[HP_KEY_NUMBER_SIZE];
	unsigned char bytes[HP_PUBLIC_KEY_SIZE];
};

/* @comment points into what it was read from, and is not terminated. */
struct hp_signature {
	unsigned char number[HP_KEY_NUMBER_SIZE];
	unsigned char bytes[HP_SIGNATURE_SIZE];
	const char *comment;
	size_t comment_size;
	unsigned char over_comment[HP_SIGNATURE_SIZE];
};

/*
 * Strict base64: exactly @size bytes from the @length characters at @text,
 * padded, with no bit left over that means nothing.
 */
bool hp_base64_read(const char *text, size_t length, unsigned char *bytes,
		    size_t size);

/* Needs (size + 2) / 3 * 4 + 1 characters of place. */
void hp_base64_write(const unsigned char *bytes, size_t size, char *text);

/* The id as it is shown to people, and back; false if @text is not 16
 * hexadecimal digits in its first @length characters, which are all that is
 * looked at. */
void hp_key_id(const unsigned char number[HP_KEY_NUMBER_SIZE],
	       char id[HOTPATCH_KEY_ID_SIZE]);
bool hp_key_id_read(const char *text, size_t length,
		    unsigned char number[HP_KEY_NUMBER_SIZE]);

/* The one line with the key's bytes; and a whole file, with its comment.
 * E_KEY. */
enum hotpatch_status hp_key_read(const char *text, size_t length,
				 const char *object, struct hp_public_key *key,
				 struct hotpatch_error *err);
enum hotpatch_status hp_key_file_read(const void *bytes, size_t size,
				      const char *object,
				      struct hp_public_key *key,
				      struct hotpatch_error *err);

/* E_SIGNATURE; E_SIGNATURE_LEGACY for one over the file itself rather than
 * over its hash. */
enum hotpatch_status hp_signature_read(const void *bytes, size_t size,
				       const char *object,
				       struct hp_signature *signature,
				       struct hotpatch_error *err);

/* False where the library was built without signatures. */
bool hp_signature_works(void);

/* What is signed of a file. */
void hp_signature_hash(const void *bytes, size_t size,
		       unsigned char hash[HP_HASH_SIZE]);

/* E_FORGED if the signature is not that of the file with @hash by the secret
 * half of @key, or its trusted comment not the signed one; E_UNSUPPORTED. */
enum hotpatch_status hp_signature_verify(const struct hp_signature *signature,
					 const struct hp_public_key *key,
					 const unsigned char hash[HP_HASH_SIZE],
					 const char *object,
					 struct hotpatch_error *err);

#endif
