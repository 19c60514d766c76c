/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of signatures in a library that was built without.
 */
#include "../signature.h"

#include "../status.h"

#include <string.h>

bool hp_signature_works(void)
{
	return false;
}

void hp_signature_hash(const void *bytes, size_t size,
		       unsigned char hash[HP_HASH_SIZE])
{
	(void)bytes;
	(void)size;
	memset(hash, 0, HP_HASH_SIZE);
}

enum hotpatch_status hp_signature_verify(const struct hp_signature *signature,
					 const struct hp_public_key *key,
					 const unsigned char hash[HP_HASH_SIZE],
					 const char *object,
					 struct hotpatch_error *err)
{
	(void)signature;
	(void)key;
	(void)hash;
	return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, object,
			"this library was built without signatures, so that "
			"of %s cannot be verified",
			object);
}
