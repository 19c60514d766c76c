/* SPDX-License-Identifier: MIT */
/*
 * Uses every macro that bundles have; only compiled, as C and as C++.
 */
#include <hotpatch/bundle.h>
#include <hotpatch/shadow.h>

HOTPATCH_BUNDLE_WITH("every-macro", 7, HOTPATCH_IMMEDIATE,
		     HOTPATCH_FLAG_CONSTRUCTORS);
HOTPATCH_TARGET("", "0123456789abcdef0123456789abcdef01234567");
HOTPATCH_TARGET("libother.so.1", "0123456789abcdef");
HOTPATCH_REPLACES("one");
HOTPATCH_REPLACES("two");
HOTPATCH_REQUIRES("three");
HOTPATCH_CONFLICTS("four");
HOTPATCH_STATE("five", 6);

HOTPATCH_PREPARE(context)
{
	if (!hotpatch_context_find_state(context, "five")->installed)
		hotpatch_refuse(context, "nobody has installed it");
}

HOTPATCH_COMMIT(context)
{
	(void)context;
}

HOTPATCH_BEFORE_REVERT(context)
{
	(void)context;
}

HOTPATCH_AFTER_REVERT(context)
{
	(void)context;
}

HOTPATCH_PREPARE_IN("libother.so.1", context)
{
	(void)context;
}

HOTPATCH_COMMIT_IN("libother.so.1", context)
{
	(void)context;
}

HOTPATCH_BEFORE_REVERT_IN("libother.so.1", context)
{
	(void)context;
}

HOTPATCH_AFTER_REVERT_IN("libother.so.1", context)
{
	(void)context;
}

HOTPATCH_MIGRATE(context)
{
	(void)context;
}

HOTPATCH_CLEAN_UP("five", context)
{
	(void)context;
}

struct pair {
	long first;
	long second;
};

HOTPATCH_REPLACE(int, declared, (int number))
{
	return HOTPATCH_ORIGINAL(declared)(number) + 1;
}

HOTPATCH_REPLACE(struct pair, by_value,
		 (struct pair pair, const char *text, ...))
{
	pair.second += text[0];
	return pair;
}

HOTPATCH_REPLACE_IN("libother.so.1", void, without_parameters, (void))
{
	HOTPATCH_ORIGINAL(without_parameters)();
}

HOTPATCH_REPLACE_STATIC("server.c", int, local,
			(int (*callback)(void *), void *closure))
{
	return HOTPATCH_ORIGINAL(local)(callback, closure);
}

static bool make_pair(void *data, void *object, void *argument)
{
	((struct pair *)data)->first = object == argument;
	return true;
}

static void destroy_pair(void *data, const void *object)
{
	((struct pair *)data)->second = object != 0;
}

static uint64_t birth_of(const void *object)
{
	return *(const uint64_t *)object;
}

HOTPATCH_SHADOW(struct pair, pair, 1)
HOTPATCH_SHADOW_WITH(struct pair, other_pair, 2, make_pair, destroy_pair,
		     birth_of)

static bool visit_pair(void *object, struct pair *pair, void *argument)
{
	return object == argument && pair->first;
}

HOTPATCH_REPLACE(int, uses_shadows, (void *object))
{
	struct pair *pair = pair_get(object);
	struct hotpatch_error err;

	if (pair_attach(object, 0, &pair, &err) != HOTPATCH_OK ||
	    other_pair_get_or_attach(object, object, &pair, 0) != HOTPATCH_OK ||
	    other_pair_for_each(visit_pair, object) != HOTPATCH_OK ||
	    pair_detach(object) != HOTPATCH_OK)
		return (int)err.status;
	return (int)(pair_count() + other_pair_detach_all());
}

HOTPATCH_IMPORT(int, exported_number);
HOTPATCH_IMPORT(int(struct pair *, ...), exported_function);
HOTPATCH_IMPORT_STATIC("server.c", struct pair[4], pairs);
HOTPATCH_IMPORT_STATIC("server.c", void (*)(int), callback_);
HOTPATCH_IMPORT_IN("libother.so.1", "", const char *, other_text);
HOTPATCH_IMPORT_FROM("three", long(long), shared_function);
HOTPATCH_IMPORT_TLS("server.c", struct pair, of_thread);
HOTPATCH_IMPORT_TLS_IN("libother.so.1", "other.c", int, number_of_thread);

static long use_imports(long value)
{
	struct pair *pair = &HOTPATCH_IMPORTED(pairs)[1];

	HOTPATCH_IMPORTED(exported_number)++;
	HOTPATCH_IMPORTED(callback_)(HOTPATCH_IMPORTED(number_of_thread));
	HOTPATCH_IMPORTED(of_thread) = *pair;
	value += HOTPATCH_IMPORTED(exported_function)(pair, 1, 2);
	value += HOTPATCH_IMPORTED(other_text)[0];
	return HOTPATCH_IMPORTED(shared_function)(value);
}

static int own_number;

HOTPATCH_EXPORT(long(long), use_imports);
HOTPATCH_EXPORT(int, own_number);
