/* SPDX-License-Identifier: MIT */
#define NAME "second"
#define SEQUENCE 2
#define VERSION 1
#define NUMBER 200
#include "body.h"
