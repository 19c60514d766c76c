/* SPDX-License-Identifier: MIT */
/*
 * Those of the peers that were there when this was built.
 */
#include "sections.h"

#include <stddef.h>

const struct side *const peers[] = {
#ifdef HAVE_URCU
	&urcu_qsbr_side,
	&urcu_memb_side,
	&urcu_mb_side,
	&urcu_bp_side,
#endif
#ifdef HAVE_CK
	&ck_epoch_side,
#endif
	NULL,
};
