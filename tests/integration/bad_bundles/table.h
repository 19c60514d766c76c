/* SPDX-License-Identifier: MIT */
/*
 * The table of bad bundles: what a row is, the world in which it is tried, and
 * what rows may use. A further file of rows ends with a group, which main()
 * in ../bad_bundles.c lists.
 */
#ifndef TABLE_H
#define TABLE_H

#include "../../unit/elf_edit.h"

#include <hotpatch/hotpatch.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * @promise:  the row's name
 * @expected: the status that it gets
 * @word:     what its sentence must name
 * @spoil:    changes world.elf, the bundle's bytes, before they are written and
 *            signed by the trusted key; NULL changes nothing
 * @then:     changes files afterwards, or NULL
 * @mend:     takes back what would also be in the way of a good bundle, or NULL
 * @rollback: the caller asks for one
 */
struct bad_bundle {
	const char *promise;
	enum hotpatch_status expected;
	const char *word;
	void (*spoil)(void);
	void (*then)(void);
	void (*mend)(void);
	bool rollback;
};

struct bad_group {
	const char *name;
	const struct bad_bundle *rows;
	size_t count;
};

#define BAD_GROUP(group, table)                                                \
	const struct bad_group group = {#group, table,                         \
					sizeof(table) / sizeof((table)[0])}

extern const struct bad_group file_rows;
extern const struct bad_group note_rows;
#ifdef HOTPATCH_TEST_SIGNATURES
extern const struct bad_group signature_rows;
extern const struct bad_group key_rows;
extern const struct bad_group age_rows;
#endif

/* Paths of this row's own directory, and the bytes of its bundle. */
struct world {
	char root[64];
	char store[128];
	char keys[128];
	char trusted[160];   /* public keys in @keys */
	char bundle[128];    /* the bad one */
	char signature[144]; /* and its signature */
	struct elf_edit elf;
};
extern struct world world;

/* While it is not NULL, the loader finds that bundle instead of the one that
 * was verified. */
extern const char *swap_with;

/* Of the bundle in world.elf. */
void set_sequence(uint64_t sequence);

void put_file(const char *path, const void *bytes, size_t size);
void put_text(const char *path, const char *text);
/* At most 64 KiB; gives back the size. */
size_t get_file(const char *path, void *bytes, size_t size);

/* ---- Keys and signatures, made without the code under test ---- */

enum key_name {
	TRUSTED_KEY,
	SECOND_KEY,
	REVOKED_KEY,
	STRANGE_KEY,
	KEY_COUNT
};

void make_keys(void);
const char *key_text(enum key_name name); /* of the public half */
const char *key_id(enum key_name name);

/* Signs @path into @path.minisig. @legacy: over the file, not its hash. */
struct signing {
	enum key_name key;
	enum key_name says; /* whose number it has */
	bool legacy;
	const char *algorithm; /* two letters, or NULL */
	const char *comment;
};
void sign_file(const char *path, const char *signature,
	       const struct signing *how);

#endif
