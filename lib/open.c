/* SPDX-License-Identifier: MIT */
/*
 * Opening: from a file to a loaded patch of which nothing is visible. Reads,
 * judges and loads without the engine's lock, because the dynamic loader may
 * run a module's constructor that wants it; what was judged before loading is
 * judged again under the lock, then and when the patch is applied.
 */
#include "atomic.h"
#include "canary.h"
#include "engine.h"
#include "event.h"
#include "held.h"
#include "patch.h"
#include "quarantine.h"
#include "ratchet.h"
#include "status.h"
#include "task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_REHEARSAL_MS 2000

static bool opened_any;

static bool has_contents(const struct hotpatch_patch *patch,
			 const struct hp_file *file)
{
	return patch->file.digest == file->digest &&
	       patch->file.size == file->size &&
	       memcmp(patch->file.bytes, file->bytes, file->size) == 0;
}

/* Is it here already, or another one by its name? Under the lock. */
static enum hotpatch_status check_known(const struct hp_file *file,
					const struct hp_manifest *manifest,
					struct hotpatch_patch **known,
					struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;

	for (patch = hp_patches; patch; patch = patch->next) {
		if (!hp_patch_is_under_way(patch))
			continue;
		if (has_contents(patch, file)) {
			patch->references++;
			*known = patch;
			return hp_error(err, HOTPATCH_E_ALREADY, 0,
					manifest->name, "%s is %s already",
					manifest->name,
					hotpatch_state_name(patch->state));
		}
		if (strcmp(patch->manifest.name, manifest->name) == 0)
			return hp_error(err, HOTPATCH_E_CONFLICT, 0,
					manifest->name,
					"another patch by the name %s is %s",
					manifest->name,
					hotpatch_state_name(patch->state));
	}
	return HOTPATCH_OK;
}

static enum hotpatch_status
check_kind(const struct hp_manifest *manifest,
	   const struct hotpatch_open_options *options,
	   struct hotpatch_error *err)
{
	if (manifest->kind == HOTPATCH_KIND_RESTART)
		return hp_error(err, HOTPATCH_E_RESTART, 0, manifest->name,
				"%s can only be had by a restart",
				manifest->name);
	if (manifest->constructors == 0 ||
	    (manifest->flags & HOTPATCH_FLAG_CONSTRUCTORS) ||
	    (options && options->allow_constructors))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_CONSTRUCTOR, 0, manifest->name,
			"%s has %zu constructors that neither its author nor "
			"the caller asked for",
			manifest->name, manifest->constructors);
}

static bool is_check(const struct hotpatch_open_options *options)
{
	return options && options->check_only;
}

/* Could @patch have a canary, or @known, if it is here already and not on? */
static enum hotpatch_status check_canary(const struct hotpatch_patch *patch,
					 struct hotpatch_patch **known,
					 struct hotpatch_error *err)
{
	struct hotpatch_error why;

	if (!*known)
		return hp_canary_fits(patch, err);
	if (((*known)->state != HOTPATCH_LOADED &&
	     (*known)->state != HOTPATCH_REVERTING) ||
	    hp_canary_fits(*known, &why) == HOTPATCH_OK)
		return HOTPATCH_E_ALREADY;
	(*known)->references--;
	*known = NULL;
	*err = why;
	return why.status;
}

static enum hotpatch_status judge(struct hotpatch_patch *patch,
				  const struct hotpatch_open_options *options,
				  struct hotpatch_patch **known,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status;

	status = check_kind(&patch->manifest, options, err);
	if (status != HOTPATCH_OK)
		return status;
	hp_engine_lock();
	status = check_known(&patch->file, &patch->manifest, known, err);
	if (status == HOTPATCH_OK)
		status = hp_patch_check_fit(&patch->manifest, err);
	/* Others may come and go until it is applied, and are looked at then;
	 * but constructors run now. */
	if (status == HOTPATCH_OK &&
	    (patch->manifest.constructors || is_check(options)))
		status = hp_patch_check_others(patch, err);
	if ((status == HOTPATCH_OK || status == HOTPATCH_E_ALREADY) &&
	    options && options->check_only && options->canary)
		status = check_canary(patch, known, err);
	hp_engine_unlock();
	return status;
}

