/* SPDX-License-Identifier: MIT */
/*
 * A shared object, but no bundle.
 */
int nothing_of_a_bundle(void);

int nothing_of_a_bundle(void)
{
	return 0;
}
