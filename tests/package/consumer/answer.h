/* SPDX-License-Identifier: MIT */
/*
 * The function that the host offers and the bundle replaces, and one that the
 * bundle calls by name.
 */
#ifndef ANSWER_H
#define ANSWER_H

int answer(int question);
int helper(int number);

#endif
