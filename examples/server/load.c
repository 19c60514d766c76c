/* SPDX-License-Identifier: MIT */
/*
 * The load client: keep-alive connections that ask for parts of items and
 * compare every answer with the item as it was read at the start. It knows
 * nothing of the library. With --rate a request's time counts from when it was
 * due, so that a server that stalls cannot hide it by slowing the client down.
 *
 * Each line on the standard input begins a phase of that name; the end of the
 * input ends the run. For each phase one line of facts is printed. With --get
 * it makes one request instead and prints the answer.
 *
 * An answer is mixed if two versions of the code took part in it, and failed
 * if its status or its bytes are wrong or the connection broke.
 */
#include "histogram.h"
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define ITEM_COUNT 8
#define PHASE_LIMIT 16
#define LAST_ANSWER_MS 5000

struct options {
	unsigned int port;
	unsigned int threads;
	unsigned int connections; /* of each thread */
	unsigned int rate; /* requests a second of each thread; 0: no limit */
	unsigned int slow_every; /* requests; 0 for never */
	unsigned int slow_us;
	const char *get;
	const char *range;
};

/* Counters of one thread in one phase. */
struct tally {
	struct histogram times;
	uint64_t failed;
	uint64_t mixed;
	uint64_t old;	  /* answered by version 1 alone */
	uint64_t patched; /* answered by a later version alone */
};

struct connection {
	int fd; /* -1 while closed */
	bool waiting;
	uint64_t start_ns;
	unsigned int item;
	size_t first;
	size_t last;
	size_t used;
	char buffer[BUFFER_SIZE];
};

struct loader {
	pthread_t thread;
	const struct options *options;
	int epoll_fd;
	int timer_fd;	      /* in the epoll set with a NULL pointer */
	uint64_t interval_ns; /* between two requests, 0 without a rate */
	uint64_t due_ns;      /* of the next request */
	unsigned int seed;
	unsigned int waiting;
	uint64_t sent;
	struct connection *connections;
	struct tally tallies[PHASE_LIMIT];
};

struct phase {
	char name[32];
	uint64_t start_ns;
};

static struct {
	size_t size;
	char text[256];
} items[ITEM_COUNT];

static struct phase phases[PHASE_LIMIT + 1];
static atomic_uint phase;
static atomic_bool ended;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool items_fetch(unsigned int port)
{
	for (unsigned int i = 0; i < ITEM_COUNT; i++) {
		char buffer[BUFFER_SIZE];
		struct answer answer;
		char path[32];

		snprintf(path, sizeof(path), "/item/%u", i);
		if (!http_fetch(port, path, NULL, buffer, &answer) ||
		    answer.status != 200 || answer.size < 8 ||
		    answer.size > sizeof(items[i].text))
			return false;
		items[i].size = answer.size;
		memcpy(items[i].text, answer.body, answer.size);
	}
	return true;
}

static struct tally *tally_of(struct loader *loader)
{
	/* Relaxed: an answer counts for the old phase or the new one. */
	return &loader->tallies[atomic_load_explicit(&phase,
						     memory_order_relaxed)];
}

/* An answer that never came counts as one. */
static void connection_fail(struct loader *loader, struct connection *one)
{
	if (one->waiting) {
		loader->waiting--;
		tally_of(loader)->failed++;
		histogram_add(&tally_of(loader)->times,
			      now_ns() - one->start_ns);
	}
	one->waiting = false;
	if (one->fd >= 0)
		close(one->fd);
	one->fd = -1;
}

static bool connection_open(struct loader *loader, struct connection *one)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};

	one->fd = http_connect(loader->options->port);
	if (one->fd >= 0 && fcntl(one->fd, F_SETFL, O_NONBLOCK) == 0 &&
	    epoll_ctl(loader->epoll_fd, EPOLL_CTL_ADD, one->fd, &event) == 0)
		return true;
	connection_fail(loader, one);
	return false;
}

/* Asks for a part of an item that lies inside it, which every version gives
 * alike. A request that cannot be sent counts as failed. */
static void request_send(struct loader *loader, struct connection *one,
			 uint64_t start_ns)
{
	const struct options *options = loader->options;
	char text[256], delay[32] = "";
	int size;

	loader->sent++;
	one->item = (unsigned int)rand_r(&loader->seed) % ITEM_COUNT;
	one->first =
		(size_t)rand_r(&loader->seed) % (items[one->item].size - 1);
	one->last = one->first + (size_t)rand_r(&loader->seed) %
					 (items[one->item].size - one->first);
	one->used = 0;
	if (options->slow_every && loader->sent % options->slow_every == 0)
		snprintf(delay, sizeof(delay), "?delay_us=%u",
			 options->slow_us);
	size = snprintf(text, sizeof(text),
			"GET /item/%u%s HTTP/1.1\r\nHost: localhost\r\n"
			"Range: bytes=%zu-%zu\r\n\r\n",
			one->item, delay, one->first, one->last);
	one->start_ns = start_ns;
	one->waiting = true;
	loader->waiting++;
	if (!http_send(one->fd, text, (size_t)size))
		connection_fail(loader, one);
}

