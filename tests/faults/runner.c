/* SPDX-License-Identifier: MIT */
/*
 * The children, and what they tell their parent in shared memory.
 */
#include "runner.h"

#include "../integration/support.h"

#include <ftw.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* A call whose turn depends on the time may need a few runs to come. */
#define TRIES 12
#define REFERENCES 4
#define CHILD_LIMIT_S 50

/* Most runs wait for a while, so that a few go side by side. */
#define AT_ONCE 4

/* Of calls that are made in a loop a sanitizer sees the first ones, and of the
 * others each eighth; the thread sanitizer, where a run takes ten times as long,
 * does so of all calls. */
#define FIRST_FEW (UNDER_TSAN ? 1 : 4)
#define STRIDE 8

struct report {
	struct fault_plan made;
	enum hotpatch_status status;
	char sentence[256];
	char failure[512];
	long blocks;
	bool retained;
	bool littered;
	bool finished;
};

/* A run that is on its way, if it has a process. */
struct run {
	struct report *report;
	pid_t child;
	char directory[64];
	enum fault fault;
	unsigned int number;
	bool lasting;
	unsigned int tries;
};

/* Of one scenario; @tried and @hit are of each function. */
struct tally {
	const struct scenario *scenario;
	unsigned int calls[FAULTS];
	unsigned int tried[FAULTS];
	unsigned int hit[FAULTS];
	unsigned int runs;
	long blocks;
	struct run on_way[AT_ONCE];
};

char private_directory[64];
unsigned int patience;

static struct report *report;
static long blocks_at_start; /* of the child */

/* The thread sanitizer would wait a second at the end of each child. */
HOTPATCH_API const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}

#ifdef HP_COVERAGE
void __gcov_dump(void); /* of libgcov */
#endif

/* What was counted of lib/, which _exit() alone would lose. */
static void keep_counts(void)
{
#ifdef HP_COVERAGE
	__gcov_dump();
#endif
}

__attribute__((noreturn)) static void end_child(int code)
{
	hp_store_relaxed(&injection.fault, FAULT_NONE); /* see fails() */
	keep_counts();
	_exit(code);
}

void give_up(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(report->failure, sizeof(report->failure), format, arguments);
	va_end(arguments);
	end_child(1);
}

bool end_step(enum hotpatch_status status, const struct hotpatch_error *err)
{
	enum fault fault = injection.fault;

	faults_disarm();
	if (!faults_hit() || fault == FAULT_NONE)
		return false;
	hp_store_relaxed(&injection.fault, FAULT_NONE); /* see fails() */
	report->status = status;
	/* A file that cannot be removed stays. */
	report->littered = fault == FAULT_unlink || fault == FAULT_rmdir;
	snprintf(report->sentence, sizeof(report->sentence), "%s",
		 err->sentence);
	demand(status == HOTPATCH_OK || err->status == status,
	       "the error says %s", hotpatch_status_name(err->status));
	demand(status == HOTPATCH_OK || (err->object[0] && err->sentence[0]),
	       "it names no object");
	/* What cannot be looked at was not taken away. */
	demand(fault != FAULT_lstat || status != HOTPATCH_E_STORE ||
		       err->os_error == fault_errno(fault),
	       "the error is %s", err->sentence);
	return true;
}

void use_private_directory(void)
{
	struct hotpatch_config config = {.size = sizeof(config),
					 .directory = private_directory};

	demand(hotpatch_configure(&config, NULL) == HOTPATCH_OK, "configure");
}

/* Mappings of private copies. Check's assertions are not used
 * in a child: they free memory that no wrapped function gave out. */
static unsigned int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	const char *slash;
	char line[1024];

	demand(maps != NULL, "no mappings can be seen");
	while (fgets(line, sizeof(line), maps)) {
		slash = strrchr(line, '/');
		count += slash && is_copy_name(slash + 1);
	}
	fclose(maps);
	return count;
}

/* Files in the directory, and in the only folder that may be in it. */
static unsigned int count_files(const char *directory)
{
	DIR *list = opendir(directory);
	const struct dirent *entry;
	unsigned int count = 0;
	char path[400];

	if (!list)
		return 0;
	while ((entry = readdir(list))) {
		/* What was accepted stays on record, whatever comes. */
		if (entry->d_name[0] == '.' ||
		    !strcmp(entry->d_name, "sequences"))
			continue;
		count++;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_type == DT_DIR)
			count += count_files(path);
	}
	closedir(list);
	return count;
}

struct facts facts_now(int version)
{
	struct hotpatch_process_info process;
	struct facts facts;

	hotpatch_process_info(&process);
	facts.version = version;
	facts.mappings = count_mappings();
	facts.descriptors = count_descriptors();
	facts.files = count_files(private_directory);
	facts.patches = hotpatch_patch_list(NULL, 0);
	facts.tasks = process.tasks;
	facts.transition = process.transition;
	facts.blocks = faults_live_blocks();
	return facts;
}

