/* SPDX-License-Identifier: MIT */
/*
 * The host's functions that the bundles of the file tests claim to replace.
 * No host defines them: these bundles are read and mapped, never bound.
 */
#ifndef FILES_HOST_H
#define FILES_HOST_H

#ifdef __cplusplus
extern "C" {
#endif

struct request {
	int length;
};

int handle_one(struct request *request, const char path[4]);
int handle_two(struct request *request, const char path[4]);
void *make_table(int (*compare)(const void *, const void *), long size);
int log_line(const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
