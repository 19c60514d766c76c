/* SPDX-License-Identifier: MIT */
/* A shared object without a note of ours. */
int plain(void);

int plain(void)
{
	return 1;
}
