/* SPDX-License-Identifier: MIT */
/*
 * Version 10, for which all tasks meet.
 */
#define NAME "j"
#define VERSION 10
#define CONSISTENCY HOTPATCH_RENDEZVOUS
#include "body.h"
#include "callbacks.h"

HOTPATCH_MIGRATE(context)
{
	(void)context;
	callback_passes(VERSION, HOTPATCH_CALLBACK_MIGRATE);
}
