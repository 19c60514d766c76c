/* SPDX-License-Identifier: MIT */
/*
 * Which bundles may be loaded: the policy that the host set, and the judgement
 * of a file by its detached signature, before anything of it is looked at.
 */
#ifndef HP_TRUST_H
#define HP_TRUST_H

#include "file.h"
#include "signature.h"

#include <hotpatch/patch.h>
#include <stdbool.h>

/* Who vouches for a file, and the signature that says so, which its owner
 * releases; all zero if nobody was asked or nobody did. */
struct hp_voucher {
	bool given;
	unsigned char number[HP_KEY_NUMBER_SIZE];
	unsigned char hash[HP_HASH_SIZE];
	struct hp_file signature;
};

struct hp_trust;

/*
 * Reads the part of @config that is about signatures; on success the caller
 * owes hp_trust_adopt(), before the first bundle is opened, or
 * hp_trust_discard(). E_ARGUMENT, E_UNSUPPORTED, E_KEY, E_UNSAFE_PATH, E_LIMIT,
 * E_NO_MEMORY and the faults of files.
 */
enum hotpatch_status hp_trust_prepare(const struct hotpatch_config *config,
				      struct hp_trust **trust,
				      struct hotpatch_error *err);
void hp_trust_adopt(struct hp_trust *trust);
void hp_trust_discard(struct hp_trust *trust);

/*
 * Judges @file by the signature that @options name, else by the one beside
 * @path, unless that is NULL. @object is what errors call the file. Reads the
 * directory of keys anew.
 */
enum hotpatch_status
hp_trust_verify(const struct hp_file *file, const char *path,
		const char *object, const struct hotpatch_open_options *options,
		struct hp_voucher *voucher, struct hotpatch_error *err);

/* "required", "preferred" or "off". */
const char *hp_trust_policy(void);

#endif
