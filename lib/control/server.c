/* SPDX-License-Identifier: MIT */
/*
 * The control server: its listening socket, its clients, its thread or the
 * host's loop, and what a fork makes of it.
 */
#include "../atomic.h"
#include "../engine.h"
#include "../event.h"
#include "../loop.h"
#include "../status.h"
#include "connection.h"

#include <errno.h>
#include <hotpatch/control.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_LIMIT 32

/* Newcomers in a turn, before those who are served have theirs; and how many
 * in the long run, whoever they are and how soon they leave again. */
#define ACCEPT_LIMIT 16
static const struct hp_rate accept_rate = {
	.interval_ns = 1000000,
	.burst = 100,
};

/* How long to leave the listening socket alone when no descriptor can be had
 * for the client that waits. */
#define ACCEPT_PAUSE_MS 10

/*
 * @listener: its descriptor, @epoll_fd and @wake_fd are -1 in the child of a
 *            fork
 * @wake_fd:  makes it look at @stopping, at what came under way, and at what
 *            the worker has done
 * @bell:     the engine's, once it is watched, else -1; rings at each event
 * @pid:      of the process that serves
 * @looks:    made since somebody waits
 * @next:     in the list of all servers
 */
struct hotpatch_control {
	struct hp_listener listener;
	int epoll_fd;
	int wake_fd;
	int bell;
	pid_t pid;
	struct hp_guard guard;
	bool threadless;
	bool stopping;
	bool accept_paused;
	unsigned int looks;
	uint64_t accept_ms;
	struct hp_pace accept_pace;
	pthread_t thread;
	struct hp_worker *worker;
	struct hotpatch_control *next;
	struct hp_connection connections[CLIENT_LIMIT];
};

/* Guards the list of servers, for the fork handlers alone. */
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hotpatch_control *servers;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void lock_servers(void)
{
	pthread_mutex_lock(&servers_lock);
}

static void unlock_servers(void)
{
	pthread_mutex_unlock(&servers_lock);
}

static void close_descriptors(struct hotpatch_control *control)
{
	size_t i;

	for (i = 0; i < CLIENT_LIMIT; i++)
		hp_connection_forget(&control->connections[i]);
	if (control->listener.fd >= 0)
		close(control->listener.fd);
	if (control->epoll_fd >= 0)
		close(control->epoll_fd);
	if (control->wake_fd >= 0)
		close(control->wake_fd);
	control->listener.fd = -1;
	control->epoll_fd = -1;
	control->wake_fd = -1;
}

/* The sockets are the parent's: a child that kept them open would look alive
 * to the parent's clients after the parent died. */
static void forget_servers(void)
{
	struct hotpatch_control *control;

	for (control = servers; control; control = control->next) {
		close_descriptors(control);
		hp_worker_forget(control->worker);
	}
	unlock_servers();
}

static void watch_forks(void)
{
	pthread_atfork(lock_servers, unlock_servers, forget_servers);
}

static void add_server(struct hotpatch_control *control)
{
	pthread_once(&fork_once, watch_forks);
	lock_servers();
	control->next = servers;
	servers = control;
	unlock_servers();
}

static void remove_server(struct hotpatch_control *control)
{
	struct hotpatch_control **place = &servers;

	lock_servers();
	while (*place && *place != control)
		place = &(*place)->next;
	if (*place)
		*place = control->next;
	unlock_servers();
}

static bool is_ours(const struct hotpatch_control *control)
{
	return control->pid == getpid();
}

static void watch_listener(struct hotpatch_control *control, uint32_t events)
{
	struct epoll_event event = {.events = events,
				    .data.ptr = &control->listener};

	epoll_ctl(control->epoll_fd, EPOLL_CTL_MOD, control->listener.fd,
		  &event);
	control->accept_paused = !events;
	control->accept_ms = hp_now_ms() + ACCEPT_PAUSE_MS;
}

