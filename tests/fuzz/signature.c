/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of a signature. The bytes are copied to memory of their
 * own size, so that the sanitizers see each access that is out of bounds.
 */
#include "../../lib/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One spelling only: what was read is found again as it would be written. */
static void check(const struct hp_signature *signature, const char *bytes,
		  size_t size)
{
	unsigned char first[2 + HP_KEY_NUMBER_SIZE + HP_SIGNATURE_SIZE] = "ED";
	char text[128];

	memcpy(first + 2, signature->number, HP_KEY_NUMBER_SIZE);
	memcpy(first + 2 + HP_KEY_NUMBER_SIZE, signature->bytes,
	       HP_SIGNATURE_SIZE);
	hp_base64_write(first, sizeof(first), text);
	if (!memmem(bytes, size, text, strlen(text)))
		abort();
	hp_base64_write(signature->over_comment, HP_SIGNATURE_SIZE, text);
	if (!memmem(bytes, size, text, strlen(text)))
		abort();
	if (signature->comment < bytes ||
	    signature->comment + signature->comment_size > bytes + size ||
	    memchr(signature->comment, '\n', signature->comment_size) ||
	    memchr(signature->comment, '\0', signature->comment_size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hotpatch_error err = {0};
	struct hp_signature signature;
	enum hotpatch_status status;
	char *bytes = malloc(size ? size : 1);

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	status = hp_signature_read(bytes, size, "fuzz", &signature, &err);
	if (status == HOTPATCH_OK)
		check(&signature, bytes, size);
	else if (err.status != status || !*err.sentence)
		abort();
	free(bytes);
	return 0;
}
