/* SPDX-License-Identifier: MIT */
/*
 * Secret keys in minisign's format: making, reading and writing them, and
 * passwords. What is secret lies in locked memory between guard pages and is
 * wiped when it is freed.
 */
#ifndef HP_TOOL_SECRET_H
#define HP_TOOL_SECRET_H

#include "../signature.h"

#include <hotpatch/status.h>
#include <sodium.h>
#include <stdbool.h>

#define HP_PASSWORD_SIZE 1024

struct hp_secret_key {
	unsigned char number[HP_KEY_NUMBER_SIZE];
	unsigned char bytes[crypto_sign_SECRETKEYBYTES];
};

/* Both in memory of sodium_malloc(), for sodium_free(). */
struct hp_password {
	char text[HP_PASSWORD_SIZE];
};

/*
 * From the first line of @path, or, if that is NULL, from the terminal, twice
 * if @twice. E_PASSWORD if there is no terminal or nothing was typed.
 */
enum hotpatch_status hp_password_read(const char *path, bool twice,
				      struct hp_password **password,
				      struct hotpatch_error *err);

enum hotpatch_status hp_secret_key_make(struct hp_secret_key **key,
					struct hotpatch_error *err);

/* Reads the file at @path, which others may not read, asking for a password
 * if it wants one. E_KEY, E_PASSWORD, E_UNSAFE_PATH, and the faults of
 * files. */
enum hotpatch_status hp_secret_key_read(const char *path,
					const char *password_path,
					struct hp_secret_key **key,
					struct hotpatch_error *err);

/*
 * Writes two new files, of which none may exist: the secret key, encrypted
 * unless @password is NULL, with mode 0600, and the public one with 0644. Both
 * or none.
 */
enum hotpatch_status hp_secret_key_write(const struct hp_secret_key *key,
					 const struct hp_password *password,
					 const char *secret_path,
					 const char *public_path,
					 struct hotpatch_error *err);

/* The line of base64 of a public key file, 56 characters. */
#define HP_PUBLIC_TEXT_SIZE 57
void hp_secret_key_public(const struct hp_secret_key *key,
			  char text[HP_PUBLIC_TEXT_SIZE]);

#endif
