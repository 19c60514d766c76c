/* SPDX-License-Identifier: MIT */
#define NAME "newer"
#define SEQUENCE 3
#define VERSION 2
#define NUMBER 300
#include "body.h"
