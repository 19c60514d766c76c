/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of public keys, as files and as texts, and of their ids.
 */
#include "../../lib/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct hp_public_key *key, const char *bytes,
		  size_t size)
{
	unsigned char whole[2 + HP_KEY_NUMBER_SIZE + HP_PUBLIC_KEY_SIZE] = "Ed";
	char text[64];

	memcpy(whole + 2, key->number, HP_KEY_NUMBER_SIZE);
	memcpy(whole + 2 + HP_KEY_NUMBER_SIZE, key->bytes, HP_PUBLIC_KEY_SIZE);
	hp_base64_write(whole, sizeof(whole), text);
	if (!memmem(bytes, size, text, strlen(text)))
		abort();
}

static void check_id(const char *bytes, size_t size)
{
	unsigned char number[HP_KEY_NUMBER_SIZE];
	char id[HOTPATCH_KEY_ID_SIZE];

	if (!hp_key_id_read(bytes, size, number))
		return;
	hp_key_id(number, id);
	if (strncasecmp(id, bytes, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hotpatch_error err = {0};
	enum hotpatch_status status;
	struct hp_public_key key;
	char *bytes = malloc(size ? size : 1);

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	check_id(bytes, size);
	if (hp_key_read(bytes, size, "fuzz", &key, NULL) == HOTPATCH_OK)
		check(&key, bytes, size);
	status = hp_key_file_read(bytes, size, "fuzz", &key, &err);
	if (status == HOTPATCH_OK)
		check(&key, bytes, size);
	else if (err.status != status || !*err.sentence)
		abort();
	free(bytes);
	return 0;
}