static bool answer_right(const struct connection *one,
			 const struct answer *answer)
{
	return answer->status == 206 && answer->parser != 0 &&
	       answer->size == one->last - one->first + 1 &&
	       memcmp(answer->body, items[one->item].text + one->first,
		      answer->size) == 0;
}

static void answer_count(struct loader *loader, struct connection *one,
			 const struct answer *answer)
{
	struct tally *tally = tally_of(loader);

	loader->waiting--;
	one->waiting = false;
	histogram_add(&tally->times, now_ns() - one->start_ns);
	if (answer->parser != answer->copier)
		tally->mixed++;
	else if (!answer_right(one, answer))
		tally->failed++;
	else if (answer->parser == 1)
		tally->old++;
	else
		tally->patched++;
}

static void connection_read(struct loader *loader, struct connection *one)
{
	struct answer answer;
	ssize_t count;

	count = recv(one->fd, one->buffer + one->used,
		     BUFFER_SIZE - 1 - one->used, 0);
	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0) {
		connection_fail(loader, one);
		return;
	}
	one->used += (size_t)count;
	one->buffer[one->used] = '\0';
	if (!http_read(one->buffer, one->used, &answer))
		return;
	answer_count(loader, one, &answer);
}

/* Uses what is idle, and opens again what broke. */
static void requests_send(struct loader *loader)
{
	uint64_t start_ns = now_ns();

	for (unsigned int i = 0; i < loader->options->connections; i++) {
		struct connection *one = &loader->connections[i];

		if (loader->interval_ns && loader->due_ns > start_ns)
			return;
		if (one->waiting)
			continue;
		if (one->fd < 0 && !connection_open(loader, one))
			continue;
		request_send(loader, one,
			     loader->interval_ns ? loader->due_ns : start_ns);
		loader->due_ns += loader->interval_ns;
	}
}

/* Takes the answers that are still on their way. */
static bool answers_outstanding(struct loader *loader, uint64_t *deadline_ns)
{
	if (!atomic_load(&ended))
		return true;
	if (*deadline_ns == 0)
		*deadline_ns = now_ns() + LAST_ANSWER_MS * 1000000ull;
	return loader->waiting > 0 && now_ns() < *deadline_ns;
}

static void timer_read(const struct loader *loader)
{
	uint64_t expirations;

	/* Only the waking counts; due_ns tells how many requests are due. */
	(void)!read(loader->timer_fd, &expirations, sizeof(expirations));
}

static bool timer_start(struct loader *loader)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct itimerspec times = {0};

	if (loader->options->rate == 0)
		return true;
	loader->interval_ns = 1000000000u / loader->options->rate;
	loader->due_ns = now_ns();
	times.it_interval.tv_nsec = (long)loader->interval_ns;
	times.it_value = times.it_interval;
	loader->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return loader->timer_fd >= 0 &&
	       timerfd_settime(loader->timer_fd, 0, &times, NULL) == 0 &&
	       epoll_ctl(loader->epoll_fd, EPOLL_CTL_ADD, loader->timer_fd,
			 &event) == 0;
}

static void *load(void *arg)
{
	struct loader *loader = arg;
	struct epoll_event events[64];
	uint64_t deadline_ns = 0;

	while (answers_outstanding(loader, &deadline_ns)) {
		int count;

		if (deadline_ns == 0)
			requests_send(loader);
		count = epoll_wait(loader->epoll_fd, events, 64, 20);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				connection_read(loader, events[i].data.ptr);
			else
				timer_read(loader);
		}
	}
	for (unsigned int i = 0; i < loader->options->connections; i++)
		connection_fail(loader, &loader->connections[i]);
	return NULL;
}

static struct loader *loaders_start(const struct options *options)
{
	struct loader *loaders = calloc(options->threads, sizeof(*loaders));

	for (unsigned int i = 0; loaders && i < options->threads; i++) {
		struct loader *loader = &loaders[i];

		loader->options = options;
		loader->seed = i + 1;
		loader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		loader->connections = calloc(options->connections,
					     sizeof(*loader->connections));
		if (loader->epoll_fd < 0 || !loader->connections ||
		    !timer_start(loader))
			return NULL;
		for (unsigned int j = 0; j < options->connections; j++)
			loader->connections[j].fd = -1;
		if (pthread_create(&loader->thread, NULL, load, loader) != 0)
			return NULL;
	}
	return loaders;
}

