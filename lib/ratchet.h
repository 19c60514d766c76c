/* SPDX-License-Identifier: MIT */
/*
 * The memory of which signed bundles were accepted, against old ones that are
 * played back: for each key and target the highest sequence, which only grows,
 * and the contents of what was accepted, to which a caller may roll back. Kept
 * in the private directory, for all processes that share it.
 */
#ifndef HP_RATCHET_H
#define HP_RATCHET_H

#include "trust.h"

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * @target:   name of the module that it is for, whatever its build
 * @name:     what errors call the bundle
 * @rollback: the caller wants it although it is older
 */
struct hp_ratchet_item {
	const struct hp_voucher *voucher;
	const char *target;
	const char *name;
	uint64_t sequence;
	bool rollback;
};

/* May it be loaded? E_REPLAYED; E_NOT_RECORDED for a rollback to what was never
 * accepted; E_STORE. */
enum hotpatch_status hp_ratchet_check(const struct hp_ratchet_item *item,
				      struct hotpatch_error *err);

/* The same, and remembers it for good; E_LIMIT if there is too much to
 * remember. */
enum hotpatch_status hp_ratchet_record(const struct hp_ratchet_item *item,
				       struct hotpatch_error *err);

#endif
