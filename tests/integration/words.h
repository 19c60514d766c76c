/* SPDX-License-Identifier: MIT */
/*
 * How hosts read the words that scripts send them, one a line. A thread that
 * waits here has little on its stack: what a large frame such as scanf()'s does
 * not write may look like a return into a patch, which is retained then.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* Cut to @size with its NUL; false at the end of the standard input. */
static inline bool read_word(char *word, size_t size)
{
	size_t length = 0;

	while (read(STDIN_FILENO, &word[length], 1) == 1) {
		if (word[length] == '\n') {
			word[length] = '\0';
			return true;
		}
		if (length < size - 1)
			length++;
	}
	return false;
}

#endif
