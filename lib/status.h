/* SPDX-License-Identifier: MIT */
/*
 * Filling a struct hotpatch_error. Texts are cut at the size of their field
 * and then end in "...".
 */
#ifndef HP_STATUS_H
#define HP_STATUS_H

#include <hotpatch/status.h>
#include <stddef.h>

/* Copies @text into @place of @size bytes, marking a cut. NULL counts as "". */
void hp_text_copy(char *place, size_t size, const char *text);

/*
 * Fills @err, which may be NULL, and returns @status. @object is a file, a
 * function, a patch or a thread; the sentence is printf-like. @os_error is an
 * errno or 0.
 */
__attribute__((format(printf, 5, 6))) enum hotpatch_status
hp_error(struct hotpatch_error *err, enum hotpatch_status status, int os_error,
	 const char *object, const char *format, ...);

#endif
