/* SPDX-License-Identifier: MIT */
/*
 * A host whose bundles ask it from each of their callbacks, with two modules
 * that may come and go.
 */
#ifndef HOTPATCH_TEST_CALLBACKS_HOST_H
#define HOTPATCH_TEST_CALLBACKS_HOST_H

#include "support.h"

#include <dlfcn.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

/* What the modules' constructors got from their own function. */
int plugin_constructed_with;
int second_constructed_with;

const char *ask_host(const char *patch, const char *what, const char *module);

/* What the callback of the test does, and when: "patch what module". */
static const char *special;
static const char *(*act)(void);
static pthread_t ran_in;
static unsigned int depth;
static unsigned int deepest;

const char *ask_host(const char *patch, const char *what, const char *module)
{
	const char *answer = NULL;
	char asked[128];

	if (++depth > deepest)
		deepest = depth;
	snprintf(asked, sizeof(asked), "%s %s %s", patch, what, module);
	if (special && strcmp(asked, special) == 0) {
		ran_in = pthread_self();
		answer = act();
	}
	depth--;
	return answer;
}

static inline void at(const char *when, const char *(*what)(void))
{
	special = when;
	act = what;
}

struct plugin {
	void *handle;
	int (*price)(int net);
};

static inline struct plugin open_module(const char *name)
{
	struct plugin plugin;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.so", HOTPATCH_TEST_MODULES, name);
	plugin.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(plugin.handle != NULL, "%s", dlerror());
	snprintf(path, sizeof(path), "%s_price", name);
	*(void **)&plugin.price = dlsym(plugin.handle, path);
	ck_assert_ptr_nonnull(plugin.price);
	return plugin;
}

static inline void read_price(void *place)
{
	*(int *)place = price(0);
}

static inline int price_seen_by(struct holder *holder)
{
	int seen = 0;

	holder_run(holder, read_price, &seen);
	return seen;
}

#define TRANSITION(patch)                                                      \
	"staged " patch "\ndetoured " patch "\nadvanced " patch "\n"
#define SETTLING(patch) "drained " patch "\nsettled " patch "\n"
#define MOVED(patch) TRANSITION(patch) SETTLING(patch)

#endif
