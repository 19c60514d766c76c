/* SPDX-License-Identifier: MIT */
/*
 * A process that does nothing until it is asked, so that a hundred of them cost
 * little.
 */
#include "host.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

HOTPATCH_FUNCTION(int, answer, (void))
{
	return 41;
}

static int open_socket(const char *directory, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%s/ask",
		 directory);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int trust(const char *directory, const char *key)
{
	char store[128];
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = store,
		.keys = &key,
		.key_count = 1,
	};

	snprintf(store, sizeof(store), "%s/store", directory);
	return hotpatch_configure(&config, NULL);
}

int host_run(const char *directory, const char *key)
{
	struct hotpatch_control *control;
	struct sockaddr_un address;
	int listener = open_socket(directory, &address);
	int client, value;

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 8) || (key && trust(directory, key)) ||
	    hotpatch_control_start(NULL, &control, NULL))
		return 1;
	for (;;) {
		client = accept(listener, NULL, NULL);
		value = answer();
		if (client < 0 ||
		    write(client, &value, sizeof(value)) != sizeof(value))
			return 1;
		close(client);
	}
}

int host_ask(const struct hotpatch_rollout_instance *instance)
{
	struct sockaddr_un address;
	int fd = open_socket(instance->directory, &address);
	int value = 0;

	if (fd >= 0 &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    read(fd, &value, sizeof(value)) != sizeof(value))
		value = 0;
	if (fd >= 0)
		close(fd);
	return value;
}
