/* SPDX-License-Identifier: MIT */
/*
 * Appends events to the log. The file is opened anew each time: it may have
 * been renamed, and another process may have written to it since. Between
 * reading its last line and writing the next it is locked with flock(), which
 * nobody can hold who may not open it.
 *
 * A write that fails is undone by cutting the file to what it was, so a line is
 * there whole or not at all; what a crash of the system left of one is cut off
 * by the next writer.
 */
#include "log.h"

#include "../atomic.h"
#include "../engine.h"
#include "../event.h"
#include "../file.h"
#include "../path.h"
#include "../status.h"
#include "../store.h"
#include "chain.h"
#include "journal.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MODE 0600
#define KEEP_LIMIT 999
#define OLD_NAME_SIZE (NAME_MAX + 16)

/* How often to look whether another process has done with the file. */
#define LOCK_TRIES 200
#define LOCK_PAUSE_NS 1000000

/* While the log cannot be written: how long until it is tried again. */
#define RETRY_NS 200000000u

/*
 * One of the two is not empty: @path, @journal.
 * @failing: the last write failed
 */
struct hp_log {
	struct hp_sink sink;
	char path[PATH_MAX];
	char name[NAME_MAX + 1]; /* its last part */
	char journal[128];
	char program[64];
	uint64_t limit_bytes;
	unsigned int keep;
	bool failing;
	uint64_t retry_ns;
	uint64_t journaled; /* the last event that went there */
};

/* Guards @current alone. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hp_log *current;
static struct hp_log_figures figures; /* relaxed atomics */

/* An open log, locked, and where its chain has got to. */
struct open_log {
	int directory_fd;
	int fd;
	off_t size;
	struct hp_link link;
};

static enum hotpatch_status log_error(struct hotpatch_error *err,
				      const struct hp_log *log,
				      const char *what)
{
	int cause = errno;

	return hp_error(err, HOTPATCH_E_LOG, cause, log->path, "%s %s: %s",
			log->path, what, strerror(cause));
}

