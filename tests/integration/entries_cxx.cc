/* SPDX-License-Identifier: MIT */
/*
 * A host in C++: exceptions leave patchable functions through their entries
 * and detours, from the host's code and from bundles, and sections end with
 * the scope that holds them.
 */
#include "support.h"

#include "entries_cxx/entries_cxx.h"

#include <stdexcept>
#include <string>

HOTPATCH_FUNCTION(int, checked, (const struct order *order))
{
	if (order->amount < 0)
		throw std::out_of_range("original");
	return order->amount;
}

HOTPATCH_FUNCTION(int, relay, (int (*callback)(int), int value))
{
	return callback(value);
}

HOTPATCH_STATIC_FUNCTION(int, local, (const std::string &text))
{
	return static_cast<int>(text.size());
}

namespace
{

class section
{
      public:
	section()
	{
		hotpatch_enter();
	}

	~section()
	{
		hotpatch_leave();
	}

	section(const section &) = delete;
	section &operator=(const section &) = delete;
};

/* The words that come out for a negative amount. */
std::string words_of_refusal()
{
	const order negative = {-1};

	try {
		checked(&negative);
	} catch (const std::runtime_error &error) {
		return error.what();
	} catch (const std::logic_error &error) {
		return error.what();
	}
	return "nothing";
}

int amount_of(int amount)
{
	const order wanted = {amount};

	return checked(&wanted);
}

int throw_back(int value)
{
	throw value;
}

int relayed_throw()
{
	try {
		relay(throw_back, 7);
	} catch (int value) {
		return value;
	}
	return 0;
}

void read_words(void *place)
{
	*static_cast<std::string *>(place) = words_of_refusal();
}

std::string words_seen_by(holder *task)
{
	std::string words;

	holder_run(task, read_words, &words);
	return words;
}

} // namespace

START_TEST(entry_is_called_from_cxx_with_its_types)
{
	ck_assert_int_eq(amount_of(5), 5);
	ck_assert_int_eq(local("four"), 4);
	ck_assert_int_eq(HOTPATCH_CALL(local)("three"), 5);
}
END_TEST

START_TEST(exception_leaves_through_an_entry)
{
	hotpatch_patch *patch;

	ck_assert(words_of_refusal() == "original");
	patch = apply_bundle("cxx");
	ck_assert(words_of_refusal() == "patched");
	ck_assert_int_eq(amount_of(5), 105);
	remove_patch(patch);
	ck_assert(words_of_refusal() == "original");
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

START_TEST(exception_leaves_through_the_detour_in_every_view)
{
	hotpatch_patch *patch = open_bundle("cxx");
	holder old;
	holder young;

	holder_start(&old);
	begin_apply(patch);
	holder_start(&young);
	ck_assert(words_seen_by(&old) == "original");
	ck_assert(words_seen_by(&young) == "patched");
	ck_assert(words_of_refusal() == "patched");
	expect_state(patch, HOTPATCH_APPLYING);
	holder_stop(&young);
	holder_stop(&old);
	remove_patch(patch);
}
END_TEST

START_TEST(exception_of_the_host_passes_through_a_bundle)
{
	hotpatch_patch *patch;

	ck_assert_int_eq(relayed_throw(), 7);
	patch = apply_bundle("cxx");
	ck_assert_int_eq(relayed_throw(), 7);
	remove_patch(patch);
	patch = apply_bundle("c");
	ck_assert_int_eq(relayed_throw(), 7);
	remove_patch(patch);
	ck_assert_int_eq(relayed_throw(), 7);
}
END_TEST

START_TEST(section_ends_with_the_scope_that_an_exception_leaves)
{
	hotpatch_patch *patch;

	try {
		section open;

		amount_of(-1);
		ck_abort_msg("nothing was thrown");
	} catch (const std::out_of_range &) {
	}
	/* In a section this would be refused. */
	patch = apply_bundle("cxx");
	remove_patch(patch);
}
END_TEST

START_TEST(bundle_that_threw_a_thousand_times_is_unmapped)
{
	hotpatch_patch *patch = apply_bundle("cxx");
	int i;

	for (i = 0; i < 1000; i++)
		ck_assert(words_of_refusal() == "patched");
	remove_patch(patch);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

int main()
{
	const TTest *const tests[] = {
		entry_is_called_from_cxx_with_its_types,
		exception_leaves_through_an_entry,
		exception_leaves_through_the_detour_in_every_view,
		exception_of_the_host_passes_through_a_bundle,
		section_ends_with_the_scope_that_an_exception_leaves,
		bundle_that_threw_a_thousand_times_is_unmapped,
	};

	return run_tests("entries_cxx", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
