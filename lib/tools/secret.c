/* SPDX-License-Identifier: MIT */
/*
 * Reads, decrypts, encrypts and writes secret keys. The format is the tool's:
 * a comment, and a line of base64 with the names of the algorithms, the cost of
 * the password's function, and number, key and checksum, which are XORed with
 * what that function makes of the password.
 */
#include "secret.h"

#include "../file.h"
#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKSUM_SIZE 32
#define FILE_SIZE 2048
#define COST_SIZE 8

/* The file's line as it is before base64; bytes only, so without padding. */
struct sealed {
	unsigned char algorithm[2];
	unsigned char function[2]; /* "Sc", or zeros without a password */
	unsigned char checksum_algorithm[2];
	unsigned char salt[crypto_pwhash_scryptsalsa208sha256_SALTBYTES];
	unsigned char operations[COST_SIZE]; /* little-endian */
	unsigned char memory[COST_SIZE];
	struct {
		unsigned char number[HP_KEY_NUMBER_SIZE];
		unsigned char bytes[crypto_sign_SECRETKEYBYTES];
		unsigned char checksum[CHECKSUM_SIZE];
	} hidden;
};

/* All that is secret while a key is read or written, in one piece. */
struct work {
	struct sealed sealed;
	unsigned char stream[sizeof(((struct sealed *)0)->hidden)];
	unsigned char derived[crypto_sign_SECRETKEYBYTES];
	unsigned char derived_public[crypto_sign_PUBLICKEYBYTES];
	char text[FILE_SIZE];
};

#define SEALED_TEXT_SIZE ((sizeof(struct sealed) + 2) / 3 * 4)
_Static_assert(sizeof(struct sealed) == 158, "the tool's format");

static const unsigned char plain[2] = {'E', 'd'};
static const unsigned char scrypt[2] = {'S', 'c'};
static const unsigned char blake2b[2] = {'B', '2'};
static const unsigned char none[2] = {0, 0};

static enum hotpatch_status no_memory(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "the key",
			"There is no memory for the key.");
}

static enum hotpatch_status bad_key(const char *path, const char *what,
				    struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_KEY, 0, path, "%s %s.", path, what);
}

static void store_number(unsigned char place[COST_SIZE], uint64_t number)
{
	size_t i;

	for (i = 0; i < COST_SIZE; i++)
		place[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t load_number(const unsigned char place[COST_SIZE])
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < COST_SIZE; i++)
		number |= (uint64_t)place[i] << (8 * i);
	return number;
}

static void checksum(const struct sealed *sealed,
		     unsigned char sum[CHECKSUM_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, CHECKSUM_SIZE);
	crypto_generichash_update(&state, sealed->algorithm,
				  sizeof(sealed->algorithm));
	crypto_generichash_update(&state, sealed->hidden.number,
				  sizeof(sealed->hidden.number));
	crypto_generichash_update(&state, sealed->hidden.bytes,
				  sizeof(sealed->hidden.bytes));
	crypto_generichash_final(&state, sum, CHECKSUM_SIZE);
	sodium_memzero(&state, sizeof(state));
}

/* False without memory for the cost that is asked for. */
static bool apply_stream(struct work *work, const struct hp_password *password,
			 uint64_t operations, uint64_t memory)
{
	unsigned char *hidden = (unsigned char *)&work->sealed.hidden;
	size_t i;

	if (crypto_pwhash_scryptsalsa208sha256(
		    work->stream, sizeof(work->stream), password->text,
		    strlen(password->text), work->sealed.salt, operations,
		    (size_t)memory) != 0)
		return false;
	for (i = 0; i < sizeof(work->stream); i++)
		hidden[i] ^= work->stream[i];
	return true;
}

static enum hotpatch_status decrypt(struct work *work,
				    const struct hp_password *password,
				    const char *path,
				    struct hotpatch_error *err)
{
	uint64_t operations = load_number(work->sealed.operations);
	uint64_t memory = load_number(work->sealed.memory);
	unsigned char sum[CHECKSUM_SIZE];
	bool same;

	/* A file may ask for what would never end. */
	if (operations >
		    crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE ||
	    memory > crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE)
		return bad_key(path, "asks for more work than the tool does",
			       err);
	if (!apply_stream(work, password, operations, memory))
		return no_memory(err);
	checksum(&work->sealed, sum);
	same = !sodium_memcmp(sum, work->sealed.hidden.checksum, sizeof(sum));
	sodium_memzero(sum, sizeof(sum));
	if (same)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_PASSWORD, 0, path,
			"The password of %s is wrong.", path);
}

