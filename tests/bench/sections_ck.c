/* SPDX-License-Identifier: MIT */
/*
 * ck_epoch.
 */
#include <ck_epoch.h>

#include "sample.h"
#include "sections.h"

#include <stdlib.h>

static ck_epoch_t epoch;
static __thread ck_epoch_record_t *record;

__attribute__((constructor)) static void prepare(void)
{
	ck_epoch_init(&epoch);
}

static void start(void)
{
	record = aligned_alloc(64, (sizeof(*record) + 63) / 64 * 64);
	if (!record)
		abort();
	ck_epoch_register(&epoch, record, NULL);
}

static void run(unsigned long count)
{
	LOOP(count, {
		ck_epoch_begin(record, NULL);
		CALL_POINTER((int)i);
		ck_epoch_end(record, NULL);
	});
}

/* The record stays on its list. */
static void stop(void)
{
	ck_epoch_unregister(record);
}

const struct side ck_epoch_side = {"ck_epoch", start, run, stop};