static enum hotpatch_status prepare_bindings(struct hotpatch_patch *patch,
					     struct hotpatch_error *err)
{
	size_t count = patch->manifest.replace_count;
	struct hotpatch_replacement *record;
	size_t i;

	patch->bindings = calloc(count + 1, sizeof(*patch->bindings));
	if (!patch->bindings)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0,
				patch->manifest.name, "no memory for %s",
				patch->manifest.name);
	for (i = 0; i < count; i++) {
		record = hp_patch_record(patch, i);
		if (!record)
			return hp_error(err, HOTPATCH_E_SWAPPED, 0,
					patch->manifest.replaces[i].name,
					"%s is in the notes of %s, but not in "
					"its code",
					patch->manifest.replaces[i].name,
					patch->manifest.name);
		patch->bindings[i].patch = patch;
		patch->bindings[i].function = record->function;
	}
	return HOTPATCH_OK;
}

/* Writes the private copy and maps it. On failure neither is left. */
static enum hotpatch_status load(struct hotpatch_patch *patch,
				 const struct hotpatch_open_options *options,
				 struct hotpatch_error *err)
{
	unsigned int rehearsal_ms = options ? options->rehearsal_ms : 0;
	char path[PATH_MAX];
	enum hotpatch_status status;

	status = hp_store_write(&patch->file, path, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_image_load(path, &patch->manifest,
			       rehearsal_ms ? rehearsal_ms :
					      DEFAULT_REHEARSAL_MS,
			       &patch->image, err);
	if (status != HOTPATCH_OK) {
		hp_store_remove(path);
		return status;
	}
	patch->owner = getpid();
	hp_imports_store(&patch->manifest, &patch->imports,
			 patch->image.bundle);
	status = prepare_bindings(patch, err);
	if (status == HOTPATCH_OK)
		status = hp_callback_create(patch, err);
	if (status == HOTPATCH_OK)
		return status;
	if (hp_image_unload(&patch->image, NULL) == HOTPATCH_OK)
		hp_store_remove(path);
	return status;
}

/* Lists the loaded patch, unless another thread was faster with the same. */
static enum hotpatch_status list_loaded(struct hotpatch_patch *patch,
					struct hotpatch_patch **known,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;

	hp_engine_lock();
	status = check_known(&patch->file, &patch->manifest, known, err);
	if (status == HOTPATCH_OK)
		status = hp_patch_check_fit(&patch->manifest, err);
	if (status == HOTPATCH_OK) {
		patch->image_index =
			hp_held_add(patch->image.start, patch->image.stop);
		if (patch->image_index < 0)
			status = hp_error(err, HOTPATCH_E_LIMIT, 0,
					  patch->manifest.name,
					  "%d patches are loaded, which is "
					  "the limit",
					  HP_HELD_LIMIT);
	}
	if (status == HOTPATCH_OK) {
		hp_callback_find_modules(patch);
		hp_patch_enlist(patch);
	}
	hp_engine_unlock();
	if (status != HOTPATCH_OK &&
	    hp_image_unload(&patch->image, NULL) == HOTPATCH_OK)
		hp_store_remove(patch->image.path);
	return status;
}

static enum hotpatch_status check_expiry(const struct hp_manifest *manifest,
					 struct hotpatch_error *err)
{
	char date[32] = "";
	struct timespec now;
	struct tm parts;
	time_t end;

	if (!manifest->expires_s)
		return HOTPATCH_OK;
	clock_gettime(CLOCK_REALTIME, &now);
	if (manifest->expires_s > (uint64_t)now.tv_sec)
		return HOTPATCH_OK;
	end = (time_t)manifest->expires_s;
	if (gmtime_r(&end, &parts))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &parts);
	return hp_error(err, HOTPATCH_E_EXPIRED, 0, manifest->name,
			"%s expired at %s", manifest->name, date);
}

