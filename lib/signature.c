/* SPDX-License-Identifier: MIT */
/*
 * Reads keys and signatures. A key file is a comment and a line of base64; a
 * signature file is a comment, a line, the comment that is signed, and the
 * signature over the first one and that comment. Comments of the first kind
 * say nothing and are skipped. Nothing may follow.
 */
#include "signature.h"

#include "status.h"

#include <stdio.h>
#include <string.h>

#define UNTRUSTED "untrusted comment:"
#define TRUSTED "trusted comment: "

/* As the tool has them. */
#define COMMENT_LIMIT 1024
#define TRUSTED_COMMENT_LIMIT 8192

#define ALGORITHM_SIZE 2
static const unsigned char plain[ALGORITHM_SIZE] = {'E', 'd'};
static const unsigned char hashed[ALGORITHM_SIZE] = {'E', 'D'};

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What is left to read, line by line. */
struct lines {
	const char *at;
	size_t left;
};

struct line {
	const char *text;
	size_t length;
};

/* The next line without its end; false if there is none or it has a NUL. */
static bool next_line(struct lines *lines, struct line *line)
{
	const char *end;

	if (!lines->left)
		return false;
	end = memchr(lines->at, '\n', lines->left);
	line->text = lines->at;
	line->length = end ? (size_t)(end - lines->at) : lines->left;
	lines->at += line->length + (end ? 1 : 0);
	lines->left -= line->length + (end ? 1 : 0);
	if (line->length && line->text[line->length - 1] == '\r')
		line->length--;
	return !memchr(line->text, '\0', line->length);
}

static bool begins(const struct line *line, const char *start)
{
	return line->length >= strlen(start) &&
	       !memcmp(line->text, start, strlen(start));
}

static bool skip_comment(struct lines *lines)
{
	struct line line;

	return next_line(lines, &line) && begins(&line, UNTRUSTED) &&
	       line.length <= strlen(UNTRUSTED) + COMMENT_LIMIT;
}

static int digit_of(char c)
{
	const char *place = c ? strchr(alphabet, c) : NULL;

	return place ? (int)(place - alphabet) : -1;
}

bool hp_base64_read(const char *text, size_t length, unsigned char *bytes,
		    size_t size)
{
	size_t padding = (3 - size % 3) % 3;
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t done = 0;
	int digit;
	size_t i;

	if (length != (size + 2) / 3 * 4)
		return false;
	for (i = length - padding; i < length; i++)
		if (text[i] != '=')
			return false;
	for (i = 0; i < length - padding; i++) {
		digit = digit_of(text[i]);
		if (digit < 0)
			return false;
		bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		bytes[done++] = (unsigned char)(bits >> held);
	}
	return !(bits & ((1u << held) - 1));
}

void hp_base64_write(const unsigned char *bytes, size_t size, char *text)
{
	uint32_t bits;
	size_t i;

	memset(text, '=', (size + 2) / 3 * 4);
	for (i = 0; i < size; i += 3) {
		bits = (uint32_t)bytes[i] << 16;
		if (i + 1 < size)
			bits |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < size)
			bits |= bytes[i + 2];
		text[0] = alphabet[bits >> 18];
		text[1] = alphabet[bits >> 12 & 63];
		if (i + 1 < size)
			text[2] = alphabet[bits >> 6 & 63];
		if (i + 2 < size)
			text[3] = alphabet[bits & 63];
		text += 4;
	}
	*text = '\0';
}

