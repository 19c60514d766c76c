/* SPDX-License-Identifier: MIT */
/*
 * The commands of keys and signatures: keygen, sign and verify-signature. None
 * asks a process.
 */
#include "../file.h"
#include "../keyring.h"
#include "../status.h"
#include "secret.h"
#include "sign.h"
#include "tool.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".minisig"

static enum hotpatch_status wants(const struct hp_options *options,
				  const char *what, struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_USAGE, 0, options->command->name,
			"%s needs %s; see hotpatch --help.",
			options->command->name, what);
}

/* One path of the two that begin alike. */
static enum hotpatch_status join(const char *stem, const char *suffix,
				 char path[PATH_MAX],
				 struct hotpatch_error *err)
{
	if (snprintf(path, PATH_MAX, "%s%s", stem, suffix) < PATH_MAX)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_USAGE, 0, stem,
			"%s is too long a path.", stem);
}

static void report_key(const struct hp_options *options,
		       const struct hp_secret_key *key, const char *secret_path,
		       const char *public_path)
{
	char public[HP_PUBLIC_TEXT_SIZE];
	char id[HOTPATCH_KEY_ID_SIZE];

	hp_key_id(key->number, id);
	hp_secret_key_public(key, public);
	if (options->json)
		hp_print_json(json_pack(
			"{s:s, s:s, s:o, s:o}", "key_id", id, "public_key",
			public, "secret_key_file", hp_wire_text(secret_path),
			"public_key_file", hp_wire_text(public_path)));
	else
		hp_print("key %s\npublic: %s, %s\nsecret: %s\n", id,
			 public_path, public, secret_path);
}

enum hotpatch_status hp_command_keygen(const struct hp_options *options,
				       struct hotpatch_error *err)
{
	struct hp_password *password = NULL;
	struct hp_secret_key *key = NULL;
	enum hotpatch_status status;
	char secret_path[PATH_MAX];
	char public_path[PATH_MAX];

	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "libsodium",
				"libsodium does not work here.");
	status = join(options->operand, ".key", secret_path, err);
	if (!status)
		status = join(options->operand, ".pub", public_path, err);
	if (!status && !options->no_password)
		status = hp_password_read(options->password_path, true,
					  &password, err);
	if (!status)
		status = hp_secret_key_make(&key, err);
	if (!status)
		status = hp_secret_key_write(key, password, secret_path,
					     public_path, err);
	if (!status)
		report_key(options, key, secret_path, public_path);
	sodium_free(password);
	sodium_free(key);
	return status;
}

enum hotpatch_status hp_command_sign(const struct hp_options *options,
				     struct hotpatch_error *err)
{
	const struct hp_sign_options signing = {
		.key = options->key,
		.password_path = options->password_path,
		.comment = options->comment,
		.signature = options->signature,
	};
	char id[HOTPATCH_KEY_ID_SIZE];
	enum hotpatch_status status;

	if (!options->key)
		return wants(options, "--key", err);
	status = hp_sign_file(options->operand, &signing, id, err);
	if (!status && options->json)
		hp_print_json(json_pack("{s:o, s:s}", "file",
					hp_wire_text(options->operand),
					"key_id", id));
	else if (!status)
		hp_print("%s is signed by the key %s\n", options->operand, id);
	return status;
}

static enum hotpatch_status read_file(const char *path, size_t limit,
				      struct hp_file *file,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(AT_FDCWD, path, path, &fd, err);
	if (status)
		return status;
	status = hp_file_read_bounded(fd, limit, path, file, err);
	close(fd);
	return status;
}

/* A public key as it is, or the file that it is in. */
static enum hotpatch_status add_key(struct hp_keyring *ring, const char *text,
				    struct hotpatch_error *err)
{
	struct hp_file file = {0};
	enum hotpatch_status status;

	if (!hp_keyring_add(ring, text, NULL))
		return HOTPATCH_OK;
	status = read_file(text, HP_KEY_FILE_LIMIT, &file, err);
	if (status)
		return status;
	status = hp_key_file_read(file.bytes, file.size, text, &ring->keys[0],
				  err);
	ring->key_count = 1;
	hp_file_release(&file);
	return status;
}

static enum hotpatch_status add_directory(struct hp_keyring *ring,
					  const char *path,
					  struct hotpatch_error *err)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return hp_error(err, HOTPATCH_E_NOT_FOUND, 0, path,
				"%s is not there.", path);
	return hp_keyring_add_directory(ring, real, err);
}

static void report_verified(const struct hp_options *options,
			    const struct hp_signature *signature)
{
	int size = (int)signature->comment_size;
	char *comment = strndup(signature->comment, signature->comment_size);
	char id[HOTPATCH_KEY_ID_SIZE];

	hp_key_id(signature->number, id);
	if (options->json)
		hp_print_json(json_pack("{s:o, s:b, s:s, s:o}", "file",
					hp_wire_text(options->operand),
					"authentic", 1, "key_id", id,
					"trusted_comment",
					hp_wire_text(comment ? comment : "")));
	else
		hp_print("%s is signed by the key %s\ntrusted comment: %.*s\n",
			 options->operand, id, size, signature->comment);
	free(comment);
}

static enum hotpatch_status verify(const struct hp_options *options,
				   const struct hp_keyring *ring,
				   const struct hp_file *file,
				   const struct hp_file *signature_file,
				   struct hotpatch_error *err)
{
	struct hp_signature signature;
	unsigned char hash[HP_HASH_SIZE];
	enum hotpatch_status status;
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "the signature of %s", options->operand);
	status = hp_signature_read(signature_file->bytes, signature_file->size,
				   name, &signature, err);
	if (status)
		return status;
	hp_signature_hash(file->bytes, file->size, hash);
	status = hp_keyring_verify(ring, &signature, hash, options->operand,
				   err);
	if (!status)
		report_verified(options, &signature);
	return status;
}

static enum hotpatch_status read_signature(const struct hp_options *options,
					   struct hp_file *file,
					   struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	char beside[PATH_MAX];

	if (options->signature)
		return read_file(options->signature, HP_SIGNATURE_FILE_LIMIT,
				 file, err);
	status = join(options->operand, SUFFIX, beside, err);
	if (!status)
		status = read_file(beside, HP_SIGNATURE_FILE_LIMIT, file, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return hp_error(err, HOTPATCH_E_UNSIGNED, 0, options->operand,
				"%s has no signature beside it.",
				options->operand);
	return status;
}

static enum hotpatch_status read_and_verify(const struct hp_options *options,
					    const struct hp_keyring *ring,
					    struct hotpatch_error *err)
{
	struct hp_file signature_file = {0};
	struct hp_file file = {0};
	enum hotpatch_status status;

	status = hp_file_read(options->operand, &file, err);
	if (!status)
		status = read_signature(options, &signature_file, err);
	if (!status)
		status = verify(options, ring, &file, &signature_file, err);
	hp_file_release(&signature_file);
	hp_file_release(&file);
	return status;
}

enum hotpatch_status
hp_command_verify_signature(const struct hp_options *options,
			    struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_keyring *ring;

	if (!options->key == !options->keys)
		return wants(options, "either --key or --keys", err);
	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "libsodium",
				"libsodium does not work here.");
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "",
				"There is no memory for the keys.");
	if (options->key)
		status = add_key(ring, options->key, err);
	else
		status = add_directory(ring, options->keys, err);
	if (!status)
		status = read_and_verify(options, ring, err);
	free(ring);
	return status;
}
