/* SPDX-License-Identifier: MIT */
/*
 * Keeps what the host trusts. It is written before the first bundle is opened
 * and only read afterwards, so nothing locks, and a forked child has it whole.
 * Keys in a directory are read at each opening: one that is revoked there is
 * so at once.
 */
#include "trust.h"

#include "atomic.h"
#include "keyring.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".minisig"

/* @previous: replaced before it was used; kept, because somebody who opens too
 * early may be reading it. */
struct hp_trust {
	struct hp_trust *previous;
	enum hotpatch_signature_policy policy;
	char directory[PATH_MAX]; /* "" for none */
	struct hp_keyring ring;	  /* keys given in code */
};

static struct hp_trust *current;

/* Acquire pairs with the release in hp_trust_adopt(). */
static const struct hp_trust *get(void)
{
	return hp_load_acquire(&current);
}

static enum hotpatch_signature_policy policy_now(void)
{
	const struct hp_trust *trust = get();

	return trust ? trust->policy : HOTPATCH_SIGNATURES_OFF;
}

const char *hp_trust_policy(void)
{
	switch (policy_now()) {
	case HOTPATCH_SIGNATURES_REQUIRED:
		return "required";
	case HOTPATCH_SIGNATURES_PREFERRED:
		return "preferred";
	default:
		return "off";
	}
}

void hp_trust_adopt(struct hp_trust *trust)
{
	/* Relaxed: only who configures writes it. */
	trust->previous = hp_load_relaxed(&current);
	/* Release pairs with the acquire in get(): first the contents. */
	hp_store_release(&current, trust);
}

void hp_trust_discard(struct hp_trust *trust)
{
	free(trust);
}

static enum hotpatch_status refuse(const char *object, const char *what,
				   struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_ARGUMENT, 0, object, "%s %s", object,
			what);
}

static enum hotpatch_status judge_policy(const struct hotpatch_config *config,
					 enum hotpatch_signature_policy *policy,
					 struct hotpatch_error *err)
{
	bool keys = config->key_directory || config->key_count;

	*policy = config->signatures;
	if (*policy == HOTPATCH_SIGNATURES_DEFAULT)
		*policy = keys ? HOTPATCH_SIGNATURES_REQUIRED :
				 HOTPATCH_SIGNATURES_OFF;
	if ((unsigned int)*policy > HOTPATCH_SIGNATURES_REQUIRED)
		return refuse("signatures", "is no policy", err);
	if (*policy == HOTPATCH_SIGNATURES_OFF)
		return HOTPATCH_OK;
	if (!keys)
		return refuse("signatures",
			      "are asked for, but no key is trusted", err);
	if (!config->directory)
		return refuse("directory",
			      "is wanted where signatures are: the sequence "
			      "numbers that were seen are kept in it",
			      err);
	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "signatures",
				"this library was built without signatures");
	return HOTPATCH_OK;
}

static enum hotpatch_status take_keys(const struct hotpatch_config *config,
				      struct hp_trust *trust,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	if (config->key_directory) {
		if (config->key_directory[0] != '/' ||
		    strlen(config->key_directory) >= sizeof(trust->directory))
			return refuse(config->key_directory,
				      "is not absolute, or too long", err);
		strcpy(trust->directory, config->key_directory);
	}
	for (i = 0; i < config->key_count && !status; i++)
		status = hp_keyring_add(&trust->ring, config->keys[i], err);
	for (i = 0; i < config->revoked_count && !status; i++)
		status = hp_keyring_revoke(&trust->ring, config->revoked[i],
					   err);
	return status;
}

/* The keys in code and those of the directory as it is now. */
static enum hotpatch_status gather(const struct hp_trust *trust,
				   struct hp_keyring **ring,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	*ring = malloc(sizeof(**ring));
	if (!*ring)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "keys",
				"no memory for the trusted keys");
	**ring = trust->ring;
	if (trust->directory[0])
		status = hp_keyring_add_directory(*ring, trust->directory, err);
	if (status != HOTPATCH_OK) {
		free(*ring);
		*ring = NULL;
	}
	return status;
}

