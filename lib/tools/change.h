/* SPDX-License-Identifier: MIT */
/*
 * What changing one process and changing several have in common: parameters,
 * times, the bundle's files.
 */
#ifndef HP_CHANGE_H
#define HP_CHANGE_H

#include "tool.h"

/* What the process may need besides the time that it was given: loading a
 * bundle, and answering after a deadline struck. */
#define HP_ANSWER_MS 30000

/* For how long to wait for the end of a change; negative for ever. */
long hp_change_wait_ms(const struct hp_options *options);

/* What apply and revert take of the options. */
json_t *hp_change_params(const struct hp_options *options);
/* What is said of the bundle. */
json_t *hp_bundle_params(const struct hp_options *options, bool signed_bundle);
/* Waits for the patch to be off, or on and no longer on its way. */
json_t *hp_wait_params(const char *name, const char *goal, long timeout_ms);

/* The goal in the protocol's words: active is to be drained there. */
const char *hp_goal_word(const char *goal);
/* E_STATE, or E_UNHEALTHY, if the goal was to be active, and it is not. */
enum hotpatch_status hp_goal_check(const char *goal, const json_t *result,
				   struct hotpatch_error *err);

/* E_PERMISSION if the process lets this user only look; E_UNSUPPORTED if it
 * would not understand the canary in @options, or NULL, and show what was asked
 * for to all. */
enum hotpatch_status hp_change_access(const struct hp_session *session,
				      const struct hp_options *options,
				      struct hotpatch_error *err);

/* Replaces *@result, which told how @name began, by how it ended. */
enum hotpatch_status hp_change_await(struct hp_session *session,
				     const char *name, const char *goal,
				     long timeout_ms, json_t **result,
				     struct hotpatch_error *err);
void hp_print_applied(const json_t *result);

/* Whom the options show a patch to, for the process. */
json_t *hp_canary_report(const struct hp_options *options);
/* Whom @patch is shown to, for people, in @text; "" if to all or nobody. */
const char *hp_canary_text(const json_t *patch, char *text, size_t size);

/* The bundle, and the signature that goes along, or -1. */
struct hp_bundle_files {
	int bundle_fd;
	int signature_fd;
};

/*
 * Opens the bundle, and, if @signature, the signature that was named or lies
 * beside it, if there is one. On success the caller owes the closing.
 */
enum hotpatch_status hp_bundle_open(const struct hp_options *options,
				    bool signature,
				    struct hp_bundle_files *files,
				    struct hotpatch_error *err);
void hp_bundle_close(const struct hp_bundle_files *files);

/* Whether the process looks at signatures. */
bool hp_wants_signature(const struct hp_session *session);

/* Of a result of the method status: {"dry_run":true,"patches":[…]}, those that
 * a revert would be about, the newest first. */
json_t *hp_foresee_revert(const json_t *facts,
			  const struct hp_options *options);

/* Whether one of them is not where the revert would bring it. */
bool hp_foresees_change(const json_t *foreseen);

/* Of one process, until the goal is reached. */
enum hotpatch_status hp_apply_one(struct hp_session *session,
				  const struct hp_options *options,
				  json_t **result, struct hotpatch_error *err);
enum hotpatch_status hp_revert_one(struct hp_session *session,
				   const struct hp_options *options,
				   json_t **result, struct hotpatch_error *err);

/* Records the patch of an apply's result as desired, and adds that to it. */
enum hotpatch_status hp_keep(struct hp_session *session, json_t *result,
			     struct hotpatch_error *err);

/* For several processes. */
enum hotpatch_status hp_apply_several(const struct hp_options *options,
				      struct hotpatch_error *err);
enum hotpatch_status hp_revert_several(const struct hp_options *options,
				       struct hotpatch_error *err);
enum hotpatch_status hp_wait_several(const struct hp_options *options,
				     struct hotpatch_error *err);

#endif
