/* SPDX-License-Identifier: MIT */
/*
 * A text file, and a folder of copies that are named after their contents. A
 * bundle is copied before it is on the list, and its copy removed after it is
 * off, so that whoever is killed in between leaves at most a copy too many.
 */
#include "desired.h"

#include "copy.h"
#include "quarantine.h"
#include "signature.h"
#include "status.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "bundles"
#define OFF "off"
#define LIMIT 256
#define LINE_SIZE HP_IDENTITY_LINE_SIZE
#define BUNDLE_SUFFIX ".so"
#define SIGNATURE_SUFFIX ".so.minisig"
#define PART_SUFFIX ".part"
#define FILE_NAME_SIZE (HP_CONTENTS_SIZE + 24)

static const struct hp_ledger ledger = {
	.name = "desired",
	.next_name = "desired.next",
	.first = "hotpatch desired 1\n",
	.loss = "which bundles shall be on",
	.damaged = HOTPATCH_E_DAMAGED,
};

/* The list while it is looked at. */
struct list {
	int directory_fd;
	struct hp_desired *items; /* with room for one more */
	size_t count;
};

/* ---- Lines ---- */

bool hp_desired_take(struct hp_words *lines, struct hp_desired *desired)
{
	struct hp_words line;
	char flags[2];

	if (!hp_words_take(lines, '\n', &line) ||
	    !hp_identity_take(&line, &desired->identity) ||
	    !hp_words_copy(&line, flags, sizeof(flags)))
		return false;
	desired->constructors = flags[0] == 'c';
	return desired->constructors || flags[0] == '-';
}

size_t hp_desired_write(const struct hp_desired *desired, char line[LINE_SIZE])
{
	size_t length = hp_identity_write(&desired->identity, line);

	line[length++] = desired->constructors ? 'c' : '-';
	line[length++] = '\n';
	return length;
}

static enum hotpatch_status no_memory(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, ledger.name,
			"no memory for the list of bundles that shall be on");
}

static size_t count_lines(const struct hp_words *lines)
{
	const char *at;
	size_t count = 0;

	for (at = lines->at; at < lines->end; at++)
		count += *at == '\n';
	return count;
}

static enum hotpatch_status parse(struct hp_words lines, struct list *list,
				  struct hotpatch_error *err)
{
	size_t count = count_lines(&lines);

	list->items = calloc(count + 1, sizeof(*list->items));
	if (!list->items) {
		no_memory(err);
		return HOTPATCH_E_NO_MEMORY;
	}
	while (hp_words_size(&lines))
		if (list->count == count ||
		    !hp_desired_take(&lines, &list->items[list->count++]))
			return hp_ledger_damaged(&ledger, err);
	return HOTPATCH_OK;
}

/* Locks the directory and reads the list; on success the caller owes end(). */
static enum hotpatch_status begin(struct list *list, struct hotpatch_error *err)
{
	struct hp_file file = {0};
	enum hotpatch_status status;
	struct hp_words lines;

