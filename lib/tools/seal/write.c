/* SPDX-License-Identifier: MIT */
/*
 * Writes the seal: notes over the room that HOTPATCH_BUNDLE() left for them,
 * and each replacement's or redirect's hash into its own note. Nothing in the
 * file moves, so whatever reads ELF files takes the sealed one as it took the
 * other. An earlier seal is written over.
 */
#include "seal.h"

#include "../../elf_file.h"
#include "../../sealed.h"
#include "../../status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_ROOM HOTPATCH_PAD_(sizeof(HOTPATCH_NOTE_OWNER))
#define NOTE_HEAD (3 * sizeof(uint32_t) + OWNER_ROOM)

/* The room in a copy of the file, and what is written into it. */
struct room {
	const struct hp_seal *seal;
	unsigned char *bytes; /* the copy */
	size_t start;
	size_t stop;
	size_t replaces; /* notes of replacements seen */
	unsigned char *notes;
	size_t size; /* written, or wanted if that is more than there is */
	size_t capacity;
};

/* The seal's notes lie one after the other. */
static enum hotpatch_status find_room(void *context, const struct hp_note *note)
{
	struct room *room = context;
	const unsigned char *file = room->seal->file.bytes;
	size_t start = (size_t)(note->bytes - file);
	size_t field = offsetof(struct hotpatch_note_replace, abi_hash);
	uint64_t hash;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type))
		return HOTPATCH_OK;
	if (note->type == HOTPATCH_NOTE_REPLACE ||
	    note->type == HOTPATCH_NOTE_REDIRECT) {
		hash = room->seal->hashes[room->replaces++];
		memcpy(room->bytes + start + field, &hash, sizeof(hash));
	}
	if (!hp_sealed_is_note(note->type) ||
	    (room->stop && start - NOTE_HEAD != room->stop))
		return HOTPATCH_OK;
	if (!room->stop)
		room->start = start - NOTE_HEAD;
	room->stop = start + HOTPATCH_PAD_(note->size);
	return HOTPATCH_OK;
}

static void put(struct room *room, const void *bytes, size_t size)
{
	if (room->size + size <= room->capacity && size)
		memcpy(room->notes + room->size, bytes, size);
	room->size += size;
}

static void begin_note(struct room *room, uint32_t type, size_t size)
{
	const uint32_t head[3] = {sizeof(HOTPATCH_NOTE_OWNER),
				  (uint32_t)HOTPATCH_PAD_(size), type};
	char owner[OWNER_ROOM] = HOTPATCH_NOTE_OWNER;

	put(room, head, sizeof(head));
	put(room, owner, sizeof(owner));
}

static void put_texts(struct room *room, const char *one, const char *other)
{
	size_t size = strlen(one) + strlen(other) + 2;

	put(room, one, strlen(one) + 1);
	put(room, other, strlen(other) + 1);
	put(room, "\0\0\0", HOTPATCH_PAD_(size) - size);
}

static void put_build(struct room *room, const struct hp_binary *target,
		      const struct hp_facts *facts)
{
	const struct hotpatch_note_build head = {HOTPATCH_ABI_HASH, 0};
	size_t functions = facts->function_count * sizeof(*facts->functions);
	size_t imports = facts->import_count * sizeof(*facts->imports);
	size_t redirects = facts->redirect_count * sizeof(*facts->redirects);

	begin_note(room, HOTPATCH_NOTE_BUILD,
		   sizeof(head) + strlen(target->module) +
			   strlen(target->build_id) + 2);
	put(room, &head, sizeof(head));
	put_texts(room, target->module, target->build_id);
	if (functions) {
		begin_note(room, HOTPATCH_NOTE_SEALED_FUNCTIONS, functions);
		put(room, facts->functions, functions);
	}
	if (imports) {
		begin_note(room, HOTPATCH_NOTE_SEALED_IMPORTS, imports);
		put(room, facts->imports, imports);
	}
	if (redirects) {
		begin_note(room, HOTPATCH_NOTE_SEALED_REDIRECTS, redirects);
		put(room, facts->redirects, redirects);
	}
}

