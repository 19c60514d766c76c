/* SPDX-License-Identifier: MIT */
/*
 * Gathers keys, and finds the one that a signature names.
 */
#include "keyring.h"

#include "file.h"
#include "path.h"
#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REVOKED_NAME "revoked"
#define REVOKED_FILE_LIMIT ((size_t)256 << 10)
#define KEY_SUFFIX ".pub"
#define BLANKS " \t\r"

/* An open directory of keys. */
struct folder {
	int fd;
	const char *path;
};

static enum hotpatch_status add(struct hp_keyring *ring,
				const struct hp_public_key *key,
				const char *object, struct hotpatch_error *err)
{
	size_t i;

	for (i = 0; i < ring->key_count; i++) {
		if (memcmp(ring->keys[i].number, key->number,
			   sizeof(key->number)) != 0)
			continue;
		if (!memcmp(&ring->keys[i], key, sizeof(*key)))
			return HOTPATCH_OK;
		return hp_error(err, HOTPATCH_E_KEY, 0, object,
				"%s has the number of another key", object);
	}
	if (ring->key_count == HP_KEY_LIMIT)
		return hp_error(err, HOTPATCH_E_LIMIT, 0, object,
				"%s is one key more than the %d that can be "
				"trusted",
				object, HP_KEY_LIMIT);
	ring->keys[ring->key_count++] = *key;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_keyring_add(struct hp_keyring *ring, const char *text,
				    struct hotpatch_error *err)
{
	struct hp_public_key key;
	enum hotpatch_status status;

	status = hp_key_read(text, strlen(text), "the key", &key, err);
	if (status != HOTPATCH_OK)
		return status;
	return add(ring, &key, "the key", err);
}

static enum hotpatch_status revoke_id(struct hp_keyring *ring, const char *text,
				      size_t length, const char *object,
				      struct hotpatch_error *err)
{
	if (ring->revoked_count == HP_REVOKED_LIMIT)
		return hp_error(err, HOTPATCH_E_LIMIT, 0, object,
				"%s revokes more than %d keys", object,
				HP_REVOKED_LIMIT);
	if (!hp_key_id_read(text, length, ring->revoked[ring->revoked_count]))
		return hp_error(err, HOTPATCH_E_KEY, 0, object,
				"%s has an id that is not 16 hexadecimal "
				"digits: \"%.*s\"",
				object, length > 32 ? 32 : (int)length, text);
	ring->revoked_count++;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_keyring_revoke(struct hp_keyring *ring, const char *id,
				       struct hotpatch_error *err)
{
	return revoke_id(ring, id, strlen(id), "the list of revoked keys", err);
}

/* Reads a file of the directory whole, if nobody else could have changed it. */
static enum hotpatch_status read_entry(const struct folder *folder,
				       const char *name, const char *object,
				       size_t limit, struct hp_file *file,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(folder->fd, name, object, &fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_path_check_file(fd, object, err);
	if (status == HOTPATCH_OK)
		status = hp_file_read_bounded(fd, limit, object, file, err);
	close(fd);
	return status;
}

static enum hotpatch_status add_key_file(struct hp_keyring *ring,
					 const struct folder *folder,
					 const char *name,
					 struct hotpatch_error *err)
{
	struct hp_public_key key;
	enum hotpatch_status status;
	struct hp_file file = {0};
	char object[PATH_MAX];

	snprintf(object, sizeof(object), "%s/%s", folder->path, name);
	status =
		read_entry(folder, name, object, HP_KEY_FILE_LIMIT, &file, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_key_file_read(file.bytes, file.size, object, &key, err);
	if (status == HOTPATCH_OK)
		status = add(ring, &key, object, err);
	hp_file_release(&file);
	return status;
}

/* One id, blanks around it, and whatever follows a "#". */
static enum hotpatch_status revoke_line(struct hp_keyring *ring,
					const char *line, size_t length,
					const char *object,
					struct hotpatch_error *err)
{
	const char *end = memchr(line, '#', length);

	if (end)
		length = (size_t)(end - line);
	while (length && strchr(BLANKS, line[length - 1]))
		length--;
	while (length && strchr(BLANKS, *line)) {
		line++;
		length--;
	}
	return length ? revoke_id(ring, line, length, object, err) :
			HOTPATCH_OK;
}

static enum hotpatch_status revoke_lines(struct hp_keyring *ring,
					 const struct hp_file *file,
					 const char *object,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	const char *at = file->bytes;
	size_t left = file->size;
	const char *end;
	size_t length;

	while (left && status == HOTPATCH_OK) {
		end = memchr(at, '\n', left);
		length = end ? (size_t)(end - at) : left;
		status = revoke_line(ring, at, length, object, err);
		length += end ? 1 : 0;
		at += length;
		left -= length;
	}
	return status;
}

static enum hotpatch_status add_revoked(struct hp_keyring *ring,
					const struct folder *folder,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct hp_file file = {0};
	char object[PATH_MAX];

	snprintf(object, sizeof(object), "%s/" REVOKED_NAME, folder->path);
	status = read_entry(folder, REVOKED_NAME, object, REVOKED_FILE_LIMIT,
			    &file, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK)
		return status;
	status = revoke_lines(ring, &file, object, err);
	hp_file_release(&file);
	return status;
}

static bool is_key_name(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(KEY_SUFFIX) &&
	       !strcmp(name + length - strlen(KEY_SUFFIX), KEY_SUFFIX);
}

/* A list that breaks off would make trusted keys strange ones. */
static enum hotpatch_status add_keys(struct hp_keyring *ring,
				     const struct folder *folder, DIR *list,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(list);
		if (!entry && errno)
			return hp_error(err, HOTPATCH_E_IO, errno, folder->path,
					"%s cannot be listed: %s", folder->path,
					strerror(errno));
		if (entry && is_key_name(entry->d_name))
			status = add_key_file(ring, folder, entry->d_name, err);
	} while (entry && status == HOTPATCH_OK);
	return status;
}

enum hotpatch_status hp_keyring_add_directory(struct hp_keyring *ring,
					      const char *path,
					      struct hotpatch_error *err)
{
	struct folder folder = {.path = path};
	enum hotpatch_status status;
	DIR *list;

	status = hp_path_open_directory(path, &folder.fd, err);
	if (status != HOTPATCH_OK)
		return status;
	list = fdopendir(folder.fd);
	if (!list) {
		close(folder.fd);
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, path,
				"no memory to list %s", path);
	}
	status = add_revoked(ring, &folder, err);
	if (status == HOTPATCH_OK)
		status = add_keys(ring, &folder, list, err);
	closedir(list);
	return status;
}

static bool is_revoked(const struct hp_keyring *ring,
		       const unsigned char number[HP_KEY_NUMBER_SIZE])
{
	size_t i;

	for (i = 0; i < ring->revoked_count; i++)
		if (!memcmp(ring->revoked[i], number, HP_KEY_NUMBER_SIZE))
			return true;
	return false;
}

enum hotpatch_status hp_keyring_verify(const struct hp_keyring *ring,
				       const struct hp_signature *signature,
				       const unsigned char hash[HP_HASH_SIZE],
				       const char *object,
				       struct hotpatch_error *err)
{
	char id[HOTPATCH_KEY_ID_SIZE];
	size_t i;

	hp_key_id(signature->number, id);
	if (is_revoked(ring, signature->number))
		return hp_error(err, HOTPATCH_E_REVOKED_KEY, 0, object,
				"%s is signed by the key %s, which was revoked",
				object, id);
	for (i = 0; i < ring->key_count; i++)
		if (!memcmp(ring->keys[i].number, signature->number,
			    HP_KEY_NUMBER_SIZE))
			return hp_signature_verify(signature, &ring->keys[i],
						   hash, object, err);
	return hp_error(err, HOTPATCH_E_UNTRUSTED_KEY, 0, object,
			"%s is signed by the key %s, which is not trusted here",
			object, id);
}
