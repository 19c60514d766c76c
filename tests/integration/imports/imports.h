/* SPDX-License-Identifier: MIT */
/*
 * What the host of the imports test and its bundles agree on.
 */
#ifndef IMPORTS_H
#define IMPORTS_H

struct record {
	int number;
	char text[12];
};

/* Exported. */
extern int open_count;
extern __thread long exported_tls;
int twice(int value);

/* What the bundles replace: each gives back what it reaches by name. */
enum what {
	COUNT,	/* open_count, after adding 1 */
	TWICE,	/* twice(21) */
	STATIC, /* the host's static counter, after adding 1 */
	TABLE,	/* an element of a static array */
	FUNCTION,
	ENTRY, /* a patchable static function, by its entry */
	TLS,   /* the calling thread's, after adding 1 */
	EXPORTED_TLS,
	LIBRARY,
	LIBRARY_TLS,
	EXPORTED, /* by another bundle */
};
long reach(enum what what);
const void *where(enum what what);

#endif
