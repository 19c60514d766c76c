/* SPDX-License-Identifier: MIT */
/*
 * The process that command.sh works on: a patchable function, a thread that
 * can be told to stay in its section, a state of health, and a control socket. With the argument
 * "serve" it obeys words on its standard input, and answers each with a line;
 * alone it checks that it would. The word serve7 is a call for the key 7. It logs to the file that HOTPATCH_TEST_LOG
 * names, if there is one.
 */
#include "words.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sem_t hold_wanted;
static sem_t held;
static sem_t release_wanted;
static sem_t released;
static bool sick;

HOTPATCH_FUNCTION(int, answer, (void))
{
	return 41;
}

/* Sleeps while it is held: the section begins and ends here. */
static void *run_holder(void *argument)
{
	(void)argument;
	pthread_setname_np(pthread_self(), "holder");
	for (;;) {
		while (sem_wait(&hold_wanted))
			;
		hotpatch_enter();
		sem_post(&held);
		while (sem_wait(&release_wanted))
			;
		hotpatch_leave();
		sem_post(&released);
	}
	return NULL;
}

static void change_hold(sem_t *wanted, sem_t *done)
{
	sem_post(wanted);
	while (sem_wait(done))
		;
}

/* Asked by the library's threads. */
static const char *tell_health(void *argument)
{
	(void)argument;
	/* Relaxed: a flag. */
	return __atomic_load_n(&sick, __ATOMIC_RELAXED) ?
		       "the backend is gone" :
		       NULL;
}

/* In a section, for whom it may have to be a canary. */
static int answer_for(uint64_t key)
{
	int given;

	hotpatch_task_key(key);
	hotpatch_enter();
	given = answer();
	hotpatch_leave();
	return given;
}

static void obey(const char *word)
{
	/* Relaxed: see tell_health(). */
	if (!strcmp(word, "sick") || !strcmp(word, "well"))
		__atomic_store_n(&sick, *word == 's', __ATOMIC_RELAXED);
	if (!strcmp(word, "hold"))
		change_hold(&hold_wanted, &held);
	else if (!strcmp(word, "release"))
		change_hold(&release_wanted, &released);
	if (!strcmp(word, "call"))
		printf("%d\n", answer());
	else if (!strncmp(word, "serve", 5))
		printf("%d\n", answer_for(strtoull(word + 5, NULL, 10)));
	else
		printf("%s\n", word);
	fflush(stdout);
}

static int start_log(struct hotpatch_error *err)
{
	const struct hotpatch_log_options options = {
		.size = sizeof(options),
		.path = getenv("HOTPATCH_TEST_LOG"),
	};

	return options.path && hotpatch_log_start(&options, err);
}

static int serve(void)
{
	struct hotpatch_control *control;
	struct hotpatch_error err;
	char word[32];

	if (hotpatch_health_check(tell_health, NULL, &err) || start_log(&err) ||
	    hotpatch_control_start(NULL, &control, &err)) {
		fprintf(stderr, "%s\n", err.sentence);
		return 1;
	}
	printf("%s\n", hotpatch_control_path(control));
	fflush(stdout);
	while (read_word(word, sizeof(word)))
		obey(word);
	hotpatch_control_stop(control);
	return 0;
}

static int check(void)
{
	obey("hold");
	obey("release");
	return answer() == 41 ? 0 : 1;
}

int main(int argc, char **argv)
{
	pthread_t holder;

	sem_init(&hold_wanted, 0, 0);
	sem_init(&held, 0, 0);
	sem_init(&release_wanted, 0, 0);
	sem_init(&released, 0, 0);
	if (pthread_create(&holder, NULL, run_holder, NULL))
		return 1;
	return argc > 1 && !strcmp(argv[1], "serve") ? serve() : check();
}
