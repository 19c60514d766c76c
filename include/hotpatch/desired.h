/* SPDX-License-Identifier: MIT */
/*
 * Desired and active are two things: what shall be on is kept in the directory
 * of struct hotpatch_config, for every process of the program, and each process
 * has what it has. A process that starts brings the second to the first with
 * hotpatch_converge(), after hotpatch_configure() and before it serves.
 *
 * A file named "off" in that directory, with any contents, keeps all of it from
 * being applied.
 */
#ifndef HOTPATCH_DESIRED_H
#define HOTPATCH_DESIRED_H

#include <hotpatch/api.h>
#include <hotpatch/patch.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/**
 * struct hotpatch_outcome - what became of one bundle
 * @name:     of the patch
 * @sequence: as its bundle says
 * @reverted: it was not desired, and was to go
 * @status:   HOTPATCH_OK if it was done; HOTPATCH_E_ALREADY if it was so;
 *            HOTPATCH_E_WRONG_TARGET for a bundle of another build;
 *            HOTPATCH_E_QUARANTINED if a process ended while it was on
 *            probation; HOTPATCH_E_DAMAGED if the copy of it is; else what
 *            opening, applying or reverting it gave
 * @sentence: why, "" for the first two
 */
struct hotpatch_outcome {
	char name[HOTPATCH_NAME_SIZE];
	uint64_t sequence;
	bool reverted;
	enum hotpatch_status status;
	char sentence[256];
};

/**
 * struct hotpatch_converge_options - how to bring active to desired
 * @size:       sizeof(struct hotpatch_converge_options)
 * @exact:      also revert what is active and not desired
 * @timeout_ms: for each bundle; then it goes back; 0 means 10,000
 * @told:       called for each bundle, in the calling thread, or NULL
 * @data:       for @told
 */
struct hotpatch_converge_options {
	size_t size;
	bool exact;
	unsigned int timeout_ms;
	void (*told)(const struct hotpatch_outcome *outcome, void *data);
	void *data;
};

/**
 * hotpatch_converge() - apply what is desired of this program and not active
 * @options: or NULL
 * @err:     of the first bundle that was refused, or NULL
 *
 * Takes the bundles in the order in which they became active when they were
 * recorded. One that is refused keeps nothing out but those that require it.
 * Each is verified as any bundle is, and a process that ends meanwhile finds
 * it in quarantine when it starts again.
 *
 * Context: any thread outside a section; blocks on files, the dynamic loader,
 *          callbacks and tasks; not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY if all was so;
 *          HOTPATCH_E_DIVERGED if a bundle was refused; without any bundle
 *          HOTPATCH_E_SWITCHED_OFF, HOTPATCH_E_DAMAGED for the list,
 *          HOTPATCH_E_STATE without a configured directory, HOTPATCH_E_STORE
 *          and HOTPATCH_E_UNSAFE_PATH for the directory, and what
 *          hotpatch_patch_open() says of files, memory and the caller.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_converge(const struct hotpatch_converge_options *options,
		  struct hotpatch_error *err);

/**
 * hotpatch_desire() - record that @patch shall be on
 * @patch: a handle; loaded, active or on its way
 * @err:   or NULL
 *
 * The bundle and its signature are copied to the directory. Another bundle by
 * its name, and those that it replaces, are desired no more. Constructors that
 * were allowed are so from then on.
 *
 * Context: any thread outside a section; blocks on files.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY if these contents are desired;
 *          HOTPATCH_E_STATE without a configured directory or for a patch that
 *          went; HOTPATCH_E_DAMAGED, HOTPATCH_E_STORE, HOTPATCH_E_UNSAFE_PATH,
 *          HOTPATCH_E_LIMIT, HOTPATCH_E_NO_MEMORY, HOTPATCH_E_ARGUMENT, and
 *          then nothing changed.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_desire(const struct hotpatch_patch *patch, struct hotpatch_error *err);

/**
 * hotpatch_undesire() - forget that a patch shall be on; it stays as it is
 * @name: of the patch, or NULL for all of this program
 *
 * Context, errors: as hotpatch_desire(); HOTPATCH_E_ALREADY if it was not
 *                  desired.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_undesire(const char *name, struct hotpatch_error *err);

/**
 * struct hotpatch_desired_info - a bundle that is desired or in quarantine
 * @name, @sequence: as the bundle says
 * @desired:     it is to be on
 * @active:      its very contents are
 * @quarantined: it is kept out, for the reason in @sentence
 * @status:      of one that is not active: HOTPATCH_OK if it could be applied,
 *               else what opening it would give
 * @sentence:    why
 */
struct hotpatch_desired_info {
	char name[HOTPATCH_NAME_SIZE];
	uint64_t sequence;
	bool desired;
	bool active;
	bool quarantined;
	enum hotpatch_status status;
	char sentence[256];
};

/**
 * hotpatch_desired_list() - what is desired of this program, then what is only
 *                           in quarantine
 * @infos: array of @size, or NULL
 * @count: receives how many there are, which may be more than @size
 * @off:   receives whether a file keeps them from being applied
 *
 * Nothing is loaded or remembered.
 *
 * Context, errors: as hotpatch_desire(); HOTPATCH_E_STATE, with a count of 0,
 *                  without a configured directory.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_desired_list(struct hotpatch_desired_info *infos, size_t size,
		      size_t *count, bool *off, struct hotpatch_error *err);

/**
 * struct hotpatch_difference - something that is not as it should be
 * @object:   a patch, or a function
 * @sentence: what, with the object's name
 */
struct hotpatch_difference {
	char object[128];
	char sentence[256];
};

/**
 * hotpatch_verify() - is what runs what should run?
 * @told: called for each difference, in the calling thread; or NULL
 * @data: for @told
 * @err:  of the first difference, or NULL
 *
 * Compares the segments of each mapped bundle that nobody may write with the
 * bytes that were verified, where each patchable function leads with where it
 * should, and what is active with what is desired, if a directory is
 * configured. Changes nothing.
 *
 * Context: as hotpatch_converge(); @told is called without a lock.
 * Return:  HOTPATCH_OK; HOTPATCH_E_DIVERGED; HOTPATCH_E_BUSY while a
 *          transition runs, because nothing can be said then;
 *          HOTPATCH_E_LIMIT for more than 256 differences of code;
 *          HOTPATCH_E_NO_MEMORY, and what hotpatch_desired_list() gives.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status hotpatch_verify(
	void (*told)(const struct hotpatch_difference *difference, void *data),
	void *data, struct hotpatch_error *err);

HOTPATCH_END_DECLS

#endif
