/* SPDX-License-Identifier: MIT */
/*
 * How a process's unit is told from its control groups. Includes the source,
 * which no library has.
 */
#include "../../lib/tools/find.c"

#include <check.h>

static const struct {
	const char *groups;
	const char *unit;
	bool is_of_it;
} rows[] = {
	{"0::/system.slice/web.service\n", "web", true},
	{"0::/system.slice/web.service\n", "web.service", true},
	{"0::/system.slice/web.service", "web", true},
	{"0::/system.slice/web.service/workers\n", "web", true},
	{"0::/user.slice/user@1000.service/app.slice/web.service\n", "web",
	 true},
	{"0::/system.slice/web.service\n", "system.slice", true},
	{"0::/system.slice/web@2.service\n", "web@2", true},
	{"1:name=systemd:/system.slice/web.service\n0::/\n", "web", true},
	{"4:memory:/other\n1:name=systemd:/web.scope\n", "web.scope", true},
	{"0::/system.slice/web.service\n", "we", false},
	{"0::/system.slice/web.service\n", "eb", false},
	{"0::/system.slice/web.service\n", "web.", false},
	{"0::/system.slice/web.service\n", "web.socket", false},
	{"0::/system.slice/web.service.d\n", "web", false},
	{"0::/system.slice/web2.service\n", "web", false},
	{"0::/web.scope\n", "web", false},
	{"4:memory:/web.service\n", "web", false},
	{"0::/\n", "web", false},
	{"0::/\n", "", false},
	{"garbage\n:\n::\n0:", "web", false},
	{"", "web", false},
};

START_TEST(unit_is_told_by_a_whole_part_of_its_own_hierarchy)
{
	ck_assert_int_eq(hp_cgroup_has_unit(rows[_i].groups, rows[_i].unit),
			 rows[_i].is_of_it);
}
END_TEST

static const struct {
	const char *name;
	bool is_socket;
	const char *program;
	int pid;
} names[] = {
	{"server.12.sock", true, "server", 12},
	{"my.server.12.sock", true, "my.server", 12},
	{"server.sock", true, "server", 0},
	{"server.0.sock", true, "server.0", 0},
	{"server.99999999999.sock", true, "server.99999999999", 0},
	{"server.1x.sock", true, "server.1x", 0},
	{"server.12", false, "", 0},
	{".sock", false, "", 0},
};

START_TEST(name_of_a_socket_tells_program_and_process)
{
	struct hp_found found = {.pid = 0};

	ck_assert_int_eq(read_name(names[_i].name, &found),
			 names[_i].is_socket);
	ck_assert_str_eq(found.program, names[_i].program);
	ck_assert_int_eq(found.pid, names[_i].pid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_find");
	TCase *tables = tcase_create("tables");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tables,
			    unit_is_told_by_a_whole_part_of_its_own_hierarchy,
			    0, sizeof(rows) / sizeof(*rows));
	tcase_add_loop_test(tables, name_of_a_socket_tells_program_and_process,
			    0, sizeof(names) / sizeof(*names));
	suite_add_tcase(suite, tables);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
