/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of signatures, by libsodium.
 */
#include "../signature.h"

#include "../status.h"

#include <sodium.h>
#include <string.h>

/* The tool's own bound on comments, and the signature before it. */
#define MESSAGE_LIMIT (HP_SIGNATURE_SIZE + 8192)

_Static_assert(HP_PUBLIC_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "");
_Static_assert(HP_SIGNATURE_SIZE == crypto_sign_BYTES, "");
_Static_assert(HP_HASH_SIZE == crypto_generichash_BYTES_MAX, "");

bool hp_signature_works(void)
{
	return sodium_init() >= 0;
}

void hp_signature_hash(const void *bytes, size_t size,
		       unsigned char hash[HP_HASH_SIZE])
{
	crypto_generichash(hash, HP_HASH_SIZE, bytes, size, NULL, 0);
}

static bool fits_comment(const struct hp_signature *signature,
			 const struct hp_public_key *key)
{
	unsigned char message[MESSAGE_LIMIT];
	size_t size = HP_SIGNATURE_SIZE + signature->comment_size;

	if (size > sizeof(message))
		return false;
	memcpy(message, signature->bytes, HP_SIGNATURE_SIZE);
	memcpy(message + HP_SIGNATURE_SIZE, signature->comment,
	       signature->comment_size);
	return !crypto_sign_verify_detached(signature->over_comment, message,
					    size, key->bytes);
}

enum hotpatch_status hp_signature_verify(const struct hp_signature *signature,
					 const struct hp_public_key *key,
					 const unsigned char hash[HP_HASH_SIZE],
					 const char *object,
					 struct hotpatch_error *err)
{
	if (crypto_sign_verify_detached(signature->bytes, hash, HP_HASH_SIZE,
					key->bytes) != 0)
		return hp_error(err, HOTPATCH_E_FORGED, 0, object,
				"%s is not what its signature was made for",
				object);
	if (!fits_comment(signature, key))
		return hp_error(err, HOTPATCH_E_FORGED, 0, object,
				"the trusted comment of %s is not what was "
				"signed",
				object);
	return HOTPATCH_OK;
}
