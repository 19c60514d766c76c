/* SPDX-License-Identifier: MIT */
/*
 * Files of others, read whole: bounded, without following links, and judged by
 * what was read alone, since the file may change at any time.
 */
#ifndef HP_FILE_H
#define HP_FILE_H

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HP_BUNDLE_LIMIT ((size_t)256 << 20)

/* The bytes of a file, in memory of their own. */
struct hp_file {
	void *bytes;
	size_t size;
	uint64_t digest; /* of the bytes; tells files apart, proves nothing */
};

/* A descriptor that is kept, and what it was opened for: a host that closes all
 * it finds, as daemons do, may have something else under that number by now. */
struct hp_kept {
	int fd; /* -1 for none */
	dev_t device;
	ino_t inode;
};

/* False with errno if it cannot be looked at. */
bool hp_file_keep(int fd, struct hp_kept *kept);

/* Is it still what it was? Async-signal-safe, as the next one. */
bool hp_file_is_kept(const struct hp_kept *kept);

/* Closes it, if so. */
void hp_file_let_go(struct hp_kept *kept);

/* E_NOT_FOUND, E_PERMISSION, E_NOT_REGULAR (also a link), E_TOO_LARGE, E_IO,
 * E_TRUNCATED if it shrinks meanwhile, E_NO_MEMORY. */
enum hotpatch_status hp_file_read(const char *path, struct hp_file *file,
				  struct hotpatch_error *err);
enum hotpatch_status hp_file_read_fd(int fd, const char *object,
				     struct hp_file *file,
				     struct hotpatch_error *err);
void hp_file_release(struct hp_file *file);

/*
 * The same for files of at most @limit bytes; @name is looked up in the open
 * directory @directory_fd, or AT_FDCWD. @object is what errors call it.
 */
enum hotpatch_status hp_file_open(int directory_fd, const char *name,
				  const char *object, int *fd,
				  struct hotpatch_error *err);
enum hotpatch_status hp_file_read_bounded(int fd, size_t limit,
					  const char *object,
					  struct hp_file *file,
					  struct hotpatch_error *err);

/* Tells bytes apart that went wrong by accident, not by intent. */
uint64_t hp_file_digest(const void *bytes, size_t size);

/* The beginning of a text, such as those of /proc are, as far as @size has room
 * for it and its NUL; false if it cannot be read, or is empty. */
bool hp_file_read_text(const char *path, char *text, size_t size);

/* All of it, whatever interrupts; false with errno. */
bool hp_file_write(int fd, const void *bytes, size_t size);

/* What a file is made of. */
struct hp_file_contents {
	const void *bytes;
	size_t size;
	mode_t mode;
};

/*
 * Gives @name in an open directory these contents in one step, by way of @part,
 * which nobody else writes. False with errno, and then it is as it was. The
 * directory is for the caller to sync.
 */
bool hp_file_replace(int directory_fd, const char *name, const char *part,
		     const struct hp_file_contents *contents);

#endif
