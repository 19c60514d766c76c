/* SPDX-License-Identifier: MIT */
/*
 * Passwords: from a file, or from the terminal without showing them.
 */
#include "../status.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static enum hotpatch_status refuse(const char *object, const char *what,
				   struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_PASSWORD, 0, object, "%s", what);
}

/* Up to the end of the line, and byte by byte, so that nothing of what follows
 * is taken. */
static enum hotpatch_status read_line(int fd, struct hp_password *password,
				      struct hotpatch_error *err)
{
	size_t size = 0;
	ssize_t got;
	char byte;

	for (;;) {
		got = read(fd, &byte, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || byte == '\n')
			break;
		if (size == sizeof(password->text) - 1)
			return refuse("password", "The password is too long.",
				      err);
		password->text[size++] = byte;
	}
	if (size && password->text[size - 1] == '\r')
		size--;
	password->text[size] = '\0';
	if (!size || strlen(password->text) != size)
		return refuse("password", "The password is empty.", err);
	return HOTPATCH_OK;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		return;
}

/* Signals wait, because the terminal would stay dumb after one that ends us. */
static enum hotpatch_status ask(int fd, const char *prompt,
				struct hp_password *password,
				struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct termios before;
	struct termios silent;
	sigset_t all;
	sigset_t old;

	if (tcgetattr(fd, &before))
		return refuse("password", "The terminal cannot be silenced.",
			      err);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &silent);
	say(fd, prompt);
	status = read_line(fd, password, err);
	tcsetattr(fd, TCSAFLUSH, &before);
	say(fd, "\n");
	sigprocmask(SIG_SETMASK, &old, NULL);
	return status;
}

static enum hotpatch_status ask_again(int fd,
				      const struct hp_password *password,
				      struct hotpatch_error *err)
{
	struct hp_password *again = sodium_malloc(sizeof(*again));
	enum hotpatch_status status;

	if (!again)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "password",
				"There is no memory for the password.");
	status = ask(fd, "Once more: ", again, err);
	if (!status && strcmp(again->text, password->text) != 0)
		status = refuse("password", "The two passwords differ.", err);
	sodium_free(again);
	return status;
}

static enum hotpatch_status ask_terminal(bool twice,
					 struct hp_password *password,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return refuse("password",
			      "A password is wanted, and there is no terminal "
			      "to ask for it; see --password-file.",
			      err);
	status = ask(fd, "Password: ", password, err);
	if (!status && twice)
		status = ask_again(fd, password, err);
	close(fd);
	return status;
}

static enum hotpatch_status read_password_file(const char *path,
					       struct hp_password *password,
					       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return hp_error(err,
				errno == ENOENT ? HOTPATCH_E_NOT_FOUND :
						  HOTPATCH_E_PERMISSION,
				errno, path, "%s cannot be opened: %s.", path,
				strerror(errno));
	status = read_line(fd, password, err);
	close(fd);
	return status;
}

enum hotpatch_status hp_password_read(const char *path, bool twice,
				      struct hp_password **password,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;

	*password = sodium_malloc(sizeof(**password));
	if (!*password)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "password",
				"There is no memory for the password.");
	status = path ? read_password_file(path, *password, err) :
			ask_terminal(twice, *password, err);
	if (!status)
		return status;
	sodium_free(*password);
	*password = NULL;
	return status;
}
