/* SPDX-License-Identifier: MIT */
/*
 * One small file for each bundle on probation, with who wrote it and what for.
 * The writer holds a record lock on it, which ends with the process, however
 * that ends, and which no child inherits. A host that closes all descriptors
 * loses it, so one that is free proves nothing until the process's number and
 * start were looked at, too.
 */
#include "probation.h"

#include "atomic.h"
#include "copy.h"
#include "quarantine.h"
#include "status.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "probation"
#define FIRST "hotpatch probation 1\n"
#define FILE_NAME_SIZE 48
#define NAME_TRIES 1000
#define FILE_LIMIT ((size_t)4 << 10)
#define LONG_REASON_SIZE (HP_REASON_SIZE + 32)
#define TEXT_SIZE (HP_IDENTITY_LINE_SIZE + HP_BOOT_SIZE + 128)

/*
 * A marker of this process. Guarded by the store's lock, but for handlers:
 * @there is stored last, and the rest stays while it is set.
 */
struct marker {
	bool there;
	unsigned int count; /* of marks that were not cleared */
	pid_t owner;
	struct hp_kept kept;
	char file[FILE_NAME_SIZE];
	struct hp_identity identity;
};

static struct marker markers[HP_PROBATION_LIMIT];

static enum hotpatch_status store_error(struct hotpatch_error *err,
					const char *what)
{
	int cause = errno;

	return hp_error(err, HOTPATCH_E_STORE, cause, FOLDER, FOLDER " %s: %s",
			what, strerror(cause));
}

static bool is_own(const struct marker *marker)
{
	/* Relaxed: under the lock, or what the caller acquired. */
	return hp_load_relaxed(&marker->there) && marker->owner == getpid();
}

static struct marker *find(const struct hp_identity *identity)
{
	size_t i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (is_own(&markers[i]) &&
		    hp_identity_equals(&markers[i].identity, identity))
			return &markers[i];
	return NULL;
}

static struct marker *find_free(void)
{
	size_t i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (!is_own(&markers[i]))
			return &markers[i];
	return NULL;
}

static bool any_is_own(void)
{
	size_t i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (is_own(&markers[i]))
			return true;
	return false;
}

static void forget(struct marker *marker)
{
	hp_store_relaxed(&marker->there, false); /* a handler may be late */
	hp_file_let_go(&marker->kept);
}

/* Only an empty one goes. */
static void remove_folder(int directory_fd)
{
	unlinkat(directory_fd, FOLDER, AT_REMOVEDIR);
}

/* ---- Markers ---- */

static size_t write_text(const struct hp_identity *identity,
			 char text[TEXT_SIZE])
{
	char line[HP_IDENTITY_LINE_SIZE];
	struct hp_process self;

	hp_process_self(&self);
	hp_identity_write(identity, line);
	return (size_t)snprintf(text, TEXT_SIZE,
				FIRST "%" PRIu64 " %" PRIu64 " %" PRIu64
				      " %s %s\n",
				self.number, self.started, self.space,
				self.boot, line);
}

static bool take_process(struct hp_words *line, struct hp_process *process)
{
	struct hp_words word;

	return hp_words_take(line, ' ', &word) &&
	       hp_words_number(&word, &process->number) &&
	       hp_words_take(line, ' ', &word) &&
	       hp_words_number(&word, &process->started) &&
	       hp_words_take(line, ' ', &word) &&
	       hp_words_number(&word, &process->space) &&
	       hp_words_take(line, ' ', &word) &&
	       hp_words_copy(&word, process->boot, HP_BOOT_SIZE);
}

bool hp_probation_read(const struct hp_file *file,
		       struct hp_probationer *probationer)
{
	const char *bytes = file->bytes;
	struct hp_words text = {bytes, bytes + file->size};
	struct hp_words line;

	if (file->size < strlen(FIRST) ||
	    memcmp(bytes, FIRST, strlen(FIRST)) != 0)
		return false;
	text.at += strlen(FIRST);
	if (!hp_words_take(&text, '\n', &line) ||
	    !take_process(&line, &probationer->process) ||
	    !hp_identity_take(&line, &probationer->identity) ||
	    hp_words_size(&line))
		return false;
	/* The process may have ended in the middle of it. */
	if (!hp_words_take(&text, '\n', &line))
		line = text;
	if (!hp_words_copy(&line, probationer->note, HP_REASON_SIZE))
		probationer->note[0] = '\0';
	return true;
}

