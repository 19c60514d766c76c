/* SPDX-License-Identifier: MIT */
#define NAME "top"
#define SEQUENCE 2
#define NUMBER 200
#include "body.h"