static void put_allowed(struct room *room)
{
	const struct hp_allowance *allowance = room->seal->problems.allowances;
	const char *reason;
	size_t i;

	for (i = 0; i < room->seal->problems.allowance_count;
	     i++, allowance++) {
		if (!allowance->used)
			continue;
		reason = hp_reason_text(allowance->reason);
		begin_note(room, HOTPATCH_NOTE_ALLOW,
			   strlen(reason) + strlen(allowance->object) + 2);
		put_texts(room, reason, allowance->object);
	}
}

/* What is left stays a note of its own. */
static void put_rest(struct room *room)
{
	size_t left = room->capacity - room->size;

	if (!left)
		return;
	begin_note(room, HOTPATCH_NOTE_ROOM, left - NOTE_HEAD);
	memset(room->notes + room->size, 0, room->capacity - room->size);
}

static enum hotpatch_status fill(struct room *room, struct hotpatch_error *err)
{
	const struct hp_seal *seal = room->seal;
	size_t i;

	room->notes = room->bytes + room->start;
	room->capacity = room->stop - room->start;
	for (i = 0; i < seal->target_count; i++)
		put_build(room, &seal->targets[i], &seal->facts[i]);
	put_allowed(room);
	if (room->size == room->capacity ||
	    room->size + NOTE_HEAD <= room->capacity) {
		put_rest(room);
		return HOTPATCH_OK;
	}
	return hp_error(err, HOTPATCH_E_SEAL_ROOM, 0, seal->path,
			"%s has %zu bytes of room for its seal and needs %zu; "
			"compile it with -DHOTPATCH_SEAL_ROOM=%zu",
			seal->path, room->capacity, room->size + NOTE_HEAD,
			room->size + 2 * NOTE_HEAD);
}

static enum hotpatch_status io_error(const char *path, const char *what,
				     struct hotpatch_error *err)
{
	int cause = errno;

	return hp_error(err,
			cause == EACCES || cause == EPERM || cause == EROFS ?
				HOTPATCH_E_PERMISSION :
				HOTPATCH_E_IO,
			cause, path, "%s could not be %s: %s", path, what,
			strerror(cause));
}

static bool write_all(int fd, const unsigned char *bytes, size_t size)
{
	ssize_t got;

	while (size) {
		got = write(fd, bytes, size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		bytes += got;
		size -= (size_t)got;
	}
	return true;
}

/* Beside its place, then in one step there. The mode is that of the bundle. */
static enum hotpatch_status replace_file(const struct room *room,
					 const char *path,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	char beside[PATH_MAX];
	struct stat origin;
	int fd;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >=
	    (int)sizeof(beside))
		return hp_error(err, HOTPATCH_E_IO, ENAMETOOLONG, path,
				"%s is too long a path", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return io_error(path, "written", err);
	if (stat(room->seal->path, &origin) ||
	    fchmod(fd, origin.st_mode & 0777) ||
	    !write_all(fd, room->bytes, room->seal->file.size) || fsync(fd))
		status = io_error(path, "written", err);
	close(fd);
	if (status == HOTPATCH_OK && rename(beside, path))
		status = io_error(path, "replaced", err);
	if (status != HOTPATCH_OK)
		unlink(beside);
	return status;
}

enum hotpatch_status hp_seal_write(const struct hp_seal *seal, const char *path,
				   struct hotpatch_error *err)
{
	struct hp_elf elf = {
		.bytes = seal->file.bytes,
		.size = seal->file.size,
		.object = seal->path,
		.err = err,
	};
	struct room room = {.seal = seal};
	enum hotpatch_status status = hp_elf_read(&elf);

	if (status != HOTPATCH_OK)
		return status;
	room.bytes = malloc(seal->file.size);
	if (!room.bytes)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, seal->path,
				"no memory to seal %s", seal->path);
	memcpy(room.bytes, seal->file.bytes, seal->file.size);
	status = hp_elf_each_note(&elf, find_room, &room);
	if (status == HOTPATCH_OK)
		status = fill(&room, err);
	if (status == HOTPATCH_OK)
		status = replace_file(&room, path, err);
	free(room.bytes);
	return status;
}