/* Says why, if the client's socket takes it, and hangs up. */
static void turn_away(int fd, enum hotpatch_status status, const char *why)
{
	struct hp_buffer line = {0};
	struct hotpatch_error err;

	hp_error(&err, status, 0, "", "%s", why);
	if (hp_wire_write_error(&line, NULL, &err) &&
	    send(fd, hp_buffer_bytes(&line), line.size,
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		line.size = 0;
	hp_buffer_release(&line);
	close(fd);
}

static void admit(struct hotpatch_control *control, int fd)
{
	const char *why;
	enum hp_access access = hp_guard_access(&control->guard, fd, &why);
	struct hp_connection *connection =
		access == HP_ACCESS_NONE ? NULL :
					   hp_places_find(control->connections,
							  CLIENT_LIMIT, access);

	if (access == HP_ACCESS_NONE)
		turn_away(fd, HOTPATCH_E_PERMISSION, why);
	else if (!connection)
		turn_away(fd, HOTPATCH_E_LIMIT,
			  "The process serves all the clients that it may.");
	else
		hp_connection_open(connection, control->worker,
				   control->epoll_fd, fd, access);
}

static void accept_clients(struct hotpatch_control *control)
{
	unsigned int left = ACCEPT_LIMIT;
	int fd;

	while (left-- > 0) {
		fd = accept4(control->listener.fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			admit(control, fd);
			if (hp_pace_take(&control->accept_pace, &accept_rate,
					 hp_now_ns()))
				continue;
			/* Who comes meanwhile waits in the kernel's queue. */
			watch_listener(control, 0);
			return;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			watch_listener(control, 0);
		return;
	}
}

/* The engine, the worker, or who stops the server, wrote to the event
 * descriptor. */
static void hear(const struct hotpatch_control *control)
{
	uint64_t count;

	while (read(control->wake_fd, &count, sizeof(count)) > 0)
		;
	hp_worker_kick(control->worker);
}

static void take_events(struct hotpatch_control *control, int timeout_ms)
{
	struct epoll_event events[CLIENT_LIMIT + 3];
	int count = epoll_wait(control->epoll_fd, events, CLIENT_LIMIT + 3,
			       timeout_ms);
	int i;

	for (i = 0; i < count; i++) {
		if (events[i].data.ptr == &control->listener)
			accept_clients(control);
		else if (events[i].data.ptr == &control->bell)
			hp_worker_kick(control->worker);
		else if (events[i].data.ptr)
			hp_connection_event(events[i].data.ptr,
					    events[i].events);
		else
			hear(control);
	}
	if (control->accept_paused && hp_now_ms() >= control->accept_ms)
		watch_listener(control, EPOLLIN);
}

/*
 * Subscribers, watches and logs want to know of events that nobody asked the
 * server for. Nobody reads the bell, so each ring is one wake-up.
 */
static void watch_bell(struct hotpatch_control *control)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET,
				    .data.ptr = &control->bell};
	int bell = hp_event_bell();

	if (control->bell < 0 && bell >= 0 &&
	    !epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, bell, &event))
		control->bell = bell;
}

/* True if somebody waits for an answer. */
static bool advance_clients(struct hotpatch_control *control)
{
	bool waiting = false;
	size_t i;

	for (i = 0; i < CLIENT_LIMIT; i++)
		waiting |= hp_connection_advance(&control->connections[i]);
	if (waiting)
		hp_worker_expire(control->worker);
	return waiting;
}

/* The worker's part, without a thread: what clients have just asked for is
 * made before they are served again. */
static bool work_for_clients(struct hotpatch_control *control)
{
	bool more = hp_worker_run(control->worker);

	more |= advance_clients(control);
	return more || hp_worker_is_kicked(control->worker);
}

static bool is_unsent(const struct hotpatch_control *control)
{
	bool unsent = false;
	size_t i;

	for (i = 0; i < CLIENT_LIMIT; i++)
		unsent |= hp_connection_is_owing(&control->connections[i]);
	return unsent;
}

/* Serves everybody, and says how long it may sleep then. */
static int serve_clients(struct hotpatch_control *control)
{
	bool more = advance_clients(control);

	if (control->threadless)
		more = work_for_clients(control);
	watch_bell(control);
	if (!more) {
		control->looks = 0;
		if (control->accept_paused)
			return ACCEPT_PAUSE_MS;
		if (is_unsent(control))
			return HP_OUTPUT_STUCK_MS / 10;
		return control->threadless ? hp_engine_idle_ms() : -1;
	}
	if (control->looks >= HP_EAGER_LOOKS)
		return HP_PATIENT_MS;
	control->looks++;
	return HP_EAGER_MS;
}

static void *serve(void *argument)
{
	struct hotpatch_control *control = argument;
	int timeout_ms = 0;

	pthread_setname_np(pthread_self(), "hotpatch-ctl");
	/* Acquire: pairs with the release in stop_thread(), after which
	 * nothing else is to be seen; the load must only not be dropped. */
	hp_loop_begin();
	while (!hp_load_acquire(&control->stopping)) {
		hp_loop_pass();
		take_events(control, timeout_ms);
		timeout_ms = serve_clients(control);
	}
	hp_loop_end();
	return NULL;
}

static enum hotpatch_status limit_error(int os_error, const char *what,
					struct hotpatch_error *err)
{
	errno = os_error;
	return hp_error(err,
			os_error == ENOMEM ? HOTPATCH_E_NO_MEMORY :
					     HOTPATCH_E_LIMIT,
			os_error, what, "Cannot make the %s: %m.", what);
}

static enum hotpatch_status start_thread(struct hotpatch_control *control,
					 struct hotpatch_error *err)
{
	int os_error = pthread_create(&control->thread, NULL, serve, control);

	return os_error ? limit_error(os_error, "thread", err) : HOTPATCH_OK;
}

