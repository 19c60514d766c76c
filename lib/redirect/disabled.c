/* SPDX-License-Identifier: MIT */
/*
 * What stands for redirection in a library that was built without it.
 */
#include "../patch.h"
#include "../redirects.h"
#include "../status.h"

#include <hotpatch/redirect.h>

static enum hotpatch_status unsupported(struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, "redirect",
			"This library was built without redirection.");
}

const char *hotpatch_refusal_text(enum hotpatch_refusal refusal)
{
	(void)refusal;
	return "unknown";
}

enum hotpatch_status
hotpatch_redirect(const struct hotpatch_function_name *functions, size_t count,
		  struct hotpatch_error *err)
{
	(void)functions;
	(void)count;
	return unsupported(err);
}

enum hotpatch_status
hotpatch_redirect_release(const struct hotpatch_function_name *functions,
			  size_t count, struct hotpatch_error *err)
{
	(void)functions;
	(void)count;
	return unsupported(err);
}

enum hotpatch_status
hotpatch_redirect_look(const struct hotpatch_function_name *function,
		       struct hotpatch_function_info *info,
		       struct hotpatch_error *err)
{
	(void)function;
	(void)info;
	return unsupported(err);
}

enum hotpatch_status hp_redirects_check(struct hotpatch_patch *patch,
					struct hotpatch_error *err)
{
	size_t i;

	for (i = 0; i < patch->manifest.replace_count; i++)
		if (patch->manifest.replaces[i].redirect)
			return unsupported(err);
	return HOTPATCH_OK;
}

void hp_redirects_release(struct hotpatch_patch *patch)
{
	(void)patch;
}

enum hotpatch_status hp_redirects_take(struct hotpatch_patch *patch,
				       struct hotpatch_error *err)
{
	(void)patch;
	(void)err;
	return HOTPATCH_OK;
}

void hp_redirects_let_go(struct hotpatch_patch *patch)
{
	(void)patch;
}

bool hp_redirects_code(const struct hotpatch_slot *slot, uintptr_t *start,
		       uintptr_t *stop)
{
	(void)slot;
	(void)start;
	(void)stop;
	return false;
}

void hp_redirects_poll(void)
{
}

int hp_redirects_idle_ms(void)
{
	return -1;
}

void hp_redirects_bytes(size_t *mapped, size_t *idle)
{
	*mapped = 0;
	*idle = 0;
}

void hp_redirects_fork_child(void)
{
}