void demand_same(const struct facts *before, const struct facts *now,
		 long spare)
{
	demand(now->version == before->version, "version %d", now->version);
	demand(now->mappings == before->mappings, "%u are mapped",
	       now->mappings);
	demand(now->descriptors == before->descriptors, "%u, not %u",
	       now->descriptors, before->descriptors);
	demand(now->files == before->files || report->littered, "%u files",
	       now->files);
	demand(now->patches == before->patches, "%zu patches", now->patches);
	demand(now->tasks == before->tasks, "%zu tasks", now->tasks);
	demand(!now->transition, "a transition is open");
	demand(now->blocks >= before->blocks &&
		       now->blocks <= before->blocks + spare,
	       "%ld blocks, not %ld", now->blocks, before->blocks);
}

void report_blocks(void)
{
	report->blocks = faults_live_blocks() - blocks_at_start;
}

void report_retained(void)
{
	report->retained = true;
}

/* ---- The parent ---- */

static int remove_entry(const char *path, const struct stat *facts, int kind,
			struct FTW *place)
{
	(void)facts;
	(void)kind;
	(void)place;
	return remove(path);
}

static const char *describe(const struct run *run)
{
	static char text[400];

	snprintf(text, sizeof(text), "%s number %u, %s, in %s (%s)",
		 fault_name(run->fault), run->number,
		 run->lasting ? "lasting" : "once",
		 injection.hit ? step_names[injection.step] : "no step",
		 injection.object);
	return text;
}

__attribute__((noreturn)) static void be_child(const struct scenario *scenario,
					       const struct run *run)
{
	alarm(CHILD_LIMIT_S);
	report = run->report;
	injection_place = &report->made;
	strcpy(private_directory, run->directory);
	patience = 1U << run->tries;
	blocks_at_start = faults_live_blocks();
	injection.lasting = run->lasting;
	injection.number = run->number;
	injection.fault = run->fault;
	scenario->run();
	report->finished = true;
	end_child(0);
}

