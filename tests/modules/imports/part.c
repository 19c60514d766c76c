/* SPDX-License-Identifier: MIT */
/*
 * A library with a static and a thread-local variable that bundles import. It
 * has no table.
 */
int part_count(void);
long *part_tls(void);

static volatile int part_static = 300;
static __thread long part_local = 40;

int part_count(void)
{
	return part_static;
}

long *part_tls(void)
{
	return &part_local;
}
