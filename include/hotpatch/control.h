/* SPDX-License-Identifier: MIT */
/*
 * The control socket: how the hotpatch command reaches this process. A unix
 * stream socket, one JSON object a line; see lib/control/README.md for the
 * protocol. Optional: built when jansson is there.
 */
#ifndef HOTPATCH_CONTROL_H
#define HOTPATCH_CONTROL_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <sys/types.h>

HOTPATCH_BEGIN_DECLS

struct hotpatch_control;

/**
 * struct hotpatch_control_options - where to listen and to whom
 * @size:    sizeof(struct hotpatch_control_options)
 * @path:    of the socket; NULL for DIRECTORY/PROGRAM.PID.sock, where
 *           DIRECTORY is $HOTPATCH_RUNTIME_DIR, else /run/hotpatch for root,
 *           else $XDG_RUNTIME_DIR/hotpatch, else /tmp/hotpatch-UID
 * @group:   that may connect besides the owner; (gid_t)-1 for the process's
 * @threadless: no thread is started; the host calls
 *           hotpatch_control_dispatch() when hotpatch_control_fd() is readable,
 *           and bundles' callbacks run in there
 */
struct hotpatch_control_options {
	size_t size;
	const char *path;
	gid_t group;
	int threadless;
};

/**
 * hotpatch_control_start() - listen, and serve from threads of its own
 * @options: or NULL
 * @control: receives the server
 * @err:     or NULL
 *
 * The directory is made with mode 0750, the socket with 0660. A stale socket,
 * one that nobody listens on, is replaced; a live one is not. Only the owner
 * of the process, root and members of the group are served, and only the
 * owner and root may change anything. Two threads that take no signals:
 * hotpatch-ctl answers clients, hotpatch-work makes the changes that they ask
 * for, and runs bundles' callbacks, which may take long: everybody but their
 * own client is answered meanwhile. Both sleep until a client wants something;
 * what the host itself begins they move on once they are awake, so a host that
 * waits for nobody calls hotpatch_poll().
 *
 * Context: any thread; blocks on the file system; not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ARGUMENT for a path that does not fit or
 *          options of an unknown size;
 *          HOTPATCH_E_ALREADY if another process listens there;
 *          HOTPATCH_E_PERMISSION, HOTPATCH_E_IO from the file system;
 *          HOTPATCH_E_NO_MEMORY; HOTPATCH_E_LIMIT for descriptors or threads;
 *          HOTPATCH_E_UNSUPPORTED if built without jansson;
 *          HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_control_start(const struct hotpatch_control_options *options,
		       struct hotpatch_control **control,
		       struct hotpatch_error *err);

/**
 * hotpatch_control_stop() - close all connections and remove the socket
 * @control: NULL does nothing
 *
 * Changes that have not begun are dropped. The one that is being made is waited
 * for, but no longer than a second: if a callback of it takes longer, the
 * thread hotpatch-work goes on with it and then ends by itself. A transition
 * that a client began goes on. In the child of a fork, which serves nobody,
 * this only gives the memory back.
 *
 * Context: any thread but hotpatch-ctl; blocks for at most a second, but in a
 *          threadless server for what hotpatch_poll() does.
 */
HOTPATCH_API void hotpatch_control_stop(struct hotpatch_control *control);

/** hotpatch_control_path() - where it listens; valid until stopped */
HOTPATCH_API const char *
hotpatch_control_path(const struct hotpatch_control *control);

/**
 * hotpatch_control_fd() - an epoll descriptor that is readable when there is
 * work for hotpatch_control_dispatch(); for a threadless server
 */
HOTPATCH_API int hotpatch_control_fd(const struct hotpatch_control *control);

/**
 * hotpatch_control_dispatch() - do what there is to do, without waiting
 *
 * Makes the changes that clients ask for, so bundles are loaded and their
 * callbacks run here. A host whose loop must not stand still meanwhile lets
 * the server have threads.
 *
 * Context: outside a section, one thread at a time.
 * Return:  milliseconds after which it wants to be called again even if the
 *          descriptor stays quiet; -1 for never.
 */
HOTPATCH_API int hotpatch_control_dispatch(struct hotpatch_control *control);

HOTPATCH_END_DECLS

#endif
