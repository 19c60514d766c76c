/* SPDX-License-Identifier: MIT */
/*
 * A bundle as the headers made it before the table told its own size: their
 * text and that of the bundle, as the preprocessor put them together. Only
 * what the build says of the target is left to it. Never made anew.
 *
 *	HOTPATCH_BUNDLE("older", 1);
 *	HOTPATCH_IMPORT(int, older_base);
 *	HOTPATCH_STATE("older-state", 2);
 *	HOTPATCH_EXPORT(int(int), half);
 *	HOTPATCH_COMMIT(context) …
 *	HOTPATCH_REPLACE(int, older_answer, (int value)) …
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hotpatch_note_type {
	HOTPATCH_NOTE_BUNDLE = 1,
	HOTPATCH_NOTE_TARGET = 2,
	HOTPATCH_NOTE_REPLACE = 3,
	HOTPATCH_NOTE_REPLACES = 4,
	HOTPATCH_NOTE_REQUIRES = 5,
	HOTPATCH_NOTE_CONFLICTS = 6,
	HOTPATCH_NOTE_CALLBACKS = 7,
	HOTPATCH_NOTE_STATE = 8,
	HOTPATCH_NOTE_IMPORT = 9,
	HOTPATCH_NOTE_ROOM = 10,
	HOTPATCH_NOTE_BUILD = 11,
	HOTPATCH_NOTE_SEALED_FUNCTIONS = 12,
	HOTPATCH_NOTE_SEALED_IMPORTS = 13,
	HOTPATCH_NOTE_ALLOW = 14,
	HOTPATCH_NOTE_EXPORT = 15,
	HOTPATCH_NOTE_EXPIRES = 16,
	HOTPATCH_NOTE_REDIRECT = 17,
	HOTPATCH_NOTE_SEALED_REDIRECTS = 18,
	HOTPATCH_NOTE_LIBRARY = 100,
};
enum hotpatch_consistency {
	HOTPATCH_PER_TASK = 0,
	HOTPATCH_IMMEDIATE = 1,
	HOTPATCH_RENDEZVOUS = 2,
};
enum hotpatch_bundle_kind {
	HOTPATCH_KIND_PATCH = 0,
	HOTPATCH_KIND_RESTART = 1,
};
struct hotpatch_note_bundle {
	uint32_t format;
	uint32_t kind;
	uint32_t consistency;
	uint32_t flags;
	uint64_t sequence;
};
struct hotpatch_note_expires {
	uint64_t seconds;
};
struct hotpatch_note_replace {
	uint32_t kind;
	uint32_t reserved;
	uint64_t abi_hash;
};
enum hotpatch_callback_kind {
	HOTPATCH_CALLBACK_PREPARE = 0,
	HOTPATCH_CALLBACK_COMMIT = 1,
	HOTPATCH_CALLBACK_BEFORE_REVERT = 2,
	HOTPATCH_CALLBACK_AFTER_REVERT = 3,
	HOTPATCH_CALLBACK_MIGRATE = 4,
	HOTPATCH_CALLBACK_CLEAN_UP = 5,
};
struct hotpatch_note_callback {
	uint32_t kind;
	uint32_t reserved;
};
struct hotpatch_note_state {
	uint32_t version;
	uint32_t reserved;
};
enum hotpatch_import_kind {
	HOTPATCH_IMPORT_ADDRESS = 0,
	HOTPATCH_IMPORT_THREAD_LOCAL = 1,
};
struct hotpatch_note_import {
	uint32_t kind;
	uint32_t reserved;
};
struct hotpatch_note_build {
	uint32_t abi;
	uint32_t reserved;
};
struct hotpatch_sealed_function {
	uint32_t function;
	uint32_t flags;
	uint64_t abi_hash;
};
struct hotpatch_sealed_redirect {
	uint32_t function;
	uint32_t size;
	uint64_t offset;
	uint64_t hash;
};
enum hotpatch_sealed_kind {
	HOTPATCH_SEALED_EXPORTED = 0,
	HOTPATCH_SEALED_DATA = 1,
	HOTPATCH_SEALED_CODE = 2,
	HOTPATCH_SEALED_TLS = 3,
};
struct hotpatch_sealed_import {
	uint32_t import;
	uint32_t kind;
	uint64_t offset;
	uint64_t size;
	uint64_t type_hash;
};
struct hotpatch_context_state {
	const char *id;
	uint32_t version;
	uint32_t installed;
	void *data;
};
struct hotpatch_context {
	size_t size;
	const char *patch;
	const char *module;
	bool reverting;
	bool refused;
	char reason[192];
	struct hotpatch_context_state *states;
	size_t state_count;
};
struct hotpatch_callback {
	uint64_t kind;
	const char *object;
	void (*function)(struct hotpatch_context *context);
};
struct hotpatch_replacement {
	const char *module;
	const char *file;
	const char *name;
	void (*function)(void);
	void (**original)(void);
};
struct hotpatch_thread_local {
	uintptr_t module;
	uintptr_t offset;
	void *(*address)(const struct hotpatch_thread_local *place);
};
struct hotpatch_import {
	const char *patch;
	const char *module;
	const char *file;
	const char *name;
	uint64_t kind;
	void *place;
};
struct hotpatch_export {
	const char *name;
	const char *type;
	const void *address;
};
struct hotpatch_bundle {
	uint32_t format;
	uint32_t reserved;
	struct hotpatch_replacement *start;
	struct hotpatch_replacement *stop;
	struct hotpatch_callback *callbacks;
	struct hotpatch_callback *callbacks_stop;
	struct hotpatch_import *imports_start;
	struct hotpatch_import *imports_stop;
	struct hotpatch_export *exports_start;
	struct hotpatch_export *exports_stop;
};
static inline __attribute__((unused)) void
hotpatch_refuse(struct hotpatch_context *context, const char *reason)
{
	size_t i;
	for (i = 0; reason[i] && i + 1 < sizeof(context->reason); i++)
		context->reason[i] = reason[i];
	context->reason[i] = '\0';
	context->refused = true;
}
static inline __attribute__((unused)) struct hotpatch_context_state *
hotpatch_context_find_state(const struct hotpatch_context *context,
			    const char *id)
{
	const char *known;
	size_t i;
	size_t at;
	for (i = 0; i < context->state_count; i++) {
		known = context->states[i].id;
		for (at = 0; known[at] && known[at] == id[at]; at++)
			;
		if (known[at] == id[at])
			return &context->states[i];
	}
	return NULL;
}
int older_answer(int value);
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	struct hotpatch_note_bundle head_;
	char texts_[(((sizeof("older")) + 3u) & ~3u)];
} __attribute__((packed)) hotpatch_note_bundle_ = {
	sizeof("hotpatch"),
	sizeof(struct hotpatch_note_bundle) + (((sizeof("older")) + 3u) & ~3u),
	HOTPATCH_NOTE_BUNDLE,
	"hotpatch",
	{1, HOTPATCH_KIND_PATCH, HOTPATCH_PER_TASK, 0, 1},
	"older"};
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	char texts_[(((sizeof(HOTPATCH_TARGET_MODULE
			      "\0" HOTPATCH_TARGET_BUILD_ID)) +
		      3u) &
		     ~3u)];
} __attribute__((packed)) hotpatch_note_target_0 = {
	sizeof("hotpatch"),
	(((sizeof(HOTPATCH_TARGET_MODULE "\0" HOTPATCH_TARGET_BUILD_ID)) + 3u) &
	 ~3u),
	HOTPATCH_NOTE_TARGET, "hotpatch",
	HOTPATCH_TARGET_MODULE "\0" HOTPATCH_TARGET_BUILD_ID};
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind_;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	char room[(((4096) + 3u) & ~3u)];
} __attribute__((packed)) hotpatch_note_room_ = {sizeof("hotpatch"),
						 (((4096) + 3u) & ~3u),
						 HOTPATCH_NOTE_ROOM,
						 "hotpatch",
						 {0}};
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_replacement
	__start_hotpatch_replacements[];
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_replacement
	__stop_hotpatch_replacements[];
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_callback
	__start_hotpatch_callbacks[];
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_callback
	__stop_hotpatch_callbacks[];
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_import
	__start_hotpatch_imports[];
extern __attribute__((
	weak,
	visibility("hidden"))) struct hotpatch_import __stop_hotpatch_imports[];
extern __attribute__((weak, visibility("hidden"))) struct hotpatch_export
	__start_hotpatch_exports[];
extern __attribute__((
	weak,
	visibility("hidden"))) struct hotpatch_export __stop_hotpatch_exports[];
extern __attribute__((
	visibility("default"))) struct hotpatch_bundle hotpatch_bundle_;
__attribute__((used)) struct hotpatch_bundle hotpatch_bundle_ = {
	1,
	0,
	__start_hotpatch_replacements,
	__stop_hotpatch_replacements,
	__start_hotpatch_callbacks,
	__stop_hotpatch_callbacks,
	__start_hotpatch_imports,
	__stop_hotpatch_imports,
	__start_hotpatch_exports,
	__stop_hotpatch_exports};
extern __typeof__(int) older_base;
static __typeof__(int) *older_base__imported;
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	struct hotpatch_note_import head_;
	char texts_[(((sizeof(""
			      "\0"
			      ""
			      "\0"
			      ""
			      "\0"
			      "older_base"
			      "\0"
			      "int")) +
		      3u) &
		     ~3u)];
} __attribute__((packed)) older_base__import_note = {
	sizeof("hotpatch"),
	sizeof(struct hotpatch_note_import) + (((sizeof(""
							"\0"
							""
							"\0"
							""
							"\0"
							"older_base"
							"\0"
							"int")) +
						3u) &
					       ~3u),
	HOTPATCH_NOTE_IMPORT,
	"hotpatch",
	{HOTPATCH_IMPORT_ADDRESS, 0},
	""
	"\0"
	""
	"\0"
	""
	"\0"
	"older_base"
	"\0"
	"int"};
__attribute__((retain)) __attribute__((
	used, section("hotpatch_imports"),
	aligned(8))) static struct hotpatch_import older_base__import_record = {
	"",
	"",
	"",
	"older_base",
	HOTPATCH_IMPORT_ADDRESS,
	(void *)&older_base__imported};
__attribute__((unused)) static inline __typeof__(int) *older_base__import(void)
{
	return older_base__imported;
}
typedef __typeof__(int) older_base__import_type;
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	struct hotpatch_note_state head_;
	char texts_[(((sizeof("older-state")) + 3u) & ~3u)];
} __attribute__((packed))
hotpatch_note_state_1 = {sizeof("hotpatch"),
			 sizeof(struct hotpatch_note_state) +
				 (((sizeof("older-state")) + 3u) & ~3u),
			 HOTPATCH_NOTE_STATE,
			 "hotpatch",
			 {2, 0},
			 "older-state"};
static int half(int value)
{
	return value / 2;
}
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	char texts_[(((sizeof("half"
			      "\0"
			      "int(int)")) +
		      3u) &
		     ~3u)];
} __attribute__((packed)) half__export_note = {sizeof("hotpatch"),
					       (((sizeof("half"
							 "\0"
							 "int(int)")) +
						 3u) &
						~3u),
					       HOTPATCH_NOTE_EXPORT, "hotpatch",
					       "half"
					       "\0"
					       "int(int)"};
static __typeof__(int(int)) *const half__exported
	__attribute__((unused)) = &half;
__attribute__((retain)) __attribute__((
	used, section("hotpatch_exports"),
	aligned(8))) static struct hotpatch_export half__export_record = {
	"half", "int(int)", __extension__(const void *) & half};
static void hotpatch_commit_2(struct hotpatch_context *context);
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	struct hotpatch_note_callback head_;
	char texts_[(((sizeof("")) + 3u) & ~3u)];
} __attribute__((packed)) hotpatch_commit_2_note = {
	sizeof("hotpatch"),
	sizeof(struct hotpatch_note_callback) + (((sizeof("")) + 3u) & ~3u),
	HOTPATCH_NOTE_CALLBACKS,
	"hotpatch",
	{HOTPATCH_CALLBACK_COMMIT, 0},
	""};
__attribute__((retain)) __attribute__((
	used, section("hotpatch_callbacks"),
	aligned(8))) static struct hotpatch_callback hotpatch_commit_2_record = {
	HOTPATCH_CALLBACK_COMMIT, "", hotpatch_commit_2};
static void hotpatch_commit_2(struct hotpatch_context *context)
{
	(*older_base__import()) += (int)context->state_count;
}
int older_answer(int value);
static int older_answer__replacement(int value);
static int (*older_answer__original)(int value);
__attribute__((used, section(".note.hotpatch"),
	       aligned(4))) static const struct {
	uint32_t owner_size, size, kind;
	char owner[(((sizeof("hotpatch")) + 3u) & ~3u)];
	struct hotpatch_note_replace head_;
	char texts_[(((sizeof(""
			      "\0"
			      ""
			      "\0"
			      "older_answer"
			      "\0"
			      "int"
			      " "
			      "(int value)")) +
		      3u) &
		     ~3u)];
} __attribute__((packed)) older_answer__note = {
	sizeof("hotpatch"),
	sizeof(struct hotpatch_note_replace) + (((sizeof(""
							 "\0"
							 ""
							 "\0"
							 "older_answer"
							 "\0"
							 "int"
							 " "
							 "(int value)")) +
						 3u) &
						~3u),
	HOTPATCH_NOTE_REPLACE,
	"hotpatch",
	{0, 0, 0},
	""
	"\0"
	""
	"\0"
	"older_answer"
	"\0"
	"int"
	" "
	"(int value)"};
__attribute__((retain)) __attribute__((
	used, section("hotpatch_replacements"),
	aligned(8))) static struct hotpatch_replacement older_answer__record = {
	"", "", "older_answer", (void (*)(void))older_answer__replacement,
	(void (**)(void)) & older_answer__original};
static int older_answer__replacement(int value)
{
	return half((*older_answer__original)(value)) + (*older_base__import());
}