/* The host's signals are not for these threads. */
static enum hotpatch_status start_threads(struct hotpatch_control *control,
					  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	sigset_t before;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	status = hp_worker_start(control->worker, err);
	if (!status)
		status = start_thread(control, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

static void stop_thread(struct hotpatch_control *control)
{
	const uint64_t one = 1;

	/* Release: pairs with the acquire in serve(). */
	hp_store_release(&control->stopping, true);
	if (write(control->wake_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(control->thread, NULL);
}

static bool watch(struct hotpatch_control *control, int fd, void *place)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};

	return !epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static enum hotpatch_status make_epoll(struct hotpatch_control *control,
				       struct hotpatch_error *err)
{
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll_fd < 0)
		return limit_error(errno, "epoll descriptor", err);
	control->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->wake_fd < 0)
		return limit_error(errno, "event descriptor", err);
	if (!watch(control, control->listener.fd, &control->listener) ||
	    !watch(control, control->wake_fd, NULL))
		return limit_error(errno, "epoll registration", err);
	return HOTPATCH_OK;
}

static enum hotpatch_status make_worker(struct hotpatch_control *control,
					struct hotpatch_error *err)
{
	control->worker = hp_worker_create(control->wake_fd);
	if (!control->worker)
		return limit_error(ENOMEM, "worker", err);
	return HOTPATCH_OK;
}

static struct hotpatch_control *
allocate(const struct hotpatch_control_options *options)
{
	struct hotpatch_control *control = calloc(1, sizeof(*control));
	size_t i;

	if (!control)
		return NULL;
	control->listener.fd = -1;
	control->epoll_fd = -1;
	control->wake_fd = -1;
	control->bell = -1;
	control->pid = getpid();
	hp_guard_set(&control->guard, options->group);
	control->threadless = options->threadless;
	for (i = 0; i < CLIENT_LIMIT; i++) {
		control->connections[i].fd = -1;
		control->connections[i].passed[0] = -1;
		control->connections[i].passed[1] = -1;
	}
	return control;
}

static enum hotpatch_status
start(const struct hotpatch_control_options *options,
      struct hotpatch_control *control, struct hotpatch_error *err)
{
	char path[HP_SOCKET_PATH_SIZE];
	enum hotpatch_status status = HOTPATCH_OK;

	if (!options->path)
		status = hp_socket_default_path(path, err);
	if (status)
		return status;
	status = hp_socket_listen(options->path ? options->path : path,
				  options->group, !options->path,
				  &control->listener, err);
	if (status)
		return status;
	status = make_epoll(control, err);
	if (!status)
		status = make_worker(control, err);
	if (status)
		goto out;
	add_server(control);
	if (!control->threadless)
		status = start_threads(control, err);
	if (!status) {
		hp_engine_watch(control->wake_fd);
		return status;
	}
	remove_server(control);
	hp_worker_stop(control->worker);
out:
	hp_socket_remove(&control->listener);
	return status;
}

static enum hotpatch_status
read_options(const struct hotpatch_control_options *given,
	     struct hotpatch_control_options *options,
	     struct hotpatch_error *err)
{
	struct hotpatch_process_info info;

	*options = (struct hotpatch_control_options){
		.size = sizeof(*options),
		.group = (gid_t)-1,
	};
	if (given && given->size != sizeof(*given))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "size",
				"The size of the options is not known.");
	if (given)
		*options = *given;
	hotpatch_process_info(&info);
	if (info.status)
		return hp_error(err, info.status, 0, "", "%s.",
				hotpatch_status_text(info.status));
	return HOTPATCH_OK;
}

enum hotpatch_status
hotpatch_control_start(const struct hotpatch_control_options *given,
		       struct hotpatch_control **control,
		       struct hotpatch_error *err)
{
	struct hotpatch_control_options options;
	struct hotpatch_control *made;
	enum hotpatch_status status;

	if (!control)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, "control",
				"There is no place for the server.");
	*control = NULL;
	status = read_options(given, &options, err);
	if (status)
		return status;
	made = allocate(&options);
	if (!made)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM,
				"control server",
				"There is no memory for the control server.");
	status = start(&options, made, err);
	if (status) {
		close_descriptors(made);
		free(made);
		return status;
	}
	*control = made;
	return HOTPATCH_OK;
}

static void hang_up(struct hotpatch_control *control)
{
	size_t i;

	hp_engine_unwatch(control->wake_fd);
	if (!control->threadless)
		stop_thread(control);
	for (i = 0; i < CLIENT_LIMIT; i++) {
		if (control->connections[i].fd >= 0)
			hp_connection_close(&control->connections[i]);
	}
	hp_socket_remove(&control->listener);
}

void hotpatch_control_stop(struct hotpatch_control *control)
{
	if (!control)
		return;
	if (is_ours(control))
		hang_up(control);
	/* A child that is forked from here on finds no worker that is gone. */
	remove_server(control);
	if (is_ours(control))
		hp_worker_stop(control->worker);
	else
		hp_worker_free(control->worker);
	close_descriptors(control);
	free(control);
}

const char *hotpatch_control_path(const struct hotpatch_control *control)
{
	return control->listener.path;
}

int hotpatch_control_fd(const struct hotpatch_control *control)
{
	return control->epoll_fd;
}

int hotpatch_control_dispatch(struct hotpatch_control *control)
{
	if (!is_ours(control))
		return -1;
	take_events(control, 0);
	return serve_clients(control);
}
