/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of bundles that were accepted: the ratchet of each key
 * and target, rollbacks, several processes, crashes and full disks.
 */
#include "../../lib/ratchet.h"

#include "../../lib/store.h"
#include "crash.h"
#include "root.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char store[128];
static char sequences[160];
static struct hotpatch_error err;
static struct hp_voucher voucher;
static struct hp_ratchet_item item;

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
	snprintf(sequences, sizeof(sequences), "%s/sequences", store);
	ck_assert_int_eq(hp_store_configure(store, &err), HOTPATCH_OK);
	memset(&voucher, 0, sizeof(voucher));
	voucher.given = true;
	item = (struct hp_ratchet_item){
		.voucher = &voucher,
		.target = "server",
		.name = "fix",
	};
}

/* The contents of the bundle with sequence @sequence. */
static void take(uint64_t sequence)
{
	item.sequence = sequence;
	voucher.hash[0] = (unsigned char)sequence;
	voucher.hash[1] = (unsigned char)(sequence >> 8);
}

static enum hotpatch_status check(uint64_t sequence)
{
	take(sequence);
	return hp_ratchet_check(&item, &err);
}

static enum hotpatch_status record(uint64_t sequence)
{
	take(sequence);
	return hp_ratchet_record(&item, &err);
}

static unsigned int count_lines(void)
{
	FILE *file = fopen(sequences, "r");
	unsigned int count = 0;
	int c;

	ck_assert_ptr_nonnull(file);
	while ((c = fgetc(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

START_TEST(lower_sequence_is_refused_and_the_same_is_not)
{
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_int_eq(check(5), HOTPATCH_OK);
	ck_assert_int_eq(check(6), HOTPATCH_OK);
	ck_assert_int_eq(check(4), HOTPATCH_E_REPLAYED);
	ck_assert_int_eq(record(4), HOTPATCH_E_REPLAYED);
	ck_assert_str_eq(err.object, "fix");
}
END_TEST

START_TEST(looking_does_not_record)
{
	ck_assert_int_eq(check(9), HOTPATCH_OK);
	ck_assert_int_eq(check(1), HOTPATCH_OK);
	ck_assert_int_eq(access(sequences, F_OK), -1);
}
END_TEST

START_TEST(each_key_has_a_ratchet_of_its_own)
{
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	voucher.number[7] = 1;
	ck_assert_int_eq(record(1), HOTPATCH_OK);
	voucher.number[7] = 0;
	ck_assert_int_eq(check(1), HOTPATCH_E_REPLAYED);
}
END_TEST

START_TEST(each_target_has_a_ratchet_of_its_own)
{
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	item.target = "server with blanks";
	ck_assert_int_eq(record(1), HOTPATCH_OK);
	ck_assert_int_eq(check(0), HOTPATCH_E_REPLAYED);
	item.target = "serve";
	ck_assert_int_eq(check(0), HOTPATCH_OK);
}
END_TEST

START_TEST(rollback_leads_only_to_what_was_accepted)
{
	ck_assert_int_eq(record(3), HOTPATCH_OK);
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	item.rollback = true;
	ck_assert_int_eq(check(4), HOTPATCH_E_NOT_RECORDED);
	ck_assert_int_eq(record(3), HOTPATCH_OK);
	voucher.hash[5] = 1; /* the same sequence, other contents */
	ck_assert_int_eq(check(3), HOTPATCH_E_NOT_RECORDED);
	voucher.hash[5] = 0;
	item.rollback = false;
	ck_assert_int_eq(check(3), HOTPATCH_E_REPLAYED);
	ck_assert_int_eq(check(5), HOTPATCH_OK);
}
END_TEST

START_TEST(largest_sequence_is_a_number)
{
	ck_assert_int_eq(record(UINT64_MAX), HOTPATCH_OK);
	ck_assert_int_eq(check(UINT64_MAX), HOTPATCH_OK);
	ck_assert_int_eq(check(UINT64_MAX - 1), HOTPATCH_E_REPLAYED);
}
END_TEST

START_TEST(what_is_recorded_is_recorded_once)
{
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_uint_eq(count_lines(), 3);
}
END_TEST

START_TEST(only_the_owner_can_read_it)
{
	struct stat found;

	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_int_eq(stat(sequences, &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	ck_assert_uint_eq(count_entries(store), 1);
}
END_TEST

START_TEST(oldest_goes_and_the_highest_stays)
{
	uint64_t sequence;

	for (sequence = 1; sequence <= 300; sequence++)
		ck_assert_int_eq(record(sequence), HOTPATCH_OK);
	ck_assert_uint_eq(count_lines(), 256 + 2);
	ck_assert_int_eq(check(299), HOTPATCH_E_REPLAYED);
	item.rollback = true;
	ck_assert_int_eq(check(45), HOTPATCH_OK);
	ck_assert_int_eq(check(44), HOTPATCH_E_NOT_RECORDED);
}
END_TEST

/* The file with its byte at @place, or its end, changed. */
static void spoil(long place, bool cut)
{
	FILE *file = fopen(sequences, "r+");

	ck_assert_ptr_nonnull(file);
	if (cut)
		ck_assert_int_eq(truncate(sequences, place), 0);
	else if (!fseek(file, place, SEEK_SET))
		fputc('\n', file);
	fclose(file);
}

START_TEST(damaged_file_refuses_everything)
{
	struct stat found;
	long size;

	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_int_eq(stat(sequences, &found), 0);
	for (size = found.st_size - 1; size >= 0; size--) {
		spoil(size, true);
		ck_assert_int_eq(check(6), HOTPATCH_E_STORE);
		ck_assert_int_eq(record(6), HOTPATCH_E_STORE);
	}
	ck_assert_int_eq(unlink(sequences), 0);
	ck_assert_int_eq(record(5), HOTPATCH_OK);
	spoil(30, false);
	ck_assert_int_eq(check(6), HOTPATCH_E_STORE);
}
END_TEST

START_TEST(link_in_its_place_is_not_followed)
{
	char elsewhere[160];

	ck_assert_int_eq(record(5), HOTPATCH_OK);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
	ck_assert_int_eq(rename(sequences, elsewhere), 0);
	ck_assert_int_eq(symlink(elsewhere, sequences), 0);
	ck_assert_int_eq(check(6), HOTPATCH_E_NOT_REGULAR);
}
END_TEST

static void record_second(void)
{
	if (record(2) != HOTPATCH_OK)
		_exit(1);
}

START_TEST(crash_at_any_step_leaves_the_old_or_the_new_one)
{
	enum crash crash = CRASHED;
	enum hotpatch_status status;
	unsigned int step;

	for (step = 0; crash == CRASHED; step++) {
		unlink(sequences);
		ck_assert_int_eq(record(1), HOTPATCH_OK);
		crash = crash_at(step, record_second);
		status = check(1);
		ck_assert_msg(status == HOTPATCH_OK ||
				      status == HOTPATCH_E_REPLAYED,
			      "after step %u: %s", step, err.sentence);
		ck_assert_int_eq(record(3), HOTPATCH_OK);
		ck_assert_uint_eq(count_entries(store), 1);
	}
	if (crash == CRASH_IS_IMPOSSIBLE)
		fprintf(stderr, "left out: nobody can be traced here\n");
	else
		ck_assert_uint_gt(step, 20);
}
END_TEST

#define PROCESSES 3
#define EACH 12

START_TEST(processes_lose_nothing_of_each_other)
{
	pid_t children[PROCESSES];
	int status;
	size_t i;
	unsigned int j;

	for (i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		for (j = 0; !children[i] && j < EACH; j++) {
			take(7);
			voucher.hash[2] = (unsigned char)(i + 1);
			voucher.hash[3] = (unsigned char)j;
			if (hp_ratchet_record(&item, NULL) != HOTPATCH_OK)
				_exit(1);
		}
		if (!children[i])
			_exit(0);
	}
	for (i = 0; i < PROCESSES; i++) {
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(count_lines(), PROCESSES * EACH + 2);
}
END_TEST

START_TEST(full_disk_refuses_and_forgets_nothing)
{
	struct rlimit little;
	struct stat found;

	ck_assert_int_eq(record(5), HOTPATCH_OK);
	ck_assert_int_eq(stat(sequences, &found), 0);
	signal(SIGXFSZ, SIG_IGN);
	little.rlim_cur = little.rlim_max = (rlim_t)found.st_size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
	ck_assert_int_eq(record(6), HOTPATCH_E_STORE);
	ck_assert_int_eq(err.os_error, EFBIG);
	ck_assert_uint_eq(count_entries(store), 1);
	ck_assert_int_eq(check(4), HOTPATCH_E_REPLAYED);
	ck_assert_int_eq(check(5), HOTPATCH_OK);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		lower_sequence_is_refused_and_the_same_is_not,
		looking_does_not_record,
		each_key_has_a_ratchet_of_its_own,
		each_target_has_a_ratchet_of_its_own,
		rollback_leads_only_to_what_was_accepted,
		largest_sequence_is_a_number,
		what_is_recorded_is_recorded_once,
		only_the_owner_can_read_it,
		oldest_goes_and_the_highest_stays,
		damaged_file_refuses_everything,
		link_in_its_place_is_not_followed,
		crash_at_any_step_leaves_the_old_or_the_new_one,
		processes_lose_nothing_of_each_other,
		full_disk_refuses_and_forgets_nothing,
	};

	return run_in_root("ratchet", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
