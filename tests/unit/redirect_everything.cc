/* SPDX-License-Identifier: MIT */
/*
 * Every function of six libraries, the C library with all that it does for this
 * very program among them, redirected at once to its own original: a workload
 * that uses all six has to give what it gave before, and again after all was
 * released.
 */
extern "C" {
#include "../../lib/redirect/code.h"
#include "../sanitized.h"
}

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/* Last, for its macros have names that are the C++ library's, too. */
#include <check.h>

namespace
{

const char *const names[] = {"libz.so.1", "libsqlite3.so.0", "libcrypto.so.3",
			     "libm.so.6", "libstdc++.so.6",  "libc.so.6"};

/* How many may find no room: a jump's given bytes may lead to what the program
 * has mapped. */
size_t allowance(size_t functions)
{
	return 3 + functions / 200;
}

struct library {
	void *handle = nullptr;
	std::vector<hotpatch_function_name> functions;
	bool has_own_symbols = false; /* beside those that it exports */
};

library libraries[6];

template <typename function> function *find(int index, const char *name)
{
	void *symbol = dlsym(libraries[index].handle, name);

	ck_assert_msg(symbol, "%s", name);
	return reinterpret_cast<function *>(symbol);
}

std::string compress_text(const std::string &text)
{
	auto *bound = find<unsigned long(unsigned long)>(0, "compressBound");
	auto *compress =
		find<int(void *, unsigned long *, const void *, unsigned long)>(
			0, "compress");
	auto *uncompress =
		find<int(void *, unsigned long *, const void *, unsigned long)>(
			0, "uncompress");
	unsigned long size = bound(text.size());
	unsigned long length = text.size();
	std::string packed(size, '\0');
	std::string whole(length, '\0');

	ck_assert_int_eq(compress(&packed[0], &size, text.data(), text.size()),
			 0);
	ck_assert_int_eq(uncompress(&whole[0], &length, packed.data(), size),
			 0);
	ck_assert(whole == text);
	return std::to_string(size);
}

int add_row(void *out, int count, char **values, char **)
{
	for (int i = 0; i < count; i++)
		*static_cast<std::string *>(out) +=
			std::string(values[i]) + ",";
	return 0;
}

std::string query_database()
{
	using row = int (*)(void *, int, char **, char **);
	auto *open = find<int(const char *, void **)>(1, "sqlite3_open");
	auto *close = find<int(void *)>(1, "sqlite3_close");
	auto *exec = find<int(void *, const char *, row, void *, char **)>(
		1, "sqlite3_exec");
	std::string out;
	void *database = nullptr;

	ck_assert_int_eq(open(":memory:", &database), 0);
	ck_assert_int_eq(
		exec(database,
		     "create table t(a integer primary key, b text);"
		     "with recursive n(x) as (select 1 union all select x + 1 "
		     "from n where x < 500) insert into t select x, "
		     "printf('%05d', x * 7919 % 1000) from n;"
		     "create index i on t(b);"
		     "select count(*), sum(a), max(b), group_concat(b) from "
		     "(select * from t order by b limit 20);",
		     add_row, &out, nullptr),
		0);
	ck_assert_int_eq(close(database), 0);
	return out;
}

std::string digest(const std::string &text)
{
	auto *by_name =
		find<const void *(const char *)>(2, "EVP_get_digestbyname");
	auto *run =
		find<int(const void *, size_t, unsigned char *, unsigned int *,
			 const void *, void *)>(2, "EVP_Digest");
	unsigned char bytes[64];
	unsigned int size = 0;
	std::string out;
	char hex[3];

	ck_assert_int_eq(run(text.data(), text.size(), bytes, &size,
			     by_name("SHA256"), nullptr),
			 1);
	for (unsigned int i = 0; i < size; i++) {
		snprintf(hex, sizeof(hex), "%02x", bytes[i]);
		out += hex;
	}
	return out;
}

std::string compute()
{
	volatile double sum = 0;

	for (int i = 1; i < 200; i++)
		sum = sum + std::sin(i) * std::pow(i, 0.3) +
		      std::lgamma(i) / std::cbrt(i) + std::fmod(i * 7.3, 1.9);
	return std::to_string(sum);
}

int throw_far(int depth)
{
	if (depth == 0)
		throw std::runtime_error("far");
	std::string local(static_cast<size_t>(depth) * 10, 'x');
	return throw_far(depth - 1) + static_cast<int>(local.size());
}

std::string use_cxx()
{
	std::map<std::string, int> counts;
	std::ostringstream out;

	for (int i = 0; i < 500; i++)
		counts["k" + std::to_string(i * 31 % 97)] += i;
	for (const auto &entry : counts)
		out << entry.first << '=' << entry.second << ' ';
	try {
		throw_far(20);
	} catch (const std::exception &error) {
		out << error.what();
	}
	return out.str();
}

int compare_ints(const void *a, const void *b)
{
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

std::string use_c()
{
	char buffer[256];
	int numbers[300];
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 300; i++)
		numbers[i] = i * 7919 % 1009;
	qsort(numbers, 300, sizeof(int), compare_ints);
	fprintf(file, "%d %s %.5f\n", numbers[150], strerror(2), 1 / 3.0);
	rewind(file);
	ck_assert_ptr_nonnull(fgets(buffer, sizeof(buffer), file));
	fclose(file);
	return std::string(buffer) + std::to_string(strtod("1e-3", nullptr)) +
	       getenv("PATH");
}

std::string work()
{
	std::string text = query_database() + compute() + use_cxx() + use_c();
	std::string from_thread;
	std::thread thread([&] { from_thread = use_cxx() + digest(text); });

	thread.join();
	return text + from_thread + compress_text(text + text) + digest(text);
}

void list_functions(const char *name, library *library)
{
	const struct hp_function *functions;
	struct link_map *map = nullptr;
	const struct hp_code *code;
	const struct hp_function *malloc;
	struct hotpatch_error err;
	bool indirect;
	size_t count;

	library->handle = dlopen(name, RTLD_NOW);
	ck_assert_msg(library->handle, "%s", name);
	ck_assert_int_eq(dlinfo(library->handle, RTLD_DI_LINKMAP, &map), 0);
	ck_assert_int_eq(hp_code_open(map->l_name, "", &code, &err),
			 HOTPATCH_OK);
	library->has_own_symbols = hp_code_find(code, "_int_malloc", &malloc,
						&indirect) == HOTPATCH_OK;
	functions = hp_code_functions(code, &count);
	for (size_t i = 0; i < count; i++) {
		hotpatch_function_name function = {};

		if (functions[i].refusal != HOTPATCH_REFUSAL_NONE)
			continue;
		function.address = reinterpret_cast<const void *>(
			map->l_addr + functions[i].start);
		library->functions.push_back(function);
	}
}

/* In one batch; if one function finds no room, in halves. */
size_t redirect_all(const hotpatch_function_name *functions, size_t count)
{
	struct hotpatch_error err;

	if (hotpatch_redirect(functions, count, &err) == HOTPATCH_OK)
		return count;
	if (count == 1)
		return 0;
	return redirect_all(functions, count / 2) +
	       redirect_all(functions + count / 2, count - count / 2);
}

START_TEST(a_workload_gives_the_same_with_everything_redirected)
{
	std::string before;
	struct hotpatch_error err;
	size_t wanted = 0;
	size_t done = 0;

	/* The arenas of threads lie where jumps may have to lead to. */
	mallopt(M_ARENA_MAX, 1);
	for (int i = 0; i < 6; i++)
		list_functions(names[i], &libraries[i]);
	before = work();
	for (int i = 0; i < 6; i++) {
		const std::vector<hotpatch_function_name> &functions =
			libraries[i].functions;
		size_t redirected =
			redirect_all(functions.data(), functions.size());

		printf("%s: %zu of %zu%s\n", names[i], redirected,
		       functions.size(),
		       libraries[i].has_own_symbols ?
			       ", with those that it does not export" :
			       "");
		ck_assert_uint_ge(redirected + allowance(functions.size()),
				  functions.size());
		wanted += functions.size();
		done += redirected;
	}
	ck_assert_uint_ge(done * 1000, wanted * 998);
	ck_assert(work() == before);
	for (const library &library : libraries)
		ck_assert_int_eq(hotpatch_redirect_release(
					 library.functions.data(),
					 library.functions.size(), &err),
				 HOTPATCH_OK);
	ck_assert(work() == before);
}
END_TEST

bool has_all()
{
	for (const char *name : names)
		if (!dlopen(name, RTLD_NOW))
			return false;
	return true;
}

} // namespace

int main()
{
	Suite *suite;
	TCase *tcase;
	SRunner *runner;
	int failed;

	/* The sanitizers call the C library beneath themselves. */
	if (SANITIZED || !has_all())
		return 77;
	suite = suite_create("redirect_everything");
	tcase = tcase_create("redirect_everything");
	tcase_set_timeout(tcase, 110);
	tcase_add_test(tcase,
		       a_workload_gives_the_same_with_everything_redirected);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