/* The cost that the tool takes, or less where that is not to be had. */
static enum hotpatch_status encrypt(struct work *work,
				    const struct hp_password *password,
				    struct hotpatch_error *err)
{
	uint64_t operations =
		crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE;
	uint64_t memory = crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE;

	randombytes_buf(work->sealed.salt, sizeof(work->sealed.salt));
	while (!apply_stream(work, password, operations, memory)) {
		operations /= 2;
		memory /= 2;
		if (operations <
			    crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_MIN ||
		    memory < crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_MIN)
			return no_memory(err);
	}
	memcpy(work->sealed.function, scrypt, sizeof(scrypt));
	store_number(work->sealed.operations, operations);
	store_number(work->sealed.memory, memory);
	return HOTPATCH_OK;
}

/* Reads without leaving the bytes anywhere else. */
static enum hotpatch_status read_text(int fd, const char *path,
				      struct work *work,
				      struct hotpatch_error *err)
{
	struct stat found;
	size_t size = 0;
	ssize_t got = 1;

	if (fstat(fd, &found) < 0 || !S_ISREG(found.st_mode))
		return hp_error(err, HOTPATCH_E_NOT_REGULAR, 0, path,
				"%s is not a regular file.", path);
	if (found.st_mode & (S_IRWXG | S_IRWXO))
		return hp_error(err, HOTPATCH_E_UNSAFE_PATH, 0, path,
				"%s is open to others; close it with chmod "
				"600.",
				path);
	while (got && size < sizeof(work->text)) {
		got = read(fd, work->text + size, sizeof(work->text) - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return hp_error(err, HOTPATCH_E_IO, errno, path,
					"%s cannot be read: %s.", path,
					strerror(errno));
		size += (size_t)got;
	}
	if (size == sizeof(work->text))
		return bad_key(path, "is too large for a secret key", err);
	work->text[size] = '\0';
	return HOTPATCH_OK;
}

/* The comment says nothing. */
static enum hotpatch_status read_sealed(struct work *work, const char *path,
					struct hotpatch_error *err)
{
	const struct sealed *sealed = &work->sealed;
	const char *line = strchr(work->text, '\n');
	size_t length = line ? strcspn(++line, "\r\n") : 0;

	if (!line || strncmp(work->text, "untrusted comment:", 18) != 0 ||
	    line[length + strspn(line + length, "\r\n")] ||
	    !hp_base64_read(line, length, (unsigned char *)&work->sealed,
			    sizeof(work->sealed)) ||
	    memcmp(sealed->algorithm, plain, sizeof(plain)) != 0 ||
	    memcmp(sealed->checksum_algorithm, blake2b, sizeof(blake2b)) != 0 ||
	    (memcmp(sealed->function, scrypt, sizeof(scrypt)) != 0 &&
	     memcmp(sealed->function, none, sizeof(none)) != 0))
		return bad_key(path, "is not a secret key of minisign's format",
			       err);
	return HOTPATCH_OK;
}

static enum hotpatch_status unlock(struct work *work, const char *path,
				   const char *password_path,
				   struct hotpatch_error *err)
{
	struct hp_password *password;
	enum hotpatch_status status;

	if (!memcmp(work->sealed.function, none, sizeof(none)))
		return HOTPATCH_OK;
	status = hp_password_read(password_path, false, &password, err);
	if (status)
		return status;
	status = decrypt(work, password, path, err);
	sodium_free(password);
	return status;
}

/* The second half of a secret key is the public one. */
static bool is_whole(struct work *work)
{
	const unsigned char *bytes = work->sealed.hidden.bytes;

	crypto_sign_seed_keypair(work->derived_public, work->derived, bytes);
	return !sodium_memcmp(work->derived, bytes, sizeof(work->derived));
}

static enum hotpatch_status take(struct work *work, const char *path,
				 struct hp_secret_key **key,
				 struct hotpatch_error *err)
{
	if (!is_whole(work))
		return bad_key(path, "has a key that is damaged", err);
	*key = sodium_malloc(sizeof(**key));
	if (!*key)
		return no_memory(err);
	memcpy((*key)->number, work->sealed.hidden.number,
	       sizeof((*key)->number));
	memcpy((*key)->bytes, work->sealed.hidden.bytes, sizeof((*key)->bytes));
	return HOTPATCH_OK;
}

enum hotpatch_status hp_secret_key_read(const char *path,
					const char *password_path,
					struct hp_secret_key **key,
					struct hotpatch_error *err)
{
	struct work *work = sodium_malloc(sizeof(*work));
	enum hotpatch_status status;
	int fd = -1;

