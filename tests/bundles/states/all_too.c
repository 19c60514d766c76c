/* SPDX-License-Identifier: MIT */
#define NAME "all_too"
#define SEQUENCE 6
#define VERSION 2
#define NUMBER 600
#include "body.h"

HOTPATCH_REPLACES("*");
