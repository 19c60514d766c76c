/* SPDX-License-Identifier: MIT */
#define NAME "all"
#define SEQUENCE 3
#define NUMBER 300
#include "body.h"

HOTPATCH_REPLACES("*");
