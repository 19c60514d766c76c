/* SPDX-License-Identifier: MIT */
/*
 * The function that the host offers and the bundle replaces, one that the
 * bundle calls by name, and an object to which it attaches something.
 */
#ifndef ANSWER_H
#define ANSWER_H

int answer(int question);
int helper(int number);

extern int topic;

#endif