static bool lock_file(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* True if the file is still the one of that name. */
static bool is_current(const struct hp_log *log, const struct open_log *open)
{
	struct stat opened;
	struct stat named;

	return !fstat(open->fd, &opened) &&
	       !fstatat(open->directory_fd, log->name, &named,
			AT_SYMLINK_NOFOLLOW) &&
	       opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static enum hotpatch_status open_once(const struct hp_log *log,
				      struct open_log *open,
				      struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct stat facts;

	open->fd = openat(open->directory_fd, log->name,
			  O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
				  O_NONBLOCK | O_NOCTTY,
			  FILE_MODE);
	if (open->fd < 0)
		return log_error(err, log, "cannot be opened");
	status = hp_path_check_file(open->fd, log->path, err);
	if (status)
		return status;
	if (fstat(open->fd, &facts) || !S_ISREG(facts.st_mode)) {
		errno = EINVAL;
		return log_error(err, log, "is no file");
	}
	if (!lock_file(open->fd))
		return log_error(err, log, "is kept locked");
	return HOTPATCH_OK;
}

static void close_log(struct open_log *open)
{
	if (open->fd >= 0)
		close(open->fd);
	open->fd = -1;
}

/* Opens and locks the file that has the name when it is locked. */
static enum hotpatch_status open_locked(const struct hp_log *log,
					struct open_log *open,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		status = open_once(log, open, err);
		if (status || is_current(log, open))
			return status;
		close_log(open);
	}
	errno = EAGAIN;
	return log_error(err, log, "is renamed again and again");
}

static enum hotpatch_status changed(struct hotpatch_error *err,
				    const struct hp_log *log)
{
	return hp_error(err, HOTPATCH_E_LOG_BROKEN, 0, log->path,
			"the last line of %s is none that a log has",
			log->path);
}

/* Reads the end of the file, and cuts off what is no whole line. */
static enum hotpatch_status find_end(const struct hp_log *log,
				     struct open_log *open,
				     struct hotpatch_error *err)
{
	char tail[2 * HP_CHAIN_LINE_LIMIT];
	char previous[HP_CHAIN_HASH_SIZE];
	struct stat facts;
	off_t from;
	ssize_t size;
	char *stop;
	char *start;

	hp_chain_begin(&open->link);
	if (fstat(open->fd, &facts))
		return log_error(err, log, "cannot be looked at");
	from = facts.st_size > (off_t)sizeof(tail) ?
		       facts.st_size - (off_t)sizeof(tail) :
		       0;
	size = pread(open->fd, tail, sizeof(tail), from);
	if (size < 0)
		return log_error(err, log, "cannot be read");
	stop = memrchr(tail, '\n', (size_t)size);
	if (!stop && from)
		return changed(err, log);
	open->size = stop ? from + (stop - tail) + 1 : 0;
	if (open->size < facts.st_size && ftruncate(open->fd, open->size))
		return log_error(err, log, "cannot be cut");
	if (!stop)
		return HOTPATCH_OK;
	*stop = '\0';
	start = memrchr(tail, '\n', (size_t)(stop - tail));
	start = start ? start + 1 : tail;
	if (!hp_chain_read_line(start, (size_t)(stop - start), &open->link,
				previous))
		return changed(err, log);
	return HOTPATCH_OK;
}

static void name_old(const struct hp_log *log, unsigned int turn,
		     char name[OLD_NAME_SIZE])
{
	if (turn)
		snprintf(name, OLD_NAME_SIZE, "%.*s.%u", NAME_MAX - 5,
			 log->name, turn);
	else
		snprintf(name, OLD_NAME_SIZE, "%s", log->name);
}

/* The chain goes on in a new file. */
static enum hotpatch_status rotate(const struct hp_log *log,
				   struct open_log *open,
				   struct hotpatch_error *err)
{
	struct hp_link link = open->link;
	char from[OLD_NAME_SIZE];
	char to[OLD_NAME_SIZE];
	enum hotpatch_status status;
	unsigned int turn;

	for (turn = log->keep; turn-- > 0;) {
		name_old(log, turn, from);
		name_old(log, turn + 1, to);
		if (renameat(open->directory_fd, from, open->directory_fd,
			     to) &&
		    errno != ENOENT)
			return log_error(err, log, "cannot be renamed");
	}
	close_log(open);
	status = open_locked(log, open, err);
	if (!status)
		status = find_end(log, open, err);
	/* Another process may have been quicker to write to it. */
	if (!status && !open->size)
		open->link = link;
	return status;
}

static void add_time(struct hp_text *line, const struct hotpatch_event *event)
{
	uint64_t ago_ns = hp_now_ns() - event->time_ns;
	struct timespec now;
	uint64_t then_us;
	struct tm parts;
	time_t seconds;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &now);
	then_us = (uint64_t)now.tv_sec * 1000000 +
		  (uint64_t)now.tv_nsec / 1000 - ago_ns / 1000;
	seconds = (time_t)(then_us / 1000000);
	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	hp_text_add(line, ",\"time\":\"%s.%06uZ\"", date,
		    (unsigned int)(then_us % 1000000));
}

static void add_line(struct hp_log *log, const struct hotpatch_event *event,
		     uint64_t lost, struct hp_text *line)
{
	add_time(line, event);
	hp_text_add(line, ",\"pid\":%d,\"program\":", (int)getpid());
	hp_text_add_quoted(line, log->program);
	hp_text_add(line, ",\"sequence\":%llu,\"phase\":\"%s\"",
		    (unsigned long long)event->sequence,
		    hotpatch_phase_name(event->phase));
	hp_text_add(line, ",\"generation\":%llu,\"status\":\"%s\",\"patch\":",
		    (unsigned long long)event->generation,
		    hotpatch_status_name(event->status));
	hp_text_add_quoted(line, event->patch);
	hp_text_add(line, ",\"object\":");
	hp_text_add_quoted(line, event->object);
	if (lost)
		hp_text_add(line, ",\"lost\":%llu", (unsigned long long)lost);
}

