/* SPDX-License-Identifier: MIT */
/*
 * A static of the same name as one in imports.c: the file tells them apart.
 */
int other_count(void);

static volatile int hidden_count = 7000;

int other_count(void)
{
	return hidden_count;
}
