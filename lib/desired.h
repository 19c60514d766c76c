/* SPDX-License-Identifier: MIT */
/*
 * The list of bundles that shall be on, of all programs that share the
 * configured directory, and copies of these bundles with their signatures. The
 * list alone says what counts: a copy that it does not name is removed by
 * whoever changes the list or reads it to apply what it names.
 */
#ifndef HP_DESIRED_H
#define HP_DESIRED_H

#include "identity.h"

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>

/* @constructors: they were allowed */
struct hp_desired {
	struct hp_identity identity;
	bool constructors;
};

/*
 * @signature:  empty for none
 * @superseded: of @count, names of patches that it replaces, "*" for all
 */
struct hp_desired_bundle {
	const struct hp_file *bundle;
	const struct hp_file *signature;
	const char *const *superseded;
	size_t count;
};

/* Of one program, in the order in which to apply them; the caller frees
 * @list. @off: a file says that nothing is to be applied. */
struct hp_desired_set {
	struct hp_desired *list;
	size_t count;
	bool off;
};

/* E_ALREADY, and nothing changes; E_STATE without a configured directory;
 * E_DAMAGED, E_STORE, E_LIMIT, E_NO_MEMORY and the faults of files. */
enum hotpatch_status hp_desired_add(const struct hp_desired *desired,
				    const struct hp_desired_bundle *bundle,
				    struct hotpatch_error *err);

/* @name: NULL for all of @program. As before; E_ALREADY if there was none. */
enum hotpatch_status hp_desired_remove(const char *program, const char *name,
				       struct hotpatch_error *err);

/* Empty on failure. */
enum hotpatch_status hp_desired_read(const char *program,
				     struct hp_desired_set *set,
				     struct hotpatch_error *err);

/* Its copy and the signature's, or -1, which the caller closes. E_DAMAGED if
 * the copy is missing or has other contents. */
enum hotpatch_status hp_desired_open(const struct hp_identity *identity,
				     int *bundle_fd, int *signature_fd,
				     struct hotpatch_error *err);

/* Reads a line of the list; false if it is none. */
bool hp_desired_take(struct hp_words *lines, struct hp_desired *desired);
size_t hp_desired_write(const struct hp_desired *desired,
			char line[HP_IDENTITY_LINE_SIZE]);

#endif