/* A number of 64 bits, little-endian, shown with its high digits first. */
void hp_key_id(const unsigned char number[HP_KEY_NUMBER_SIZE],
	       char id[HOTPATCH_KEY_ID_SIZE])
{
	size_t i;

	for (i = 0; i < HP_KEY_NUMBER_SIZE; i++)
		snprintf(id + 2 * i, 3, "%02X",
			 number[HP_KEY_NUMBER_SIZE - 1 - i]);
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hp_key_id_read(const char *text, size_t length,
		    unsigned char number[HP_KEY_NUMBER_SIZE])
{
	size_t i;
	int high;
	int low;

	if (length != HOTPATCH_KEY_ID_SIZE - 1)
		return false;
	for (i = 0; i < HP_KEY_NUMBER_SIZE; i++) {
		high = hex_of(text[2 * i]);
		low = hex_of(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		number[HP_KEY_NUMBER_SIZE - 1 - i] =
			(unsigned char)(high << 4 | low);
	}
	return true;
}

enum hotpatch_status hp_key_read(const char *text, size_t length,
				 const char *object, struct hp_public_key *key,
				 struct hotpatch_error *err)
{
	unsigned char
		bytes[ALGORITHM_SIZE + HP_KEY_NUMBER_SIZE + HP_PUBLIC_KEY_SIZE];

	if (!hp_base64_read(text, length, bytes, sizeof(bytes)) ||
	    memcmp(bytes, plain, ALGORITHM_SIZE) != 0)
		return hp_error(err, HOTPATCH_E_KEY, 0, object,
				"%s is not a public key of minisign's format",
				object);
	memcpy(key->number, bytes + ALGORITHM_SIZE, sizeof(key->number));
	memcpy(key->bytes, bytes + ALGORITHM_SIZE + sizeof(key->number),
	       sizeof(key->bytes));
	return HOTPATCH_OK;
}

enum hotpatch_status hp_key_file_read(const void *bytes, size_t size,
				      const char *object,
				      struct hp_public_key *key,
				      struct hotpatch_error *err)
{
	struct lines lines = {bytes, size};
	struct line line;

	if (skip_comment(&lines) && next_line(&lines, &line) && !lines.left)
		return hp_key_read(line.text, line.length, object, key, err);
	return hp_error(err, HOTPATCH_E_KEY, 0, object,
			"%s is not a comment and a line with a public key",
			object);
}

static enum hotpatch_status refuse(const char *object, const char *what,
				   struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_SIGNATURE, 0, object, "%s %s", object,
			what);
}

static enum hotpatch_status read_first(struct lines *lines, const char *object,
				       struct hp_signature *signature,
				       struct hotpatch_error *err)
{
	unsigned char
		bytes[ALGORITHM_SIZE + HP_KEY_NUMBER_SIZE + HP_SIGNATURE_SIZE];
	struct line line;

	if (!skip_comment(lines))
		return refuse(object, "does not begin with a comment", err);
	if (!next_line(lines, &line) ||
	    !hp_base64_read(line.text, line.length, bytes, sizeof(bytes)))
		return refuse(object, "has no signature on its second line",
			      err);
	if (!memcmp(bytes, plain, ALGORITHM_SIZE))
		return hp_error(err, HOTPATCH_E_SIGNATURE_LEGACY, 0, object,
				"%s is of the old kind, over the "
				"file rather than its hash; sign it again "
				"without -l",
				object);
	if (memcmp(bytes, hashed, ALGORITHM_SIZE) != 0)
		return refuse(object, "is signed in an unknown way", err);
	memcpy(signature->number, bytes + ALGORITHM_SIZE,
	       sizeof(signature->number));
	memcpy(signature->bytes,
	       bytes + ALGORITHM_SIZE + sizeof(signature->number),
	       sizeof(signature->bytes));
	return HOTPATCH_OK;
}

static enum hotpatch_status read_second(struct lines *lines, const char *object,
					struct hp_signature *signature,
					struct hotpatch_error *err)
{
	struct line line;

	if (!next_line(lines, &line) || !begins(&line, TRUSTED) ||
	    line.length > strlen(TRUSTED) + TRUSTED_COMMENT_LIMIT)
		return refuse(object,
			      "has no trusted comment on its third line", err);
	signature->comment = line.text + strlen(TRUSTED);
	signature->comment_size = line.length - strlen(TRUSTED);
	if (!next_line(lines, &line) ||
	    !hp_base64_read(line.text, line.length, signature->over_comment,
			    sizeof(signature->over_comment)))
		return refuse(object, "has no signature on its fourth line",
			      err);
	if (lines->left)
		return refuse(object, "goes on after its signatures", err);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_signature_read(const void *bytes, size_t size,
				       const char *object,
				       struct hp_signature *signature,
				       struct hotpatch_error *err)
{
	struct lines lines = {bytes, size};
	enum hotpatch_status status;

	memset(signature, 0, sizeof(*signature));
	status = read_first(&lines, object, signature, err);
	if (status == HOTPATCH_OK)
		status = read_second(&lines, object, signature, err);
	return status;
}
