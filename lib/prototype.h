/* SPDX-License-Identifier: MIT */
/*
 * Comparing two spellings of a function's type: blanks and the names of
 * parameters do not count, everything else does. In doubt they differ.
 */
#ifndef HP_PROTOTYPE_H
#define HP_PROTOTYPE_H

#include <stdbool.h>

bool hp_prototype_equal(const char *a, const char *b);

#endif