static void begin_run_of(const struct scenario *scenario, struct run *run)
{
	memset(run->report, 0, sizeof(*run->report));
	strcpy(run->directory, "/tmp/hotpatch-faults-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(run->directory));
	run->child = fork();
	ck_assert_int_ge(run->child, 0);
	if (run->child == 0)
		be_child(scenario, run);
}

/* Afterwards its report is what the functions here look at. */
static void end_run_of(const struct scenario *scenario, struct run *run)
{
	int status = -1;

	ck_assert_int_eq(waitpid(run->child, &status, 0), run->child);
	run->child = 0;
	report = run->report;
	injection_place = &report->made;
	nftw(run->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	ck_assert_msg(status == 0 && report->finished, "%s: %s: %s (%#x) [%s]",
		      scenario->name, describe(run),
		      report->failure[0] ? report->failure : "the child died",
		      (unsigned int)status, report->sentence);
}

static const struct expectation *find_row(const struct scenario *scenario,
					  enum fault fault)
{
	const struct expectation *row = scenario->table;

	for (; row->fault != FAULT_NONE; row++)
		if (row->fault == fault && row->step == injection.step &&
		    (!row->object || strstr(injection.object, row->object)))
			return row;
	return NULL;
}

static void judge(const struct scenario *scenario, const struct run *run)
{
	const struct expectation *row = find_row(scenario, run->fault);
	const char *point = describe(run);
	enum hotpatch_status wanted;

	ck_assert_msg(row != NULL, "%s: no row for %s, which is %s: %s",
		      scenario->name, point,
		      hotpatch_status_name(report->status), report->sentence);
	wanted = run->lasting ? row->lasting : row->once;
	if (wanted == OK_OR_TIMEOUT)
		wanted = report->status == OK ? OK : HOTPATCH_E_TIMEOUT;
	ck_assert_msg(report->status == wanted, "%s: %s is %s, wanted %s: %s",
		      scenario->name, point,
		      hotpatch_status_name(report->status),
		      hotpatch_status_name(wanted), report->sentence);
	ck_assert_msg(wanted != HOTPATCH_OK || row->why,
		      "%s: %s is tolerated without a reason", scenario->name,
		      point);
}

/* Called many times for one thing: once for each signal, line, entry or value. */
static bool is_looped(enum fault fault)
{
	return fault == FAULT_rt_sigaction || fault == FAULT_fgets ||
	       fault == FAULT_readdir || fault == FAULT_json;
}

/* With this variable no run is left out. */
static bool is_thorough(void)
{
	return getenv("HOTPATCH_TEST_THOROUGH") != NULL;
}

static bool is_tried(enum fault fault, unsigned int number)
{
	bool few = UNDER_TSAN || (SANITIZED && is_looped(fault));

	return !few || is_thorough() || number <= FIRST_FEW ||
	       number % STRIDE == 0;
}

/* The rest of a loop fails in one way, wherever that begins. */
static bool is_tried_lasting(const struct scenario *scenario,
			     const struct run *run)
{
	const char *place = strrchr(injection.object, '#');

	if (scenario->once || run->lasting)
		return false;
	return !is_looped(run->fault) || is_thorough() ||
	       (place && strcmp(place, "#1") == 0);
}

static void check_run(const struct tally *tally, const struct run *run)
{
	const struct scenario *scenario = tally->scenario;

	if (getenv("HOTPATCH_TEST_SHOW"))
		printf("%s: %s: %s: %s\n", scenario->name, describe(run),
		       hotpatch_status_name(report->status), report->sentence);
	if (scenario->table)
		judge(scenario, run);
	/* Fewer, where the fault kept a cache from being filled. */
	ck_assert_msg(report->retained || report->blocks <= tally->blocks,
		      "%s: %s leaves %ld blocks in use, not %ld",
		      scenario->name, describe(run), report->blocks,
		      tally->blocks);
}

/*
 * Ends what is on its way, and begins what it asks for: the same again if the
 * call did not come, which may be, because how often something is tried
 * depends on the time that it takes; or the fault that lasts.
 */
static void advance(struct tally *tally, struct run *run)
{
	end_run_of(tally->scenario, run);
	tally->runs++;
	if (!injection.hit) {
		if (++run->tries == TRIES)
			return;
	} else {
		check_run(tally, run);
		if (!is_tried_lasting(tally->scenario, run)) {
			tally->hit[run->fault]++;
			return;
		}
		run->lasting = true;
		run->tries = 0;
	}
	begin_run_of(tally->scenario, run);
}

static void try_point(struct tally *tally, enum fault fault,
		      unsigned int number)
{
	static unsigned int turn;
	struct run *run = &tally->on_way[turn++ % AT_ONCE];

	while (run->child)
		advance(tally, run);
	run->fault = fault;
	run->number = number;
	run->lasting = false;
	run->tries = 0;
	tally->tried[fault]++;
	begin_run_of(tally->scenario, run);
}

static void try_all(struct tally *tally)
{
	unsigned int number;
	int fault;
	int i;

	for (fault = 0; fault < FAULTS; fault++)
		for (number = 1; number <= tally->calls[fault]; number++)
			if (is_tried((enum fault)fault, number))
				try_point(tally, (enum fault)fault, number);
	for (i = 0; i < AT_ONCE; i++)
		while (tally->on_way[i].child)
			advance(tally, &tally->on_way[i]);
}

/* The first of what it has to call that is not among @calls, or FAULT_NONE. */
static enum fault missing_call(const struct scenario *scenario,
			       const unsigned int *calls)
{
	const enum fault *fault = scenario->required;

	while (*fault != FAULT_NONE && calls[*fault] > 0)
		fault++;
	return *fault;
}

/* A run without a fault. Who is late for what it would wait for does not wait,
 * and makes no call of it, so that it may need a few. */
static void run_reference(struct tally *tally)
{
	struct run *run = &tally->on_way[0];
	int tries = 0;

	do {
		run->fault = FAULT_NONE;
		begin_run_of(tally->scenario, run);
		end_run_of(tally->scenario, run);
	} while (missing_call(tally->scenario, injection.calls) != FAULT_NONE &&
		 ++tries < TRIES);
}

/*
 * The calls that each run makes, which is the least of a few: what is tried
 * again because a thread was not asleep yet comes now and then only. Also the
 * blocks that stay in use.
 */
static void count_calls(struct tally *tally)
{
	int fault;
	int i;

	for (i = 0; i < REFERENCES; i++) {
		run_reference(tally);
		for (fault = 0; fault < FAULTS; fault++)
			if (i == 0 ||
			    injection.calls[fault] < tally->calls[fault])
				tally->calls[fault] = injection.calls[fault];
	}
	tally->blocks = report->blocks;
}

static void print_tally(const struct tally *tally)
{
	const char *name = tally->scenario->name;
	unsigned int points = 0;
	unsigned int tried = 0;
	unsigned int hit = 0;
	int fault;

	for (fault = 0; fault < FAULTS; fault++) {
		if (!tally->calls[fault])
			continue;
		points += tally->calls[fault];
		tried += tally->tried[fault];
		hit += tally->hit[fault];
		printf("%s: %s: %u calls, %u tried, %u hit\n", name,
		       fault_name((enum fault)fault), tally->calls[fault],
		       tally->tried[fault], tally->hit[fault]);
		ck_assert_msg(tally->hit[fault], "%s: %s never failed", name,
			      fault_name((enum fault)fault));
	}
	printf("%s: %u fault points, %u tried, %u hit, in %u runs\n", name,
	       points, tried, hit, tally->runs);
	fflush(stdout);
	ck_assert_msg(tried - hit <= tried / 100, "%u of %u points were hit",
		      hit, tried);
}

void exhaust(const struct scenario *scenario)
{
	struct tally tally = {.scenario = scenario};
	struct report *reports;
	enum fault missing;
	int i;

	reports = mmap(NULL, AT_ONCE * sizeof(*reports), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(reports, MAP_FAILED);
	for (i = 0; i < AT_ONCE; i++)
		tally.on_way[i].report = &reports[i];
	count_calls(&tally);
	missing = missing_call(scenario, tally.calls);
	ck_assert_msg(missing == FAULT_NONE, "%s never calls %s",
		      scenario->name, fault_name(missing));
	try_all(&tally);
	print_tally(&tally);
}