/* Also looks at the directory, to refuse now what the first bundle would. */
static enum hotpatch_status fill(const struct hotpatch_config *config,
				 struct hp_trust *trust,
				 struct hotpatch_error *err)
{
	struct hp_keyring *ring = NULL;
	enum hotpatch_status status;

	status = judge_policy(config, &trust->policy, err);
	if (status != HOTPATCH_OK || trust->policy == HOTPATCH_SIGNATURES_OFF)
		return status;
	status = take_keys(config, trust, err);
	if (status == HOTPATCH_OK)
		status = gather(trust, &ring, err);
	free(ring);
	return status;
}

enum hotpatch_status hp_trust_prepare(const struct hotpatch_config *config,
				      struct hp_trust **trust,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;

	*trust = calloc(1, sizeof(**trust));
	if (!*trust)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "config",
				"no memory for the trusted keys");
	status = fill(config, *trust, err);
	if (status == HOTPATCH_OK)
		return status;
	free(*trust);
	*trust = NULL;
	return status;
}

static enum hotpatch_status unsigned_file(const char *object,
					  struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_UNSIGNED, 0, object,
			"%s has no signature, and this process takes signed "
			"bundles only",
			object);
}

static enum hotpatch_status read_path(const char *path, struct hp_file *file,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(AT_FDCWD, path, path, &fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_file_read_bounded(fd, HP_SIGNATURE_FILE_LIMIT, path, file,
				      err);
	close(fd);
	return status;
}

/* E_UNSIGNED if there is none where one would lie by itself. */
static enum hotpatch_status
read_signature(const char *path, const char *object,
	       const struct hotpatch_open_options *options,
	       struct hp_file *file, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	char beside[PATH_MAX];

	if (options && options->signature_fd)
		return hp_file_read_bounded(*options->signature_fd,
					    HP_SIGNATURE_FILE_LIMIT,
					    "the signature", file, err);
	if (options && options->signature_path)
		return read_path(options->signature_path, file, err);
	if (!path || snprintf(beside, sizeof(beside), "%s" SUFFIX, path) >=
			     (int)sizeof(beside))
		return unsigned_file(object, err);
	status = read_path(beside, file, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return unsigned_file(object, err);
	return status;
}

static enum hotpatch_status
verify(const struct hp_trust *trust, const struct hp_file *file,
       const struct hp_file *signature_file, const char *object,
       struct hp_voucher *voucher, struct hotpatch_error *err)
{
	struct hp_signature signature;
	struct hp_keyring *ring;
	enum hotpatch_status status;
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "the signature of %s", object);
	status = hp_signature_read(signature_file->bytes, signature_file->size,
				   name, &signature, err);
	if (status != HOTPATCH_OK)
		return status;
	status = gather(trust, &ring, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_signature_hash(file->bytes, file->size, voucher->hash);
	status =
		hp_keyring_verify(ring, &signature, voucher->hash, object, err);
	free(ring);
	if (status != HOTPATCH_OK)
		return status;
	memcpy(voucher->number, signature.number, sizeof(voucher->number));
	voucher->given = true;
	return HOTPATCH_OK;
}

enum hotpatch_status
hp_trust_verify(const struct hp_file *file, const char *path,
		const char *object, const struct hotpatch_open_options *options,
		struct hp_voucher *voucher, struct hotpatch_error *err)
{
	const struct hp_trust *trust = get();
	struct hp_file signature_file = {0};
	enum hotpatch_status status;

	memset(voucher, 0, sizeof(*voucher));
	if (!trust || trust->policy == HOTPATCH_SIGNATURES_OFF)
		return HOTPATCH_OK;
	status = read_signature(path, object, options, &signature_file, err);
	if (status == HOTPATCH_E_UNSIGNED &&
	    trust->policy == HOTPATCH_SIGNATURES_PREFERRED)
		return HOTPATCH_OK;
	if (status != HOTPATCH_OK)
		return status;
	status = verify(trust, file, &signature_file, object, voucher, err);
	if (status == HOTPATCH_OK)
		voucher->signature = signature_file;
	else
		hp_file_release(&signature_file);
	return status;
}
