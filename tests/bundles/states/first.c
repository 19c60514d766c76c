/* SPDX-License-Identifier: MIT */
#define NAME "first"
#define SEQUENCE 1
#define VERSION 1
#define NUMBER 100
#include "body.h"