	*key = NULL;
	if (!work)
		return no_memory(err);
	status = hp_file_open(AT_FDCWD, path, path, &fd, err);
	if (!status)
		status = read_text(fd, path, work, err);
	if (!status)
		status = read_sealed(work, path, err);
	if (!status)
		status = unlock(work, path, password_path, err);
	if (!status)
		status = take(work, path, key, err);
	if (fd >= 0)
		close(fd);
	sodium_free(work);
	return status;
}

enum hotpatch_status hp_secret_key_make(struct hp_secret_key **key,
					struct hotpatch_error *err)
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES];

	*key = sodium_malloc(sizeof(**key));
	if (!*key)
		return no_memory(err);
	randombytes_buf((*key)->number, sizeof((*key)->number));
	crypto_sign_keypair(public, (*key)->bytes);
	return HOTPATCH_OK;
}

void hp_secret_key_public(const struct hp_secret_key *key,
			  char text[HP_PUBLIC_TEXT_SIZE])
{
	unsigned char
		bytes[sizeof(plain) + HP_KEY_NUMBER_SIZE + HP_PUBLIC_KEY_SIZE];

	memcpy(bytes, plain, sizeof(plain));
	memcpy(bytes + sizeof(plain), key->number, HP_KEY_NUMBER_SIZE);
	crypto_sign_ed25519_sk_to_pk(bytes + sizeof(plain) + HP_KEY_NUMBER_SIZE,
				     key->bytes);
	hp_base64_write(bytes, sizeof(bytes), text);
}

/* A new file, whole on the disk or not there. */
static enum hotpatch_status write_new(const char *path, mode_t mode,
				      const char *text,
				      struct hotpatch_error *err)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      mode);
	bool done;
	int cause;

	if (fd < 0)
		return hp_error(err,
				errno == EACCES ? HOTPATCH_E_PERMISSION :
						  HOTPATCH_E_IO,
				errno, path, "%s cannot be made: %s.", path,
				strerror(errno));
	done = hp_file_write(fd, text, strlen(text)) && !fsync(fd);
	cause = errno;
	close(fd);
	if (done)
		return HOTPATCH_OK;
	unlink(path);
	return hp_error(err, HOTPATCH_E_IO, cause, path,
			"%s cannot be written: %s.", path, strerror(cause));
}

/* The secret key file's text, in @work. */
static enum hotpatch_status compose(struct work *work,
				    const struct hp_secret_key *key,
				    const struct hp_password *password,
				    struct hotpatch_error *err)
{
	struct sealed *sealed = &work->sealed;
	enum hotpatch_status status = HOTPATCH_OK;
	int length;

	memset(sealed, 0, sizeof(*sealed));
	memcpy(sealed->algorithm, plain, sizeof(plain));
	memcpy(sealed->checksum_algorithm, blake2b, sizeof(blake2b));
	memcpy(sealed->hidden.number, key->number, sizeof(key->number));
	memcpy(sealed->hidden.bytes, key->bytes, sizeof(key->bytes));
	if (password) {
		checksum(sealed, sealed->hidden.checksum);
		status = encrypt(work, password, err);
	}
	if (status)
		return status;
	length = snprintf(work->text, sizeof(work->text),
			  "untrusted comment: hotpatch %ssecret key\n",
			  password ? "encrypted " : "");
	hp_base64_write((const unsigned char *)sealed, sizeof(*sealed),
			work->text + length);
	strcat(work->text, "\n");
	return HOTPATCH_OK;
}

enum hotpatch_status hp_secret_key_write(const struct hp_secret_key *key,
					 const struct hp_password *password,
					 const char *secret_path,
					 const char *public_path,
					 struct hotpatch_error *err)
{
	struct work *work = sodium_malloc(sizeof(*work));
	char public[HP_PUBLIC_TEXT_SIZE];
	char id[HOTPATCH_KEY_ID_SIZE];
	enum hotpatch_status status;
	char text[256];

	if (!work)
		return no_memory(err);
	hp_secret_key_public(key, public);
	hp_key_id(key->number, id);
	snprintf(text, sizeof(text),
		 "untrusted comment: hotpatch public key %s\n%s\n", id, public);
	status = compose(work, key, password, err);
	if (!status)
		status = write_new(secret_path, 0600, work->text, err);
	if (!status) {
		status = write_new(public_path, 0644, text, err);
		if (status)
			unlink(secret_path);
	}
	sodium_free(work);
	return status;
}
