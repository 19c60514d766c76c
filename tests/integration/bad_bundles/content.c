/* SPDX-License-Identifier: MIT */
/*
 * Whole files of the table.
 */
#include "table.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

void put_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

void put_text(const char *path, const char *text)
{
	put_file(path, text, strlen(text));
}

size_t get_file(const char *path, void *bytes, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t got;

	ck_assert_ptr_nonnull(file);
	got = fread(bytes, 1, size, file);
	ck_assert_uint_lt(got, size);
	fclose(file);
	return got;
}
