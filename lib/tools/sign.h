/* SPDX-License-Identifier: MIT */
/*
 * Signing, for the commands that make bundles.
 */
#ifndef HP_TOOL_SIGN_H
#define HP_TOOL_SIGN_H

#include <hotpatch/patch.h>
#include <hotpatch/status.h>

/*
 * @key:           path of the secret key
 * @password_path: of a file with its password, or NULL for the terminal, which
 *                 is asked only if the key wants one
 * @comment:       trusted comment, or NULL for the time and the file's name
 * @signature:     where to write it, or NULL for the file's path and
 *                 ".minisig"
 */
struct hp_sign_options {
	const char *key;
	const char *password_path;
	const char *comment;
	const char *signature;
};

/*
 * Signs the file at @path; the signature replaces an old one as a whole.
 * @key_id receives the id of the key. The faults of files and keys; E_USAGE for
 * a comment that cannot be one; E_UNSUPPORTED.
 */
enum hotpatch_status hp_sign_file(const char *path,
				  const struct hp_sign_options *options,
				  char key_id[HOTPATCH_KEY_ID_SIZE],
				  struct hotpatch_error *err);

#endif