/* Sums up one phase over all threads. The result is static. */
static const struct tally *tally_sum(const struct loader *loaders,
				     unsigned int threads, unsigned int index)
{
	static struct tally sum;

	sum = (struct tally){0};
	for (unsigned int i = 0; i < threads; i++) {
		const struct tally *tally = &loaders[i].tallies[index];

		histogram_merge(&sum.times, &tally->times);
		sum.failed += tally->failed;
		sum.mixed += tally->mixed;
		sum.old += tally->old;
		sum.patched += tally->patched;
	}
	return &sum;
}

static void phase_print(const struct phase *one, const struct tally *tally)
{
	double seconds = (double)(one[1].start_ns - one->start_ns) / 1e9;
	const struct histogram *times = &tally->times;

	printf("%s requests=%lu failed=%lu mixed=%lu old=%lu patched=%lu "
	       "seconds=%.2f rate=%.0f p50_us=%.0f p99_us=%.0f p999_us=%.0f "
	       "max_us=%.0f\n",
	       one->name, times->total, tally->failed, tally->mixed, tally->old,
	       tally->patched, seconds, (double)times->total / seconds,
	       histogram_quantile_us(times, 0.50),
	       histogram_quantile_us(times, 0.99),
	       histogram_quantile_us(times, 0.999),
	       (double)times->max_ns / 1000.0);
}

/* Reads the names of phases until the input ends; the number of phases. */
static unsigned int phases_run(void)
{
	unsigned int count = 1;
	char line[64];

	while (count < PHASE_LIMIT && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(phases[count].name, sizeof(phases[count].name),
			 "%.31s", line);
		phases[count].start_ns = now_ns();
		atomic_store_explicit(&phase, count, memory_order_relaxed);
		count++;
	}
	phases[count].start_ns = now_ns();
	return count;
}

static int run(const struct options *options)
{
	struct loader *loaders;
	unsigned int count;

	if (!items_fetch(options->port)) {
		fputs("load: the server does not answer as expected\n", stderr);
		return EXIT_FAILURE;
	}
	phases[0] = (struct phase){"start", now_ns()};
	loaders = loaders_start(options);
	if (!loaders) {
		fputs("load: out of memory, descriptors or threads\n", stderr);
		return EXIT_FAILURE;
	}
	count = phases_run();
	atomic_store(&ended, true);
	for (unsigned int i = 0; i < options->threads; i++)
		pthread_join(loaders[i].thread, NULL);
	for (unsigned int i = 0; i < count; i++) {
		const struct tally *sum =
			tally_sum(loaders, options->threads, i);

		if (i > 0 || sum->times.total > 0)
			phase_print(&phases[i], sum);
	}
	return EXIT_SUCCESS;
}

static int get(const struct options *options)
{
	char buffer[BUFFER_SIZE];
	struct answer answer;

	if (!http_fetch(options->port, options->get, options->range, buffer,
			&answer)) {
		fputs("load: no answer\n", stderr);
		return EXIT_FAILURE;
	}
	printf("%u, versions %u %u: %.*s\n", answer.status, answer.parser,
	       answer.copier, (int)answer.size, answer.body);
	return EXIT_SUCCESS;
}

static int usage(void)
{
	fputs("usage: load --port N [--threads N] [--connections N] "
	      "[--rate N]\n"
	      "            [--slow-every REQUESTS --slow-us N] <phases\n"
	      "       load --port N --get PATH [--range FIRST-LAST]\n",
	      stderr);
	return 2;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"port", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{"connections", required_argument, NULL, 'c'},
		{"rate", required_argument, NULL, 'q'},
		{"slow-every", required_argument, NULL, 'e'},
		{"slow-us", required_argument, NULL, 'u'},
		{"get", required_argument, NULL, 'g'},
		{"range", required_argument, NULL, 'r'},
		{0},
	};
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
		unsigned int number = 0;

		if (name == '?')
			return false;
		if (name != 'g' && name != 'r')
			number = (unsigned int)strtoul(optarg, NULL, 10);
		switch (name) {
		case 'p':
			options->port = number;
			break;
		case 't':
			options->threads = number;
			break;
		case 'c':
			options->connections = number;
			break;
		case 'q':
			options->rate = number;
			break;
		case 'e':
			options->slow_every = number;
			break;
		case 'u':
			options->slow_us = number;
			break;
		case 'g':
			options->get = optarg;
			break;
		default:
			options->range = optarg;
			break;
		}
	}
	return optind == argc && options->port > 0 &&
	       options->port <= UINT16_MAX && options->threads > 0 &&
	       options->connections > 0 && options->rate <= 1000000;
}

int main(int argc, char **argv)
{
	struct options options = {.threads = 1, .connections = 32};

	if (!options_read(&options, argc, argv))
		return usage();
	return options.get ? get(&options) : run(&options);
}