/* Puts the lines together first, so that one write() has them all. */
static char *make_lines(struct hp_log *log, struct hp_link *link,
			const struct hotpatch_event *events, size_t count,
			size_t *size)
{
	char *bytes = malloc(count * HP_CHAIN_LINE_LIMIT);
	uint64_t logged = log->sink.cursor;
	struct hp_text line;
	size_t i;

	*size = 0;
	for (i = 0; bytes && i < count; i++) {
		line = (struct hp_text){bytes + *size, HP_CHAIN_LINE_LIMIT, 0};
		hp_chain_open_line(link, &line);
		add_line(log, &events[i], events[i].sequence - logged - 1,
			 &line);
		hp_chain_close_line(link, &line);
		*size += line.length;
		logged = events[i].sequence;
	}
	return bytes;
}

static enum hotpatch_status append(struct hp_log *log, struct open_log *open,
				   const struct hotpatch_event *events,
				   size_t count, struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;
	size_t size;
	char *bytes = make_lines(log, &open->link, events, count, &size);

	if (!bytes)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, log->path,
				"no memory for lines of the log");
	if (size && !hp_file_write(open->fd, bytes, size)) {
		status = log_error(err, log, "cannot be written");
		/* What cannot be undone here the next writer cuts off. */
		if (ftruncate(open->fd, open->size))
			errno = 0;
	}
	free(bytes);
	return status;
}

static enum hotpatch_status write_locked(struct hp_log *log,
					 struct open_log *open,
					 const struct hotpatch_event *events,
					 size_t count,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status = open_locked(log, open, err);

	if (!status)
		status = find_end(log, open, err);
	if (!status && log->limit_bytes && open->size > 0 &&
	    (uint64_t)open->size >= log->limit_bytes)
		status = rotate(log, open, err);
	if (!status)
		status = append(log, open, events, count, err);
	close_log(open);
	return status;
}

/* No events: looks only whether that could be done. */
static enum hotpatch_status write_events(struct hp_log *log,
					 const struct hotpatch_event *events,
					 size_t count,
					 struct hotpatch_error *err)
{
	struct open_log open = {.fd = -1};
	char directory[PATH_MAX];
	enum hotpatch_status status;

	snprintf(directory, sizeof(directory), "%.*s",
		 (int)(strlen(log->path) - strlen(log->name)), log->path);
	status = hp_path_open_directory(directory, &open.directory_fd, err);
	if (status)
		return status;
	status = write_locked(log, &open, events, count, err);
	close(open.directory_fd);
	return status;
}

static void tell_journal(struct hp_log *log,
			 const struct hotpatch_event *events, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (events[i].sequence <= log->journaled)
			continue;
		log->journaled = events[i].sequence;
		/* Relaxed: a figure for people. */
		if (!hp_journal_send(log->journal, log->program, &events[i]))
			hp_add_relaxed(&figures.dropped, 1);
	}
}

static void failed(struct hp_log *log, const struct hotpatch_error *err)
{
	hp_add_relaxed(&figures.failures, 1); /* relaxed: likewise */
	log->retry_ns = hp_now_ns() + RETRY_NS;
	if (!log->failing)
		hp_event(HOTPATCH_PHASE_LOG_LOST, err->status, NULL, log->name);
	log->failing = true;
}

static size_t take(struct hp_sink *sink, const struct hotpatch_event *events,
		   size_t count)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};
	struct hp_log *log = (struct hp_log *)sink;

	if (*log->journal)
		tell_journal(log, events, count);
	if (!*log->path)
		return count;
	if (log->failing && hp_now_ns() < log->retry_ns)
		return 0;
	if (write_events(log, events, count, &err)) {
		failed(log, &err);
		return 0;
	}
	log->failing = false;
	hp_add_relaxed(&figures.lines, count); /* relaxed: likewise */
	return count;
}

void hp_log_figures(struct hp_log_figures *copy)
{
	/* Relaxed: figures for people. */
	copy->running = hp_load_relaxed(&figures.running);
	copy->lines = hp_load_relaxed(&figures.lines);
	copy->failures = hp_load_relaxed(&figures.failures);
	copy->dropped = hp_load_relaxed(&figures.dropped);
}

static enum hotpatch_status refuse(struct hotpatch_error *err,
				   const char *object, const char *what)
{
	return hp_error(err, HOTPATCH_E_ARGUMENT, 0, object, "%s %s", object,
			what);
}

