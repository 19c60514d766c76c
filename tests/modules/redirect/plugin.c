/* SPDX-License-Identifier: MIT */
/*
 * A module without any patchable function.
 */

int plugin_sum(int a, int b);

__attribute__((noinline)) int plugin_sum(int a, int b)
{
	volatile int sum = a;

	return sum + b;
}