	*list = (struct list){.directory_fd = -1};
	status = hp_store_lock(&list->directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status =
		hp_ledger_read(&ledger, list->directory_fd, &file, &lines, err);
	if (status == HOTPATCH_OK)
		status = parse(lines, list, err);
	hp_file_release(&file);
	if (status != HOTPATCH_OK) {
		free(list->items);
		hp_store_unlock();
	}
	return status;
}

static void end(struct list *list)
{
	hp_store_unlock();
	free(list->items);
}

static enum hotpatch_status replace(const struct list *list, const char *object,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status;
	size_t size = 0;
	char *text;
	size_t i;

	text = malloc((list->count + 1) * LINE_SIZE);
	if (!text)
		return no_memory(err);
	for (i = 0; i < list->count; i++)
		size += hp_desired_write(&list->items[i], text + size);
	status = hp_ledger_replace(&ledger, list->directory_fd, text, size,
				   object, err);
	free(text);
	return status;
}

/* ---- Copies ---- */

static enum hotpatch_status store_error(struct hotpatch_error *err,
					const char *what)
{
	int cause = errno;

	return hp_error(err, HOTPATCH_E_STORE, cause, FOLDER, FOLDER " %s: %s",
			what, strerror(cause));
}

static void name_file(char name[FILE_NAME_SIZE], const char *contents,
		      const char *suffix)
{
	snprintf(name, FILE_NAME_SIZE, "%s%s", contents, suffix);
}

static bool write_file(int folder_fd, const char *name,
		       const struct hp_file *file)
{
	const struct hp_file_contents contents = {file->bytes, file->size,
						  0400};
	char part[FILE_NAME_SIZE + sizeof(PART_SUFFIX)];

	snprintf(part, sizeof(part), "%s" PART_SUFFIX, name);
	return hp_file_replace(folder_fd, name, part, &contents);
}

static enum hotpatch_status copy(int directory_fd,
				 const struct hp_identity *identity,
				 const struct hp_desired_bundle *bundle,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	char name[FILE_NAME_SIZE];
	int folder_fd;
	bool done;

	status = hp_folder_make(directory_fd, FOLDER, &folder_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	name_file(name, identity->contents, BUNDLE_SUFFIX);
	done = write_file(folder_fd, name, bundle->bundle);
	if (done && bundle->signature->size) {
		name_file(name, identity->contents, SIGNATURE_SUFFIX);
		done = write_file(folder_fd, name, bundle->signature);
	}
	if (!done || fsync(folder_fd))
		status = store_error(err, "takes no copy");
	close(folder_fd);
	return status;
}

static bool is_named(const struct list *list, const char *file)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		const char *contents = list->items[i].identity.contents;
		size_t length = strlen(contents);

		if (!strncmp(file, contents, length) &&
		    (!strcmp(file + length, BUNDLE_SUFFIX) ||
		     !strcmp(file + length, SIGNATURE_SUFFIX)))
			return true;
	}
	return false;
}

/* What is not on the list goes; what cannot be removed is tried next time. */
static void sweep(const struct list *list)
{
	const struct dirent *entry;
	int folder_fd;
	DIR *folder;
	int fd;

	if (hp_folder_open(list->directory_fd, FOLDER, &folder_fd, NULL))
		return;
	fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder && fd >= 0)
		close(fd);
	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && !is_named(list, entry->d_name))
			unlinkat(folder_fd, entry->d_name, 0);
	if (folder)
		closedir(folder);
	close(folder_fd);
	/* Only an empty one goes. */
	unlinkat(list->directory_fd, FOLDER, AT_REMOVEDIR);
}

static enum hotpatch_status damaged_copy(const struct hp_identity *identity,
					 struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_DAMAGED, 0, identity->name,
			"the copy of %s in the private directory is missing "
			"or damaged",
			identity->name);
}

/* Its digest tells what went wrong by accident; who wants to cheat meets the
 * signature. */
static enum hotpatch_status check_copy(int fd,
				       const struct hp_identity *identity,
				       struct hotpatch_error *err)
{
	char contents[HP_CONTENTS_SIZE];
	struct hp_file file = {0};
	enum hotpatch_status status;

