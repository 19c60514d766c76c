/* SPDX-License-Identifier: MIT */
/*
 * All that a host needs: patchable functions, sections and safe points,
 * patches, redirection, shadow data, and seeing what happens. The control
 * socket is optional and has a header of its own, control.h; authors of bundles
 * include bundle.h.
 *
 * What the host fills in, options and the like, begins with its size, so that
 * it can grow without the host being built anew. What the library fills in has
 * none, but for hotpatch_memory_info: it grows with the soname alone.
 */
#ifndef HOTPATCH_HOTPATCH_H
#define HOTPATCH_HOTPATCH_H

#include <hotpatch/desired.h>
#include <hotpatch/event.h>
#include <hotpatch/function.h>
#include <hotpatch/health.h>
#include <hotpatch/inventory.h>
#include <hotpatch/observe.h>
#include <hotpatch/patch.h>
#include <hotpatch/redirect.h>
#include <hotpatch/section.h>
#include <hotpatch/shadow.h>
#include <hotpatch/status.h>
#include <hotpatch/version.h>

#endif
