/* SPDX-License-Identifier: MIT */
/*
 * One text file: a line for each bundle, with its identity, when it was added,
 * and why.
 */
#include "quarantine.h"

#include "probation.h"
#include "status.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT HP_QUARANTINE_LIMIT
#define LINE_SIZE (HP_IDENTITY_LINE_SIZE + 24 + HP_REASON_SIZE)

const struct hp_ledger hp_quarantine_ledger = {
	.name = "quarantine",
	.next_name = "quarantine.next",
	.first = "hotpatch quarantine 1\n",
	.loss = "which bundles are in quarantine",
	.damaged = HOTPATCH_E_DAMAGED,
};

static const struct hp_ledger *const ledger = &hp_quarantine_ledger;

/* The list while it is looked at; @lines points into @file. */
struct list {
	struct hp_file file;
	struct hp_words lines;
};

bool hp_quarantine_take(struct hp_words *lines,
			struct hp_quarantined *quarantined)
{
	struct hp_words line;
	struct hp_words word;

	return hp_words_take(lines, '\n', &line) &&
	       hp_identity_take(&line, &quarantined->identity) &&
	       hp_words_take(&line, ' ', &word) &&
	       hp_words_number(&word, &quarantined->time_s) &&
	       hp_words_copy(&line, quarantined->reason, HP_REASON_SIZE);
}

static size_t write_line(char line[LINE_SIZE],
			 const struct hp_quarantined *quarantined)
{
	size_t length = hp_identity_write(&quarantined->identity, line);

	length += (size_t)snprintf(line + length, LINE_SIZE - length,
				   "%" PRIu64 " %s\n", quarantined->time_s,
				   quarantined->reason);
	return length;
}

/* Also whether each line is one. */
static enum hotpatch_status read_list(int directory_fd, struct list *list,
				      size_t *count, struct hotpatch_error *err)
{
	struct hp_quarantined quarantined;
	enum hotpatch_status status;
	struct hp_words lines;

	*count = 0;
	status = hp_ledger_read(ledger, directory_fd, &list->file, &list->lines,
				err);
	if (status != HOTPATCH_OK)
		return status;
	lines = list->lines;
	for (; hp_words_size(&lines); (*count)++)
		if (!hp_quarantine_take(&lines, &quarantined))
			return hp_ledger_damaged(ledger, err);
	return HOTPATCH_OK;
}

/* Which lines go. */
struct choice {
	const struct hp_identity *identity; /* NULL for the two below */
	const char *program;
	const char *what; /* NULL for all of the program */
};

static bool is_chosen(const struct choice *choice,
		      const struct hp_identity *identity)
{
	if (choice->identity)
		return hp_identity_equals(identity, choice->identity);
	return !strcmp(identity->program, choice->program) &&
	       (!choice->what || hp_identity_answers(identity, choice->what));
}

/*
 * Copies the lines of @list to @text, without those that are chosen and
 * without the first @surplus of the others; gives the size.
 */
static size_t copy_others(const struct list *list, const struct choice *choice,
			  size_t surplus, char *text, size_t *kept)
{
	struct hp_quarantined quarantined;
	struct hp_words lines = list->lines;
	size_t size = 0;

	*kept = 0;
	while (hp_quarantine_take(&lines, &quarantined)) {
		if (is_chosen(choice, &quarantined.identity))
			continue;
		if (surplus) {
			surplus--;
			continue;
		}
		size += write_line(text + size, &quarantined);
		(*kept)++;
	}
	return size;
}

/* Writes the list without what is chosen, and with @added, unless that is
 * NULL. */
static enum hotpatch_status rewrite(int directory_fd, const struct list *list,
				    size_t count, const struct choice *choice,
				    const struct hp_quarantined *added,
				    struct hotpatch_error *err)
{
	char *text = malloc((count + 1) * LINE_SIZE);
	enum hotpatch_status status;
	size_t kept;
	size_t size;

	if (!text)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, ledger->name,
				"no memory for the list of bundles in "
				"quarantine");
	size = copy_others(list, choice,
			   added && count >= LIMIT ? count - LIMIT + 1 : 0,
			   text, &kept);
	if (added)
		size += write_line(text + size, added);
	if (!added && kept == count)
		status = hp_error(err, HOTPATCH_E_ALREADY, 0,
				  choice->what ? choice->what : ledger->name,
				  "%s is not in quarantine",
				  choice->what ? choice->what : "any bundle");
	else
		status = hp_ledger_replace(
			ledger, directory_fd, text, size,
			added ? added->identity.name : choice->program, err);
	free(text);
	return status;
}

