/* SPDX-License-Identifier: MIT */
/*
 * The public functions. One lock guards all of lib/redirect; it comes before
 * the loader's and the engine's.
 */
#include "../engine.h"
#include "../status.h"
#include "batch.h"
#include "host.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *hotpatch_refusal_text(enum hotpatch_refusal refusal)
{
	switch (refusal) {
#define TEXT(name, text)                                                       \
	case HOTPATCH_REFUSAL_##name:                                          \
		return text;
		HOTPATCH_REFUSAL_MAP(TEXT)
#undef TEXT
	}
	return "unknown";
}

static void take_lock(void)
{
	pthread_mutex_lock(&lock);
}

static void release_lock(void)
{
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	/* Without it a child of a fork in the middle of a batch could not
	 * redirect; nothing else is lost. */
	(void)pthread_atfork(take_lock, release_lock, release_lock);
}

static bool are_names(const struct hotpatch_function_name *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!names[i].name && !names[i].address)
			return false;
	return names || !count;
}

void hp_redirect_enter(void)
{
	pthread_once(&once, watch_forks);
	take_lock();
	hp_loader_enter();
}

bool hp_redirect_try_enter(void)
{
	pthread_once(&once, watch_forks);
	if (pthread_mutex_trylock(&lock) != 0)
		return false;
	hp_loader_enter();
	return true;
}

void hp_redirect_leave(void)
{
	hp_loader_leave();
	release_lock();
}

static enum hotpatch_status
guarded_batch(const struct hotpatch_function_name *names, size_t count, bool on,
	      struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int cancel_state;

	if (!are_names(names, count))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "redirect",
				"each function needs a name or an address");
	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_redirect_enter();
	status = hp_batch_run(names, count, on, err);
	hp_redirect_leave();
	hp_engine_leave(cancel_state);
	return status;
}

enum hotpatch_status
hotpatch_redirect(const struct hotpatch_function_name *functions, size_t count,
		  struct hotpatch_error *err)
{
	return guarded_batch(functions, count, true, err);
}

enum hotpatch_status
hotpatch_redirect_release(const struct hotpatch_function_name *functions,
			  size_t count, struct hotpatch_error *err)
{
	return guarded_batch(functions, count, false, err);
}

static void fill_info(const struct hotpatch_function_name *name,
		      const struct hp_host *host,
		      const struct hp_function *function,
		      struct hotpatch_function_info *info)
{
	const struct hp_redirected *record =
		hp_host_neighbour(host, function, 0);

	memset(info, 0, sizeof(*info));
	hp_text_copy(info->module, sizeof(info->module), host->facts.name);
	hp_host_name(host, function, name, info->name, sizeof(info->name));
	info->address = (const void *)(host->base + function->start);
	info->tier = function->tier;
	info->refusal = (enum hotpatch_refusal)function->refusal;
	info->written = function->written;
	info->redirected = record && record->on;
}

enum hotpatch_status
hotpatch_redirect_look(const struct hotpatch_function_name *function,
		       struct hotpatch_function_info *info,
		       struct hotpatch_error *err)
{
	const struct hp_function *found;
	enum hotpatch_status status;
	struct hp_host *host = NULL;
	int cancel_state;

	if (!function || !info || !are_names(function, 1))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "redirect",
				"a function's name or address is wanted");
	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_redirect_enter();
	status = hp_host_find(function, &host, &found, err);
	if (status == HOTPATCH_OK)
		fill_info(function, host, found, info);
	hp_redirect_leave();
	hp_engine_leave(cancel_state);
	return status;
}
