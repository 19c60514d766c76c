/* SPDX-License-Identifier: MIT */
/*
 * Signs files: the hash of the file, then that signature with the trusted
 * comment.
 */
#include "sign.h"

#include "../file.h"
#include "../status.h"
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".minisig"
#define COMMENT_LIMIT 8192

/* "ED", the key's number and the signature, as they are on the second line. */
#define FIRST_SIZE (2 + HP_KEY_NUMBER_SIZE + HP_SIGNATURE_SIZE)
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)

static enum hotpatch_status check_comment(const char *comment,
					  struct hotpatch_error *err)
{
	const char *at;

	for (at = comment; *at; at++)
		if (iscntrl((unsigned char)*at) && *at != '\t')
			break;
	if (!*at && at - comment < COMMENT_LIMIT)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_USAGE, 0, "--comment",
			"A comment is one line of at most %d bytes.",
			COMMENT_LIMIT - 1);
}

/* What the tool writes by itself. A name with odd characters is left out. */
static void default_comment(const char *path, char comment[COMMENT_LIMIT])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	snprintf(comment, COMMENT_LIMIT, "timestamp:%llu\tfile:%s\thashed",
		 (unsigned long long)time(NULL),
		 check_comment(name, NULL) ? "" : name);
}

/* The text of the signature file; NULL without memory. */
static char *compose(const struct hp_file *file,
		     const struct hp_secret_key *key, const char *comment)
{
	size_t comment_size = strlen(comment);
	unsigned char over_comment[HP_SIGNATURE_SIZE];
	unsigned char first[FIRST_SIZE] = {'E', 'D'};
	unsigned char hash[HP_HASH_SIZE];
	char first_text[BASE64_SIZE(FIRST_SIZE)];
	char second_text[BASE64_SIZE(HP_SIGNATURE_SIZE)];
	unsigned char *signature = first + FIRST_SIZE - HP_SIGNATURE_SIZE;
	unsigned char *message = malloc(HP_SIGNATURE_SIZE + comment_size + 1);
	char *text = NULL;
	int length;

	if (!message)
		return NULL;
	memcpy(first + 2, key->number, HP_KEY_NUMBER_SIZE);
	hp_signature_hash(file->bytes, file->size, hash);
	crypto_sign_detached(signature, NULL, hash, sizeof(hash), key->bytes);
	memcpy(message, signature, HP_SIGNATURE_SIZE);
	memcpy(message + HP_SIGNATURE_SIZE, comment, comment_size + 1);
	crypto_sign_detached(over_comment, NULL, message,
			     HP_SIGNATURE_SIZE + comment_size, key->bytes);
	free(message);
	hp_base64_write(first, sizeof(first), first_text);
	hp_base64_write(over_comment, sizeof(over_comment), second_text);
	length = asprintf(&text,
			  "untrusted comment: signature from hotpatch\n%s\n"
			  "trusted comment: %s\n%s\n",
			  first_text, comment, second_text);
	return length < 0 ? NULL : text;
}

/* Beside, and then renamed: nobody ever reads half a signature. */
static enum hotpatch_status replace(const char *path, const char *text,
				    struct hotpatch_error *err)
{
	char part[PATH_MAX];
	bool done;
	int cause;
	int fd;

	if (snprintf(part, sizeof(part), "%s.XXXXXX", path) >=
	    (int)sizeof(part))
		return hp_error(err, HOTPATCH_E_IO, ENAMETOOLONG, path,
				"%s is too long a path.", path);
	fd = mkostemp(part, O_CLOEXEC);
	done = fd >= 0 && hp_file_write(fd, text, strlen(text)) &&
	       !fchmod(fd, 0644) && !fsync(fd) && !rename(part, path);
	cause = errno;
	if (fd >= 0)
		close(fd);
	if (done)
		return HOTPATCH_OK;
	if (fd >= 0)
		unlink(part);
	return hp_error(err,
			cause == EACCES ? HOTPATCH_E_PERMISSION : HOTPATCH_E_IO,
			cause, path, "%s cannot be written: %s.", path,
			strerror(cause));
}

static enum hotpatch_status sign(const char *path, const struct hp_file *file,
				 const struct hp_secret_key *key,
				 const struct hp_sign_options *options,
				 struct hotpatch_error *err)
{
	char comment[COMMENT_LIMIT];
	char beside[PATH_MAX];
	enum hotpatch_status status;
	char *text;

	default_comment(path, comment);
	if (!options->signature && snprintf(beside, sizeof(beside), "%s" SUFFIX,
					    path) >= (int)sizeof(beside))
		return hp_error(err, HOTPATCH_E_IO, ENAMETOOLONG, path,
				"%s is too long a path.", path);
	text = compose(file, key,
		       options->comment ? options->comment : comment);
	if (!text)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, path,
				"There is no memory to sign %s.", path);
	status = replace(options->signature ? options->signature : beside, text,
			 err);
	free(text);
	return status;
}

enum hotpatch_status hp_sign_file(const char *path,
				  const struct hp_sign_options *options,
				  char key_id[HOTPATCH_KEY_ID_SIZE],
				  struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	struct hp_secret_key *key = NULL;
	struct hp_file file = {0};

	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, path,
				"libsodium does not work here.");
	if (options->comment)
		status = check_comment(options->comment, err);
	if (!status)
		status = hp_file_read(path, &file, err);
	if (!status)
		status = hp_secret_key_read(options->key,
					    options->password_path, &key, err);
	if (!status)
		status = sign(path, &file, key, options, err);
	if (!status)
		hp_key_id(key->number, key_id);
	sodium_free(key);
	hp_file_release(&file);
	return status;
}