static void clean_copy(char reason[HP_REASON_SIZE], const char *text)
{
	hp_text_copy(reason, HP_REASON_SIZE, *text ? text : "?");
	for (; *reason; reason++)
		if ((unsigned char)*reason < ' ' || *reason == 0x7f)
			*reason = '?';
}

enum hotpatch_status
hp_quarantine_add_locked(int directory_fd, const struct hp_identity *identity,
			 const char *reason, struct hotpatch_error *err)
{
	const struct choice choice = {.identity = identity};
	struct hp_quarantined added = {.identity = *identity};
	enum hotpatch_status status;
	struct list list = {0};
	struct timespec now;
	size_t count;

	clock_gettime(CLOCK_REALTIME, &now);
	added.time_s = now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
	clean_copy(added.reason, reason);
	status = read_list(directory_fd, &list, &count, err);
	if (status == HOTPATCH_OK)
		status = rewrite(directory_fd, &list, count, &choice, &added,
				 err);
	hp_file_release(&list.file);
	return status;
}

/* Locks the directory, and takes into the list what it does not know yet. */
static enum hotpatch_status begin(int *directory_fd, struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_store_lock(directory_fd, err);

	if (status != HOTPATCH_OK)
		return status;
	status = hp_probation_settle(*directory_fd, err);
	if (status != HOTPATCH_OK)
		hp_store_unlock();
	return status;
}

enum hotpatch_status hp_quarantine_add(const struct hp_identity *identity,
				       const char *reason,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int directory_fd;

	status = begin(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_quarantine_add_locked(directory_fd, identity, reason, err);
	hp_store_unlock();
	return status;
}

static bool find(const struct list *list, const struct hp_identity *identity,
		 struct hp_quarantined *found)
{
	struct hp_words lines = list->lines;

	while (hp_quarantine_take(&lines, found))
		if (hp_identity_equals(&found->identity, identity))
			return true;
	return false;
}

enum hotpatch_status hp_quarantine_find(const struct hp_identity *identity,
					struct hp_quarantined *found,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct hp_quarantined own;
	struct list list = {0};
	char path[PATH_MAX];
	int directory_fd;
	size_t count;

	if (!hp_store_configured(path))
		return HOTPATCH_OK;
	status = begin(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	found = found ? found : &own;
	status = read_list(directory_fd, &list, &count, err);
	if (status == HOTPATCH_OK && find(&list, identity, found))
		status = hp_error(err, HOTPATCH_E_QUARANTINED, 0,
				  identity->name, "%s is in quarantine: %s",
				  identity->name, found->reason);
	hp_store_unlock();
	hp_file_release(&list.file);
	return status;
}

enum hotpatch_status hp_quarantine_forgive(const char *program,
					   const char *what,
					   struct hotpatch_error *err)
{
	const struct choice choice = {.program = program, .what = what};
	enum hotpatch_status status;
	struct list list = {0};
	int directory_fd;
	size_t count;

	status = begin(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = read_list(directory_fd, &list, &count, err);
	if (status == HOTPATCH_OK)
		status =
			rewrite(directory_fd, &list, count, &choice, NULL, err);
	hp_store_unlock();
	hp_file_release(&list.file);
	return status;
}

enum hotpatch_status hp_quarantine_list(const char *program,
					struct hp_quarantined *list,
					size_t size, size_t *count,
					struct hotpatch_error *err)
{
	struct hp_quarantined quarantined;
	enum hotpatch_status status;
	struct list whole = {0};
	char path[PATH_MAX];
	int directory_fd;
	size_t all;

	*count = 0;
	if (!hp_store_configured(path))
		return HOTPATCH_OK;
	status = begin(&directory_fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = read_list(directory_fd, &whole, &all, err);
	while (status == HOTPATCH_OK &&
	       hp_quarantine_take(&whole.lines, &quarantined)) {
		if (program && strcmp(quarantined.identity.program, program))
			continue;
		if (*count < size)
			list[*count] = quarantined;
		(*count)++;
	}
	hp_store_unlock();
	hp_file_release(&whole.file);
	return status;
}
