/* SPDX-License-Identifier: MIT */
/*
 * What the C++ program of the entries test shares with its bundles.
 */
#ifndef HOTPATCH_TEST_ENTRIES_CXX_H
#define HOTPATCH_TEST_ENTRIES_CXX_H

struct order {
	int amount;
};

#ifdef __cplusplus
extern "C" {
#endif

int checked(const struct order *order);
int relay(int (*callback)(int), int value);

#ifdef __cplusplus
}
#endif

#endif
