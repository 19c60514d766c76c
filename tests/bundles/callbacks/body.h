/* SPDX-License-Identifier: MIT */
/*
 * A bundle with all four callbacks for itself and for each of two modules. The
 * including file defines NAME, SEQUENCE and NUMBER. Each callback asks the
 * host, which may refuse in a prepare.
 */
#include <hotpatch/bundle.h>

extern const char *ask_host(const char *patch, const char *what,
			    const char *module);

HOTPATCH_BUNDLE(NAME, SEQUENCE);

static void ask(struct hotpatch_context *context, const char *what)
{
	const char *refusal = ask_host(context->patch, what, context->module);

	if (refusal)
		hotpatch_refuse(context, refusal);
}

#define CALLBACKS(module)                                                      \
	HOTPATCH_PREPARE_IN(module, context)                                   \
	{                                                                      \
		ask(context, "prepare");                                       \
	}                                                                      \
	HOTPATCH_COMMIT_IN(module, context)                                    \
	{                                                                      \
		ask(context, "commit");                                        \
	}                                                                      \
	HOTPATCH_BEFORE_REVERT_IN(module, context)                             \
	{                                                                      \
		ask(context, "before_revert");                                 \
	}                                                                      \
	HOTPATCH_AFTER_REVERT_IN(module, context)                              \
	{                                                                      \
		ask(context, "after_revert");                                  \
	}

CALLBACKS("")
CALLBACKS("plugin.so")
CALLBACKS("second.so")

HOTPATCH_REPLACE(int, price, (int net))
{
	return net + NUMBER;
}

HOTPATCH_REPLACE_IN("plugin.so", int, plugin_price, (int net))
{
	return net + NUMBER;
}

HOTPATCH_REPLACE_IN("second.so", int, second_price, (int net))
{
	return net + NUMBER;
}
