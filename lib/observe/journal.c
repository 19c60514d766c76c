/* SPDX-License-Identifier: MIT */
/*
 * The journal's protocol. A socket is made for each event, because the journal
 * may have been started anew since the last; events are rare.
 */
#include "journal.h"

#include "text.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTICE 5
#define WARNING 4
#define DATAGRAM_LIMIT 2048

static int priority(const struct hotpatch_event *event)
{
	return event->status == HOTPATCH_OK ? NOTICE : WARNING;
}

/* A newline in a value would begin another field. */
static void add_field(struct hp_text *text, const char *name, const char *value)
{
	size_t at = text->length;
	char *byte;

	if (!*value)
		return;
	hp_text_add(text, "%s=%s", name, value);
	for (byte = &text->bytes[at]; *byte; byte++) {
		if (*byte == '\n')
			*byte = ' ';
	}
	hp_text_add(text, "\n");
}

static void add_message(struct hp_text *text,
			const struct hotpatch_event *event)
{
	char bytes[256];
	struct hp_text message = {bytes, sizeof(bytes), 0};

	hp_text_add(&message, "hotpatch: %s",
		    hotpatch_phase_name(event->phase));
	if (*event->patch)
		hp_text_add(&message, ", %s", event->patch);
	if (*event->object)
		hp_text_add(&message, ", %s", event->object);
	if (event->status)
		hp_text_add(&message, ": %s",
			    hotpatch_status_text(event->status));
	add_field(text, "MESSAGE", bytes);
}

static void add_fields(struct hp_text *text, const char *program,
		       const struct hotpatch_event *event)
{
	add_message(text, event);
	hp_text_add(text, "PRIORITY=%d\n", priority(event));
	add_field(text, "SYSLOG_IDENTIFIER", program);
	add_field(text, "HOTPATCH_PHASE", hotpatch_phase_name(event->phase));
	add_field(text, "HOTPATCH_STATUS", hotpatch_status_name(event->status));
	add_field(text, "HOTPATCH_PATCH", event->patch);
	add_field(text, "HOTPATCH_OBJECT", event->object);
	hp_text_add(text, "HOTPATCH_SEQUENCE=%llu\nHOTPATCH_GENERATION=%llu\n",
		    (unsigned long long)event->sequence,
		    (unsigned long long)event->generation);
}

static bool send_text(const char *path, const struct hp_text *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	ssize_t sent;
	int fd;

	if (length >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, length);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	sent = sendto(fd, text->bytes, text->length, MSG_NOSIGNAL,
		      (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	return sent == (ssize_t)text->length;
}

bool hp_journal_send(const char *path, const char *program,
		     const struct hotpatch_event *event)
{
	char bytes[DATAGRAM_LIMIT];
	struct hp_text text = {bytes, sizeof(bytes), 0};

	add_fields(&text, program, event);
	return hp_text_fits(&text) && send_text(path, &text);
}
