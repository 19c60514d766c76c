/* SPDX-License-Identifier: MIT */
#define NAME "all_two"
#define SEQUENCE 5
#define VERSION 2
#define NUMBER 500
#include "body.h"

HOTPATCH_REPLACES("*");