/* A name that nobody has; the names of other namespaces' processes may be the
 * same. -1 with errno. */
static int make_file(int folder_fd, char name[FILE_NAME_SIZE])
{
	unsigned int i;
	int fd = -1;

	for (i = 0; i < NAME_TRIES; i++) {
		snprintf(name, FILE_NAME_SIZE, "%d-%u", (int)getpid(), i);
		fd = openat(folder_fd, name,
			    O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC,
			    0600);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	return fd;
}

static bool fill(int fd, int folder_fd, const struct hp_identity *identity)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[TEXT_SIZE];
	size_t size = write_text(identity, text);

	return !fcntl(fd, F_SETLK, &whole) && hp_file_write(fd, text, size) &&
	       !fsync(fd) && !fsync(folder_fd);
}

static enum hotpatch_status write_marker(int folder_fd, struct marker *marker,
					 const struct hp_identity *identity,
					 struct hotpatch_error *err)
{
	int fd = make_file(folder_fd, marker->file);
	enum hotpatch_status status;

	if (fd < 0)
		return store_error(err, "takes no marker");
	if (fill(fd, folder_fd, identity) && hp_file_keep(fd, &marker->kept)) {
		marker->identity = *identity;
		marker->owner = getpid();
		marker->count = 1;
		/* Release pairs with hp_probation_note(). */
		hp_store_release(&marker->there, true);
		return HOTPATCH_OK;
	}
	status = store_error(err, "takes no marker");
	unlinkat(folder_fd, marker->file, 0);
	close(fd);
	return status;
}

