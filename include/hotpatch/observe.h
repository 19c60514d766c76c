/* SPDX-License-Identifier: MIT */
/*
 * Seeing what the library does: events as they come, a log that notices when
 * somebody changed it, and figures for a monitoring system. None of it is on
 * the way of a call, a section or a safe point.
 *
 * Events are written to a ring where they happen, and handed on from there, in
 * order and with no lock of the engine held, by hotpatch_poll(),
 * hotpatch_patch_wait() and every function that changes patches, before they
 * return. The control server does that by itself as soon as there is one.
 */
#ifndef HOTPATCH_OBSERVE_H
#define HOTPATCH_OBSERVE_H

#include <hotpatch/api.h>
#include <hotpatch/event.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

struct hotpatch_watch;

/**
 * hotpatch_watch_start() - have a function called for each event from now on
 * @callback: gets the event, valid for the call, and @argument
 * @watch:    receives what hotpatch_watch_stop() takes
 * @err:      or NULL
 *
 * One call at a time, in whichever thread hands on. A gap in the sequence
 * numbers tells that events were lost: the ring keeps the newest 1,024. The
 * callback may look at everything and change nothing: what changes patches
 * is refused with HOTPATCH_E_IN_CALLBACK. In the child of a fork it is called
 * for the child's events.
 *
 * Context: any thread, but not from such a callback.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ARGUMENT; HOTPATCH_E_NO_MEMORY;
 *          HOTPATCH_E_IN_CALLBACK; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status hotpatch_watch_start(
	void (*callback)(const struct hotpatch_event *event, void *argument),
	void *argument, struct hotpatch_watch **watch,
	struct hotpatch_error *err);

/**
 * hotpatch_watch_stop() - no call after this one
 * @watch: NULL does nothing
 *
 * Context: any thread; waits until a call that is running in another one has
 *          returned; also from the callback itself.
 */
HOTPATCH_API void hotpatch_watch_stop(struct hotpatch_watch *watch);

/* In the place of a path: the library's own choice. */
#define HOTPATCH_LOG_DEFAULT ""

/**
 * struct hotpatch_log_options - where events are logged
 * @size:        sizeof(struct hotpatch_log_options)
 * @path:        of the log, absolute; HOTPATCH_LOG_DEFAULT for PROGRAM.log in
 *               the directory of hotpatch_configure(); NULL for no such log
 * @journal:     path of a socket that takes systemd's journal protocol;
 *               HOTPATCH_LOG_DEFAULT for /run/systemd/journal/socket; NULL for
 *               none. Nothing waits for it: what it does not take is dropped
 * @limit_bytes: size beyond which the log is renamed to PATH.1, and that one
 *               to PATH.2; 0 for never
 * @keep:        how many of these stay; 0 means 1
 */
struct hotpatch_log_options {
	size_t size;
	const char *path;
	const char *journal;
	uint64_t limit_bytes;
	unsigned int keep;
};

/**
 * hotpatch_log_start() - log this process's events from now on
 * @options: copied
 * @err:     or NULL
 *
 * A line is a JSON object. It carries the hash of the line before it and its
 * own, BLAKE2b over what comes before that member, so a line that was changed,
 * taken out or put in is found by `hotpatch log --verify`. Lines cut off at the
 * end are not: who has to notice that keeps the last hash elsewhere. Processes
 * may share a log, and a new one goes on with the chain of the last.
 *
 * The directories on the way to @path may not be open to others, nor be links;
 * the log is made with mode 0600. While it cannot be written the events wait in
 * the ring; HOTPATCH_PHASE_LOG_LOST tells that once, and nothing else fails.
 *
 * Context: any thread; blocks on the file system.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY while there is one;
 *          HOTPATCH_E_ARGUMENT; HOTPATCH_E_STATE if no directory is configured;
 *          HOTPATCH_E_UNSUPPORTED for a log of a library that was built without
 *          signatures; HOTPATCH_E_LOG if it cannot be written;
 *          HOTPATCH_E_LOG_BROKEN if its last line is not a log's;
 *          HOTPATCH_E_UNSAFE_PATH, HOTPATCH_E_NOT_FOUND, HOTPATCH_E_PERMISSION,
 *          HOTPATCH_E_NO_MEMORY, HOTPATCH_E_IN_CALLBACK,
 *          HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_log_start(const struct hotpatch_log_options *options,
		   struct hotpatch_error *err);

/** hotpatch_log_stop() - write what is left, and no more; as for watches */
HOTPATCH_API void hotpatch_log_stop(void);

/**
 * struct hotpatch_metrics_options - in which form figures are written
 * @size:     sizeof(struct hotpatch_metrics_options)
 * @textfile: in Prometheus' older text format, which a node exporter reads from
 *            files; else in OpenMetrics
 * @labelled: with labels that name the program and the process, for where
 *            several are collected together
 */
struct hotpatch_metrics_options {
	size_t size;
	bool textfile;
	bool labelled;
};

/**
 * hotpatch_metrics_write() - the figures of this process as text
 * @options: or NULL
 * @buffer:  of @size bytes; gets a NUL-terminated text, cut if it is too long
 *
 * Context: any thread; takes the engine's lock for moments.
 * Return:  the length of the whole text, as snprintf() does; 0 without memory
 *          or for options of an unknown size.
 */
HOTPATCH_API size_t
hotpatch_metrics_write(const struct hotpatch_metrics_options *options,
		       char *buffer, size_t size);

/**
 * hotpatch_metrics_save() - the same to a file, which is replaced in one step
 * @path:    absolute; a node exporter wants it to end in ".prom"
 * @options: or NULL for a text file with labels
 * @err:     or NULL
 *
 * Context: any thread; blocks on the file system.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ARGUMENT, HOTPATCH_E_NO_MEMORY,
 *          HOTPATCH_E_IO, HOTPATCH_E_PERMISSION, HOTPATCH_E_NOT_FOUND; the file
 *          is as it was then.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_metrics_save(const char *path,
		      const struct hotpatch_metrics_options *options,
		      struct hotpatch_error *err);

HOTPATCH_END_DECLS

#endif
