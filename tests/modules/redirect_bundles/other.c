/* SPDX-License-Identifier: MIT */
/*
 * Another build of the library.
 */

int library_sum(int a, int b);

int library_sum(int a, int b)
{
	return b + a;
}