static enum hotpatch_status read_path(const char *given, struct hp_log *log,
				      struct hotpatch_error *err)
{
	int length;

	if (*given) {
		length = snprintf(log->path, sizeof(log->path), "%s", given);
	} else {
		if (!hp_store_configured(log->path))
			return hp_error(err, HOTPATCH_E_STATE, 0, "directory",
					"no directory is configured for the "
					"log");
		/* What is wrong with it is told when it is used. */
		if (mkdir(log->path, 0700))
			errno = 0;
		length = (int)strlen(log->path);
		length += snprintf(log->path + length,
				   sizeof(log->path) - (size_t)length,
				   "/%s.log", log->program);
	}
	if (log->path[0] != '/' || (size_t)length >= sizeof(log->path))
		return refuse(err, given, "is not absolute, or too long");
	given = strrchr(log->path, '/') + 1;
	if (!*given || strlen(given) > NAME_MAX - 5)
		return refuse(err, log->path, "names no file, or a long one");
	hp_text_copy(log->name, sizeof(log->name), given);
	if (!hp_signature_works())
		return hp_error(err, HOTPATCH_E_UNSUPPORTED, 0, log->path,
				"this library was built without signatures, "
				"so that it has no hashes for a log");
	return HOTPATCH_OK;
}

static enum hotpatch_status
read_options(const struct hotpatch_log_options *given, struct hp_log *log,
	     struct hotpatch_error *err)
{
	const char *journal;

	if (!given || given->size != sizeof(*given))
		return refuse(err, "size", "of the options is not known");
	if (!given->path && !given->journal)
		return refuse(err, "options", "name neither log nor journal");
	if (given->keep > KEEP_LIMIT)
		return refuse(err, "keep", "is out of range");
	hp_text_copy(log->program, sizeof(log->program),
		     program_invocation_short_name);
	log->limit_bytes = given->limit_bytes;
	log->keep = given->keep ? given->keep : 1;
	journal = given->journal;
	if (journal && !*journal)
		journal = HP_JOURNAL_SOCKET;
	if (journal && strlen(journal) >= sizeof(log->journal))
		return refuse(err, journal, "is too long");
	hp_text_copy(log->journal, sizeof(log->journal), journal);
	return given->path ? read_path(given->path, log, err) : HOTPATCH_OK;
}

/* The first event is that it begins; the lock is held. */
static enum hotpatch_status begin(struct hp_log *log,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	if (current) {
		hp_error(err, HOTPATCH_E_ALREADY, 0, current->path,
			 "this process has a log already");
		return HOTPATCH_E_ALREADY;
	}
	if (*log->path)
		status = write_events(log, NULL, 0, err);
	log->sink.take = take;
	if (!status)
		status = hp_watch_add(&log->sink, err);
	if (status)
		return status;
	current = log;
	hp_store_relaxed(&figures.running, 1); /* relaxed: for people */
	hp_event(HOTPATCH_PHASE_LOGGING, HOTPATCH_OK, NULL, log->program);
	return HOTPATCH_OK;
}

enum hotpatch_status
hotpatch_log_start(const struct hotpatch_log_options *options,
		   struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_engine_check(err);
	struct hp_log *log;

	if (status)
		return status;
	log = calloc(1, sizeof(*log));
	if (!log)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, "log",
				"no memory for a log");
	status = read_options(options, log, err);
	if (!status) {
		pthread_mutex_lock(&lock);
		status = begin(log, err);
		pthread_mutex_unlock(&lock);
	}
	if (status)
		free(log);
	else
		hp_watch_deliver();
	return status;
}

void hp_log_fork_child(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

	lock = fresh;
}

void hotpatch_log_stop(void)
{
	struct hp_log *log;

	hp_watch_deliver();
	pthread_mutex_lock(&lock);
	log = current;
	current = NULL;
	hp_store_relaxed(&figures.running, 0); /* relaxed: for people */
	pthread_mutex_unlock(&lock);
	if (log)
		hp_watch_remove(&log->sink);
}