/* Whoever started the program chose its name, so it may have any
 * characters. */
void hp_program_name(char name[HOTPATCH_NAME_SIZE])
{
	const struct hp_module *module;

	hp_text_copy(name, HOTPATCH_NAME_SIZE,
		     *program_invocation_short_name ?
			     program_invocation_short_name :
			     "?");
	hp_engine_lock();
	for (module = hp_modules; module; module = module->next)
		if (module->facts.program)
			hp_text_copy(name, HOTPATCH_NAME_SIZE,
				     module->facts.name);
	hp_engine_unlock();
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			*name = '?';
}

/*
 * What the ratchet wants to know. The program is called by its own name, so
 * that programs which share a directory do not share their sequences.
 */
static struct hp_ratchet_item
item_of(const struct hotpatch_patch *patch,
	const struct hotpatch_open_options *options)
{
	const char *target = patch->manifest.targets[0].module;

	return (struct hp_ratchet_item){
		.voucher = &patch->voucher,
		.target = *target ? target : patch->identity.program,
		.name = patch->manifest.name,
		.sequence = patch->manifest.sequence,
		.rollback = options && options->rollback,
	};
}

/*
 * Is it too old? Looked at before anything runs, and again when it is recorded,
 * because another process may have accepted a newer one meanwhile.
 */
static enum hotpatch_status
check_age(const struct hotpatch_patch *patch,
	  const struct hotpatch_open_options *options,
	  struct hotpatch_error *err)
{
	enum hotpatch_status status = check_expiry(&patch->manifest, err);
	struct hp_ratchet_item item;

	if (status != HOTPATCH_OK || !patch->voucher.given)
		return status;
	item = item_of(patch, options);
	return hp_ratchet_check(&item, err);
}

/* Unloads it if it cannot be recorded: nothing that was accepted is
 * forgotten. */
static enum hotpatch_status record(struct hotpatch_patch *patch,
				   const struct hotpatch_open_options *options,
				   struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct hp_ratchet_item item;

	if (!patch->voucher.given)
		return HOTPATCH_OK;
	item = item_of(patch, options);
	status = hp_ratchet_record(&item, err);
	if (status != HOTPATCH_OK &&
	    hp_image_unload(&patch->image, NULL) == HOTPATCH_OK)
		hp_store_remove(patch->image.path);
	return status;
}

static void identify(struct hotpatch_patch *patch)
{
	struct hp_identity *identity = &patch->identity;

	hp_program_name(identity->program);
	hp_identity_contents(&patch->file, identity->contents);
	hp_text_copy(identity->name, HOTPATCH_NAME_SIZE, patch->manifest.name);
	identity->sequence = patch->manifest.sequence;
}

/* If that cannot be written, it is to be said again next time. */
static void forgive(const struct hotpatch_patch *patch)
{
	hp_quarantine_forgive(patch->identity.program, patch->identity.contents,
			      NULL);
}

/* @path is NULL if the file was opened by somebody else. */
static enum hotpatch_status
open_file(struct hotpatch_patch *patch, const char *path, const char *object,
	  const struct hotpatch_open_options *options,
	  struct hotpatch_patch **known, struct hotpatch_error *err)
{
	enum hotpatch_status status;

