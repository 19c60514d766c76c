/* SPDX-License-Identifier: MIT */
/*
 * The public keys that are trusted, and the numbers of those that are revoked:
 * from a directory or from texts. Also used by the command.
 */
#ifndef HP_KEYRING_H
#define HP_KEYRING_H

#include "signature.h"

#include <hotpatch/status.h>
#include <stddef.h>

#define HP_KEY_LIMIT 64
#define HP_REVOKED_LIMIT 1024

struct hp_keyring {
	struct hp_public_key keys[HP_KEY_LIMIT];
	size_t key_count;
	unsigned char revoked[HP_REVOKED_LIMIT][HP_KEY_NUMBER_SIZE];
	size_t revoked_count;
};

/* @text is the line of base64 of a key file. E_KEY, also if another key has
 * its number; E_LIMIT. */
enum hotpatch_status hp_keyring_add(struct hp_keyring *ring, const char *text,
				    struct hotpatch_error *err);

/* @id as minisign shows it. E_KEY, E_LIMIT. */
enum hotpatch_status hp_keyring_revoke(struct hp_keyring *ring, const char *id,
				       struct hotpatch_error *err);

/*
 * Adds every *.pub file of the directory, and revokes what its file "revoked"
 * lists, one id a line; text after "#" is for people. One file that is not as
 * it should be refuses the whole directory. E_UNSAFE_PATH, E_KEY, E_LIMIT, and
 * the faults of files.
 */
enum hotpatch_status hp_keyring_add_directory(struct hp_keyring *ring,
					      const char *path,
					      struct hotpatch_error *err);

/* E_REVOKED_KEY, E_UNTRUSTED_KEY, E_FORGED, E_UNSUPPORTED. */
enum hotpatch_status hp_keyring_verify(const struct hp_keyring *ring,
				       const struct hp_signature *signature,
				       const unsigned char hash[HP_HASH_SIZE],
				       const char *object,
				       struct hotpatch_error *err);

#endif