static enum hotpatch_status mark(int directory_fd,
				 const struct hp_identity *identity,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct marker *marker;
	int folder_fd;

	marker = find(identity);
	if (marker) {
		marker->count++;
		return HOTPATCH_OK;
	}
	marker = find_free();
	if (!marker)
		return hp_error(err, HOTPATCH_E_LIMIT, 0, identity->name,
				"%d bundles are on probation, which is the "
				"limit",
				HP_PROBATION_LIMIT);
	status = hp_folder_make(directory_fd, FOLDER, &folder_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = write_marker(folder_fd, marker, identity, err);
	close(folder_fd);
	if (status != HOTPATCH_OK)
		remove_folder(directory_fd);
	return status;
}

enum hotpatch_status hp_probation_mark(const struct hp_identity *identity,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int directory_fd;

	status = hp_store_lock(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = mark(directory_fd, identity, err);
	hp_store_unlock();
	return status;
}

/* If the folder was taken away, so was the marker. */
static enum hotpatch_status clear(int directory_fd, struct marker *marker,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int folder_fd;

	status = hp_folder_open(directory_fd, FOLDER, &folder_fd, err);
	if (status == HOTPATCH_OK) {
		if (unlinkat(folder_fd, marker->file, 0) && errno != ENOENT)
			status = store_error(err, "keeps a marker");
		close(folder_fd);
	} else if (status == HOTPATCH_E_NOT_FOUND) {
		status = HOTPATCH_OK;
	}
	if (status == HOTPATCH_OK) {
		forget(marker);
		remove_folder(directory_fd);
	}
	return status;
}

enum hotpatch_status hp_probation_clear(const struct hp_identity *identity,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct marker *marker;
	int directory_fd;

	status = hp_store_lock(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	marker = find(identity);
	if (marker && marker->count > 1)
		marker->count--;
	else if (marker)
		status = clear(directory_fd, marker, err);
	hp_store_unlock();
	return status;
}

void hp_probation_finish(void)
{
	int directory_fd = -1; /* which compilers cannot see to be set */
	size_t i;

	if (!any_is_own() || hp_store_lock(&directory_fd, NULL) != HOTPATCH_OK)
		return;
	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (is_own(&markers[i]))
			clear(directory_fd, &markers[i], NULL);
	hp_store_unlock();
}

void hp_probation_fork_child(void)
{
	size_t i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (hp_load_relaxed(&markers[i].there)) /* of this thread */
			forget(&markers[i]);
}

void hp_probation_note(const char *text, size_t size)
{
	char line[HP_REASON_SIZE];
	int cause = errno;
	size_t i;

	if (size > sizeof(line) - 1)
		size = sizeof(line) - 1;
	for (i = 0; i < size; i++) {
		line[i] = text[i];
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[size] = '\n';
	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		/* Acquire pairs with the release in write_marker(). */
		if (hp_load_acquire(&markers[i].there) && is_own(&markers[i]) &&
		    hp_file_is_kept(&markers[i].kept))
			hp_file_write(markers[i].kept.fd, line, size + 1);
	errno = cause;
}

/* ---- Those of others ---- */

static bool is_own_file(const char *name)
{
	size_t i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++)
		if (is_own(&markers[i]) && !strcmp(markers[i].file, name))
			return true;
	return false;
}

/* Where there are no such locks, the process itself has to be looked at. */
static bool is_locked(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_GETLK, &whole) && whole.l_type != F_UNLCK;
}

static void explain(const struct hp_probationer *probationer,
		    enum hp_process_fate fate, char reason[LONG_REASON_SIZE])
{
	if (probationer->note[0])
		snprintf(reason, LONG_REASON_SIZE, "ended by itself: %s",
			 probationer->note);
	else if (fate == HP_PROCESS_GONE_WITH_BOOT)
		strcpy(reason, "ended with the machine during probation");
	else
		strcpy(reason, "ended during probation");
}

/* @done: the marker has done its duty. */
static enum hotpatch_status judge(int directory_fd, const struct hp_file *file,
				  bool *done, struct hotpatch_error *err)
{
	struct hp_probationer probationer;
	char reason[LONG_REASON_SIZE];
	enum hp_process_fate fate;

	/* Not written to its end: then nothing was visible yet. */
	*done = !hp_probation_read(file, &probationer);
	if (*done)
		return HOTPATCH_OK;
	fate = hp_process_look(&probationer.process);
	*done = fate != HP_PROCESS_HERE;
	/* A program that starts another one in its place does so on purpose. */
	if (!*done || fate == HP_PROCESS_SELF)
		return HOTPATCH_OK;
	explain(&probationer, fate, reason);
	return hp_quarantine_add_locked(directory_fd, &probationer.identity,
					reason, err);
}

static enum hotpatch_status settle_file(int directory_fd, int folder_fd,
					const char *name,
					struct hotpatch_error *err)
{
	struct hp_file file = {0};
	enum hotpatch_status status;
	bool done = false;
	int fd;

	status = hp_file_open(folder_fd, name, FOLDER, &fd, err);
	if (status != HOTPATCH_OK)
		return status;
	/* Nobody else's: the folder is private. */
	if (!is_locked(fd)) {
		status = hp_file_read_bounded(fd, FILE_LIMIT, FOLDER, &file,
					      err);
		if (status == HOTPATCH_OK)
			status = judge(directory_fd, &file, &done, err);
	}
	close(fd);
	hp_file_release(&file);
	if (status == HOTPATCH_OK && done && unlinkat(folder_fd, name, 0))
		status = store_error(err, "keeps a marker");
	return status;
}

static bool is_marker(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits && name[digits] == '-' &&
	       strspn(name + digits + 1, "0123456789") ==
		       strlen(name + digits + 1);
}

static enum hotpatch_status settle_folder(int directory_fd, int folder_fd,
					  struct hotpatch_error *err)
{
	/* A descriptor of its own, because its place in the list moves. */
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	enum hotpatch_status status = HOTPATCH_OK;
	const struct dirent *entry;

	if (!list) {
		status = store_error(err, "cannot be read");
		if (fd >= 0)
			close(fd);
		return status;
	}
	for (;;) {
		errno = 0;
		entry = readdir(list);
		if (!entry || status != HOTPATCH_OK)
			break;
		if (is_marker(entry->d_name) && !is_own_file(entry->d_name))
			status = settle_file(directory_fd, folder_fd,
					     entry->d_name, err);
	}
	if (!entry && errno)
		status = store_error(err, "cannot be read");
	closedir(list);
	return status;
}

enum hotpatch_status hp_probation_settle(int directory_fd,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int folder_fd;

	status = hp_folder_open(directory_fd, FOLDER, &folder_fd, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK)
		return status;
	status = settle_folder(directory_fd, folder_fd, err);
	close(folder_fd);
	if (status == HOTPATCH_OK)
		remove_folder(directory_fd);
	return status;
}
