/* SPDX-License-Identifier: MIT */
#define NAME "fix"
#define SEQUENCE 1
#define NUMBER 100
#include "body.h"
