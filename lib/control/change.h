/* SPDX-License-Identifier: MIT */
/*
 * One change that a client asked for: what it takes, carrying it out, and what
 * became of it. It may be in a bundle's code for as long as that likes. Knows
 * neither clients nor the queue.
 */
#ifndef HP_CONTROL_CHANGE_H
#define HP_CONTROL_CHANGE_H

#include <hotpatch/patch.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A bundle and its signature. */
#define HP_PASSED_LIMIT 2

/* The first three may hold the only handle of a patch. */
enum hp_change_kind {
	HP_CHANGE_STAGE,
	HP_CHANGE_APPLY,
	HP_CHANGE_APPLY_STAGED,
	HP_CHANGE_REVERT,
	HP_CHANGE_REVERT_ALL,
	HP_CHANGE_CANARY,
	HP_CHANGE_DESIRE, /* from here on: desired.h */
	HP_CHANGE_UNDESIRE,
	HP_CHANGE_DESIRED,
	HP_CHANGE_CONVERGE,
	HP_CHANGE_VERIFY,
};

/*
 * @fds:      of the bundle and its signature, or -1; relaxed atomics, because
 *            the child of a fork reads them wherever the others are
 * @id:       of the request
 * @params:   keep @name, which is the bundle's file or the patch, and
 *            @unhealthy
 * @exact:    of HP_CHANGE_CONVERGE
 * @open:     its signature's descriptor is filled in later
 * @options:  without a turn to wait for, which is waited for by trying again
 * @canary:   in @params, of an apply and of a change of the canary; or NULL
 * @until_ms: when its turn has to have come
 * @patch:    a handle of its own, once there is one
 * @unhealthy: of HP_CHANGE_REVERT, why the patch failed; NULL if it did not
 * @names:    array of the patches that HP_CHANGE_REVERT_ALL reverted so far
 * @status, @result, @err: what became of it
 */
struct hp_change {
	enum hp_change_kind kind;
	int fds[HP_PASSED_LIMIT];
	json_t *id;
	json_t *params;
	const char *name;
	bool exact;
	struct hotpatch_open_options open;
	struct hotpatch_apply_options options;
	const json_t *canary;
	uint64_t until_ms;
	struct hotpatch_patch *patch;
	const char *unhealthy;
	json_t *names;
	enum hotpatch_status status;
	json_t *result;
	struct hotpatch_error err;
};

/* The clock of @until_ms. */
uint64_t hp_now_ms(void);

/*
 * Carries it out as far as can be done now. False if its turn has not come and
 * may still come. Of an apply that failed nothing stays behind.
 */
bool hp_change_try(struct hp_change *change);

/* Gives up all that it holds; whatever has to be unmapped is left to
 * hotpatch_poll(). */
void hp_change_release(struct hp_change *change);

/* Only gives up the descriptors: in the child of a fork. */
void hp_change_forget(struct hp_change *change);

/* {"patch":…,"already":…}, or NULL when memory is short. */
json_t *hp_change_report(const struct hotpatch_patch *patch, bool already);

/*
 * What is known of a patch that the process has forgotten: by its last event
 * it was unmapped, and a result says so, or E_RETAINED; else E_NO_PATCH.
 */
enum hotpatch_status hp_change_report_gone(const char *name, json_t **result,
					   struct hotpatch_error *err);

/* Likewise, for who wants it to be there: E_UNHEALTHY, else E_NO_PATCH. */
enum hotpatch_status hp_change_report_lost(const char *name,
					   struct hotpatch_error *err);

#endif