	status = hp_trust_verify(&patch->file, path, object, options,
				 &patch->voucher, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_manifest_parse(patch->file.bytes, patch->file.size, object,
				   &patch->manifest, err);
	if (status != HOTPATCH_OK)
		return status;
	identify(patch);
	status = judge(patch, options, known, err);
	if (status == HOTPATCH_OK && !(options && options->forgive))
		status = hp_quarantine_find(&patch->identity, NULL, err);
	if (status == HOTPATCH_OK)
		status = check_age(patch, options, err);
	if (status == HOTPATCH_OK)
		status = hp_redirects_check(patch, err);
	if (status == HOTPATCH_OK)
		status =
			hp_imports_find(&patch->manifest, &patch->imports, err);
	if (is_check(options))
		return status;
	if (status == HOTPATCH_OK)
		status = load(patch, options, err);
	if (status == HOTPATCH_OK)
		status = record(patch, options, err);
	if (status != HOTPATCH_OK)
		return status;
	status = list_loaded(patch, known, err);
	if (status == HOTPATCH_OK && options && options->forgive)
		forgive(patch);
	return status;
}

/* Reads from @path, or from @fd if that is not negative. */
static enum hotpatch_status
open_any(const char *path, int fd, const struct hotpatch_open_options *options,
	 struct hotpatch_patch **result, struct hotpatch_error *err)
{
	uint64_t began_ns = hp_now_ns();
	struct hotpatch_error own;
	struct hotpatch_error *why = err ? err : &own;
	struct hotpatch_patch *patch = calloc(1, sizeof(*patch));
	enum hotpatch_status status;

	if (!patch)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, path,
				"no memory to open %s", path);
	hp_store_relaxed(&opened_any, true); /* read by who configures later */
	patch->references = 1;
	status = fd < 0 ? hp_file_read(path, &patch->file, why) :
			  hp_file_read_fd(fd, path, &patch->file, why);
	if (status == HOTPATCH_OK)
		status = open_file(patch, fd < 0 ? path : NULL, path, options,
				   result, why);
	if (status != HOTPATCH_OK || is_check(options)) {
		if (status != HOTPATCH_E_ALREADY && !is_check(options))
			hp_event(HOTPATCH_PHASE_REFUSED, status,
				 patch->manifest.name, why->object);
		hp_patch_destroy(patch);
		return status;
	}
	hp_engine_lock(); /* it is listed already */
	patch->opened_us = (hp_now_ns() - began_ns) / 1000;
	hp_engine_unlock();
	hp_event_duration(HP_OPENING, patch->opened_us);
	hp_event(HOTPATCH_PHASE_OPENED, HOTPATCH_OK, patch->manifest.name,
		 NULL);
	*result = patch;
	return HOTPATCH_OK;
}

static enum hotpatch_status
guarded_open(const char *path, int fd,
	     const struct hotpatch_open_options *options,
	     struct hotpatch_patch **patch, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int cancel_state;

	if (!path || !patch || (options && options->size != sizeof(*options)))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
				"a path, a place for the handle and options of "
				"the right size are wanted");
	*patch = NULL;
	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	status = open_any(path, fd, options, patch, err);
	hp_engine_leave(cancel_state);
	return status;
}

enum hotpatch_status
hotpatch_patch_open(const char *path,
		    const struct hotpatch_open_options *options,
		    struct hotpatch_patch **patch, struct hotpatch_error *err)
{
	return guarded_open(path, -1, options, patch, err);
}

enum hotpatch_status hotpatch_patch_open_fd(
	int fd, const char *name, const struct hotpatch_open_options *options,
	struct hotpatch_patch **patch, struct hotpatch_error *err)
{
	if (fd < 0)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, name,
				"%d is no descriptor", fd);
	return guarded_open(name, fd, options, patch, err);
}

enum hotpatch_status hotpatch_configure(const struct hotpatch_config *config,
					struct hotpatch_error *err)
{
	struct hp_trust *trust = NULL;
	enum hotpatch_status status;
	int cancel_state;

	if (!config || config->size != sizeof(*config))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "config",
				"a configuration of the right size is wanted");
	status = hp_engine_enter(&cancel_state, err);
	if (status != HOTPATCH_OK)
		return status;
	if (hp_load_relaxed(&opened_any)) /* orders nothing */
		status = hp_error(err, HOTPATCH_E_STATE, 0, "config",
				  "bundles were opened already");
	else
		status = hp_trust_prepare(config, &trust, err);
	if (status == HOTPATCH_OK && config->directory)
		status = hp_store_configure(config->directory, err);
	if (status == HOTPATCH_OK)
		hp_trust_adopt(trust);
	else
		hp_trust_discard(trust);
	hp_engine_leave(cancel_state);
	return status;
}
