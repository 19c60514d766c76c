/* SPDX-License-Identifier: MIT */
/*
 * Rows of a good bundle with a good signature, where somebody else could have
 * changed the keys, the private directory or what is remembered in it.
 */
#include "table.h"

#ifdef HOTPATCH_TEST_SIGNATURES

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char moved[160];
static char extra[160];

static const char *in_store(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", world.store, name);
	return path;
}

static void change_mode(const char *path, mode_t mode)
{
	if (chmod(path, mode))
		abort();
}

static void open_key_directory(void)
{
	change_mode(world.keys, 0775);
}

static void close_key_directory(void)
{
	change_mode(world.keys, 0755);
}

static void open_parent(void)
{
	change_mode(world.root, 0777);
}

static void close_parent(void)
{
	change_mode(world.root, 0700);
}

static void open_key_file(void)
{
	change_mode(world.trusted, 0666);
}

static void close_key_file(void)
{
	change_mode(world.trusted, 0644);
}

/* Moves @path away and puts a link to it in its place. */
static void hide(const char *path)
{
	snprintf(moved, sizeof(moved), "%s.moved", path);
	if (rename(path, moved) || symlink(moved, path))
		abort();
}

static void bring_back(const char *path)
{
	if (unlink(path) || rename(moved, path))
		abort();
}

static void link_key_directory(void)
{
	hide(world.keys);
}

static void unlink_key_directory(void)
{
	bring_back(world.keys);
}

static void link_key_file(void)
{
	hide(world.trusted);
}

static void unlink_key_file(void)
{
	bring_back(world.trusted);
}

static void remove_key_directory(void)
{
	snprintf(moved, sizeof(moved), "%s.moved", world.keys);
	if (rename(world.keys, moved))
		abort();
}

static void return_key_directory(void)
{
	if (rename(moved, world.keys))
		abort();
}

static void add_file(const char *name, const char *text)
{
	snprintf(extra, sizeof(extra), "%s/%s", world.keys, name);
	put_text(extra, text);
}

static void remove_file(void)
{
	unlink(extra);
}

static void add_damaged_key(void)
{
	add_file("damaged.pub", "untrusted comment: x\nRWQdamaged\n");
}

/* Another key with the number of the trusted one. */
static void add_namesake(void)
{
	char text[256];

	snprintf(text, sizeof(text), "untrusted comment: x\n%s\n",
		 key_text(TRUSTED_KEY));
	text[strlen(text) - 3] ^= 1;
	add_file("namesake.pub", text);
}

static void damage_revoked(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%s\nnot an id\n", key_id(REVOKED_KEY));
	snprintf(moved, sizeof(moved), "%s/revoked", world.keys);
	put_text(moved, text);
}

static void mend_revoked(void)
{
	put_text(moved, key_id(REVOKED_KEY));
}

static void revoke_the_trusted_one(void)
{
	snprintf(moved, sizeof(moved), "%s/revoked", world.keys);
	put_text(moved, key_id(TRUSTED_KEY));
}

static void open_store(void)
{
	change_mode(world.store, 0770);
}

static void close_store(void)
{
	change_mode(world.store, 0700);
}

static void link_store(void)
{
	hide(world.store);
}

static void unlink_store(void)
{
	bring_back(world.store);
}

static char remembered[1 << 12];
static size_t remembered_size;

static void damage_sequences(void)
{
	remembered_size =
		get_file(in_store("sequences"), remembered, sizeof(remembered));
	put_file(in_store("sequences"), remembered, remembered_size - 3);
}

static void mend_sequences(void)
{
	put_file(in_store("sequences"), remembered, remembered_size);
}

static void open_sequences(void)
{
	change_mode(in_store("sequences"), 0666);
}

static void close_sequences(void)
{
	change_mode(in_store("sequences"), 0600);
}

#define ROW(name, status, text, undo)                                          \
	{                                                                      \
		.promise = #name, .expected = HOTPATCH_##status, .word = text, \
		.then = name, .mend = undo,                                    \
	}

static const struct bad_bundle rows[] = {
	ROW(open_key_directory, E_UNSAFE_PATH, "/keys", close_key_directory),
	ROW(open_parent, E_UNSAFE_PATH, "written by others", close_parent),
	ROW(open_key_file, E_UNSAFE_PATH, "trusted.pub", close_key_file),
	ROW(link_key_directory, E_UNSAFE_PATH, "link", unlink_key_directory),
	ROW(link_key_file, E_NOT_REGULAR, "link", unlink_key_file),
	ROW(remove_key_directory, E_NOT_FOUND, "/keys", return_key_directory),
	ROW(add_damaged_key, E_KEY, "damaged.pub", remove_file),
	ROW(add_namesake, E_KEY, "another key", remove_file),
	ROW(damage_revoked, E_KEY, "not an id", mend_revoked),
	ROW(revoke_the_trusted_one, E_REVOKED_KEY, "A0A0A0A0A0A0A0A0",
	    mend_revoked),
	ROW(open_store, E_UNSAFE_PATH, "/store", close_store),
	ROW(link_store, E_UNSAFE_PATH, "link", unlink_store),
	ROW(damage_sequences, E_STORE, "damaged", mend_sequences),
	ROW(open_sequences, E_UNSAFE_PATH, "sequences", close_sequences),
};

BAD_GROUP(key_rows, rows);

#endif
