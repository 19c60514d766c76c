/* SPDX-License-Identifier: MIT */
#define NAME "all_one"
#define SEQUENCE 4
#define VERSION 1
#define NUMBER 400
#include "body.h"

HOTPATCH_REPLACES("*");