	status = hp_file_read_fd(fd, identity->name, &file, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_identity_contents(&file, contents);
	hp_file_release(&file);
	return strcmp(contents, identity->contents) ?
		       damaged_copy(identity, err) :
		       HOTPATCH_OK;
}

static enum hotpatch_status open_files(int folder_fd,
				       const struct hp_identity *identity,
				       int *bundle_fd, int *signature_fd,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct hotpatch_error why;
	char name[FILE_NAME_SIZE];

	name_file(name, identity->contents, BUNDLE_SUFFIX);
	status = hp_file_open(folder_fd, name, identity->name, bundle_fd, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return damaged_copy(identity, err);
	if (status == HOTPATCH_OK)
		status = check_copy(*bundle_fd, identity, err);
	if (status != HOTPATCH_OK)
		return status;
	name_file(name, identity->contents, SIGNATURE_SUFFIX);
	status = hp_file_open(folder_fd, name, identity->name, signature_fd,
			      &why);
	if (status == HOTPATCH_E_NOT_FOUND)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK && err)
		*err = why;
	return status;
}

enum hotpatch_status hp_desired_open(const struct hp_identity *identity,
				     int *bundle_fd, int *signature_fd,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int directory_fd;
	int folder_fd;

	*bundle_fd = -1;
	*signature_fd = -1;
	status = hp_store_lock(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_folder_open(directory_fd, FOLDER, &folder_fd, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		status = damaged_copy(identity, err);
	if (status == HOTPATCH_OK) {
		status = open_files(folder_fd, identity, bundle_fd,
				    signature_fd, err);
		close(folder_fd);
	}
	hp_store_unlock();
	if (status != HOTPATCH_OK && *bundle_fd >= 0) {
		close(*bundle_fd);
		*bundle_fd = -1;
	}
	return status;
}

/* ---- The list ---- */

static bool replaces(const struct hp_desired *desired,
		     const struct hp_desired_bundle *bundle,
		     const struct hp_identity *other)
{
	size_t i;

	if (strcmp(other->program, desired->identity.program) != 0)
		return false;
	if (!strcmp(other->name, desired->identity.name))
		return true;
	for (i = 0; i < bundle->count; i++)
		if (!strcmp(bundle->superseded[i], "*") ||
		    !strcmp(bundle->superseded[i], other->name))
			return true;
	return false;
}

static bool is_there(const struct list *list, const struct hp_desired *desired)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (hp_identity_equals(&list->items[i].identity,
				       &desired->identity) &&
		    list->items[i].constructors == desired->constructors)
			return true;
	return false;
}

static enum hotpatch_status add(struct list *list,
				const struct hp_desired *desired,
				const struct hp_desired_bundle *bundle,
				struct hotpatch_error *err)
{
	const char *name = desired->identity.name;
	enum hotpatch_status status;
	size_t kept = 0;
	size_t i;

	if (is_there(list, desired))
		return hp_error(err, HOTPATCH_E_ALREADY, 0, name,
				"%s is desired already", name);
	for (i = 0; i < list->count; i++)
		if (!replaces(desired, bundle, &list->items[i].identity))
			list->items[kept++] = list->items[i];
	if (kept >= LIMIT)
		return hp_error(err, HOTPATCH_E_LIMIT, 0, name,
				"%d bundles are desired, which is the limit",
				LIMIT);
	list->items[kept++] = *desired;
	status = copy(list->directory_fd, &desired->identity, bundle, err);
	if (status != HOTPATCH_OK)
		return status;
	list->count = kept;
	return replace(list, name, err);
}

/* Also those of a change that failed: the list that counts is read again. */
static void clean(int directory_fd)
{
	struct list list = {.directory_fd = directory_fd};
	struct hp_file file = {0};
	struct hp_words lines;

	if (!hp_ledger_read(&ledger, directory_fd, &file, &lines, NULL) &&
	    !parse(lines, &list, NULL))
		sweep(&list);
	free(list.items);
	hp_file_release(&file);
}

enum hotpatch_status hp_desired_add(const struct hp_desired *desired,
				    const struct hp_desired_bundle *bundle,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct list list;

	status = begin(&list, err);
	if (status != HOTPATCH_OK)
		return status;
	status = add(&list, desired, bundle, err);
	if (status != HOTPATCH_E_ALREADY)
		clean(list.directory_fd);
	end(&list);
	return status;
}

enum hotpatch_status hp_desired_remove(const char *program, const char *name,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct list list;
	size_t kept = 0;
	size_t i;

	status = begin(&list, err);
	if (status != HOTPATCH_OK)
		return status;
	for (i = 0; i < list.count; i++)
		if (strcmp(list.items[i].identity.program, program) != 0 ||
		    (name && strcmp(list.items[i].identity.name, name) != 0))
			list.items[kept++] = list.items[i];
	if (kept == list.count) {
		status = hp_error(err, HOTPATCH_E_ALREADY, 0,
				  name ? name : program,
				  "nothing %s is desired of %s",
				  name ? "by that name" : "at all", program);
	} else {
		list.count = kept;
		status = replace(&list, name ? name : program, err);
		clean(list.directory_fd);
	}
	end(&list);
	return status;
}

/* One that cannot be looked at counts as there. */
static bool is_off(int directory_fd)
{
	int fd = openat(directory_fd, OFF,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != ENOENT;
}

enum hotpatch_status hp_desired_read(const char *program,
				     struct hp_desired_set *set,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct list list;
	size_t i;

	*set = (struct hp_desired_set){0};
	status = begin(&list, err);
	if (status != HOTPATCH_OK)
		return status;
	sweep(&list);
	hp_ledger_sweep(&ledger, list.directory_fd);
	hp_ledger_sweep(&hp_quarantine_ledger, list.directory_fd);
	set->off = is_off(list.directory_fd);
	for (i = 0; i < list.count; i++)
		if (!strcmp(list.items[i].identity.program, program))
			list.items[set->count++] = list.items[i];
	hp_store_unlock();
	set->list = list.items;
	return HOTPATCH_OK;
}
