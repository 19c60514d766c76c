/* SPDX-License-Identifier: MIT */
/*
 * What stands for the control server in a library that was built without it.
 */
#include "../status.h"

#include <hotpatch/control.h>

enum hotpatch_status
hotpatch_control_start(const struct hotpatch_control_options *options,
		       struct hotpatch_control **control,
		       struct hotpatch_error *err)
{
	(void)options;
	if (control)
		*control = NULL;
	return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "",
			"This library was built without the control socket.");
}

void hotpatch_control_stop(struct hotpatch_control *control)
{
	(void)control;
}

const char *hotpatch_control_path(const struct hotpatch_control *control)
{
	(void)control;
	return "";
}

int hotpatch_control_fd(const struct hotpatch_control *control)
{
	(void)control;
	return -1;
}

int hotpatch_control_dispatch(struct hotpatch_control *control)
{
	(void)control;
	return -1;
}
