/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of a manifest. The input is a whole file; the bytes are
 * copied to memory of their own size, at an odd address, so that the
 * sanitizers see each access that is out of bounds or aligned by luck.
 */
#include "../../lib/manifest.h"
#include "../../lib/sealed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whoever reads a manifest relies on these. */
static void check(const struct hp_manifest *manifest)
{
	struct hotpatch_sealed_function function;
	struct hotpatch_sealed_redirect redirect;
	struct hotpatch_sealed_import import;
	size_t i;

	if (!manifest->target_count || !*manifest->name)
		abort();
	if (strlen(manifest->name) >= HOTPATCH_NAME_SIZE)
		abort();
	for (i = 0; i < manifest->target_count; i++)
		if (strlen(manifest->targets[i].build_id) < 16)
			abort();
	for (i = 0; i < manifest->replace_count; i++)
		if (!*manifest->replaces[i].name ||
		    !manifest->replaces[i].prototype)
			abort();
	for (i = 0; i < manifest->import_count; i++)
		if (!*manifest->imports[i].name || !manifest->imports[i].type)
			abort();
	for (i = 0; i < manifest->target_count; i++) {
		hp_sealed_function(&manifest->targets[i], SIZE_MAX, &function);
		hp_sealed_import(&manifest->targets[i], SIZE_MAX, &import);
		if (hp_sealed_redirect(&manifest->targets[i], 0, &redirect) &&
		    (!redirect.size || !manifest->replaces[0].redirect))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_manifest manifest = {0};
	struct hotpatch_error err = {0};
	enum hotpatch_status status;
	unsigned char *bytes = malloc(size + 1);

	if (!bytes)
		return 0;
	memcpy(bytes + 1, data, size);
	status = hp_manifest_parse(bytes + 1, size, "fuzz", &manifest, &err);
	if (status == HOTPATCH_OK)
		check(&manifest);
	else if (err.status != status || !*err.sentence)
		abort();
	hp_manifest_release(&manifest);
	free(bytes);
	return 0;
}
