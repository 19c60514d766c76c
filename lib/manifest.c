/* SPDX-License-Identifier: MIT */
/*
 * Reads a bundle's manifest out of the bytes of an ELF file. Nothing in them
 * is believed: each offset, size, count and alignment is compared with the
 * file before it is used, and integers are copied out, never cast, because
 * the bytes may lie anywhere. The notes are walked twice, first to count and
 * to find the one that tells the format, then to take what they say.
 */
#include "manifest.h"

#include "status.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_LIMIT 1024
#define REPLACE_LIMIT 65536
#define TARGET_LIMIT 64
#define NAME_LIMIT 1024 /* of replaced, required and excluded patches each */

/* The ELF header of whatever this is linked into: it tells the machine. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

struct reader {
	const unsigned char *bytes;
	size_t size;
	const char *object;
	struct hotpatch_error *err;
	Elf64_Ehdr header;
	struct hp_manifest manifest;
	size_t bundles;
	size_t others; /* notes of our own that are not the bundle's head */
	uint32_t format;
	size_t expiries;
	uint32_t unknown;  /* a type that this format does not have, or 0 */
	bool odd_build_id; /* longer than any known kind */
};

static enum hotpatch_status refuse(const struct reader *reader,
				   enum hotpatch_status status,
				   const char *what)
{
	return hp_error(reader->err, status, 0, reader->object, "%s %s",
			reader->object, what);
}

static enum hotpatch_status refuse_text(const struct reader *reader,
					enum hotpatch_status status,
					const char *what, const char *text)
{
	return hp_error(reader->err, status, 0, reader->object, "%s %s \"%s\"",
			reader->object, what, text);
}

/* True if @size bytes at @offset lie in the file; they cannot wrap round. */
static bool lies_inside(const struct reader *reader, uint64_t offset,
			uint64_t size)
{
	return offset <= reader->size && size <= reader->size - offset;
}

static bool is_power_of_two(uint64_t number)
{
	return number && !(number & (number - 1));
}

static void read_segment(const struct reader *reader, size_t index,
			 Elf64_Phdr *segment)
{
	memcpy(segment,
	       reader->bytes + reader->header.e_phoff +
		       index * sizeof(*segment),
	       sizeof(*segment));
}

static enum hotpatch_status read_header(struct reader *reader)
{
	Elf64_Ehdr *header = &reader->header;

	if (reader->size < SELFMAG ||
	    memcmp(reader->bytes, ELFMAG, SELFMAG) != 0)
		return refuse(reader, HOTPATCH_E_NOT_ELF, "is not an ELF file");
	if (reader->size < sizeof(*header))
		return refuse(reader, HOTPATCH_E_TRUNCATED,
			      "ends inside its ELF header");
	memcpy(header, reader->bytes, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != __ehdr_start.e_machine)
		return refuse(reader, HOTPATCH_E_MACHINE,
			      "is built for another machine");
	if (header->e_type != ET_DYN)
		return refuse(reader, HOTPATCH_E_NOT_BUNDLE,
			      "is not a shared object");
	if (header->e_ident[EI_VERSION] != EV_CURRENT ||
	    header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum > SEGMENT_LIMIT)
		return refuse(reader, HOTPATCH_E_NOT_ELF,
			      "has an ELF header that makes no sense");
	return HOTPATCH_OK;
}

/*
 * The linker writes the section headers last, so that a file whose tail was
 * cut off shows itself here. Nothing else is read from them.
 */
static enum hotpatch_status check_sections(const struct reader *reader)
{
	const Elf64_Ehdr *header = &reader->header;
	Elf64_Shdr first;
	uint64_t count = header->e_shnum;

	if (!header->e_shoff)
		return HOTPATCH_OK;
	if (header->e_shentsize != sizeof(first))
		return refuse(reader, HOTPATCH_E_NOT_ELF,
			      "has section headers of an unknown size");
	if (!lies_inside(reader, header->e_shoff, sizeof(first)))
		return refuse(reader, HOTPATCH_E_TRUNCATED,
			      "ends before its section headers");
	if (!count) {
		/* 65,280 sections and more are counted in the first header. */
		memcpy(&first, reader->bytes + header->e_shoff, sizeof(first));
		count = first.sh_size;
	}
	if (count > reader->size / sizeof(first) ||
	    !lies_inside(reader, header->e_shoff, count * sizeof(first)))
		return refuse(reader, HOTPATCH_E_TRUNCATED,
			      "ends inside its section headers");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_segment(const struct reader *reader,
					  const Elf64_Phdr *segment)
{
	if (segment->p_type != PT_LOAD && segment->p_type != PT_NOTE &&
	    segment->p_type != PT_DYNAMIC)
		return HOTPATCH_OK;
	if (!lies_inside(reader, segment->p_offset, segment->p_filesz))
		return refuse(reader, HOTPATCH_E_TRUNCATED,
			      "ends inside one of its segments");
	if (segment->p_filesz > segment->p_memsz ||
	    segment->p_vaddr + segment->p_memsz < segment->p_vaddr ||
	    (segment->p_align && !is_power_of_two(segment->p_align)))
		return refuse(reader, HOTPATCH_E_NOT_ELF,
			      "has a segment that makes no sense");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_segments(const struct reader *reader)
{
	enum hotpatch_status status;
	Elf64_Phdr segment;
	uint64_t note_bytes = 0;
	size_t loads = 0;
	size_t i;

	if (!lies_inside(reader, reader->header.e_phoff,
			 reader->header.e_phnum * sizeof(segment)))
		return refuse(reader, HOTPATCH_E_TRUNCATED,
			      "ends inside its program headers");
	for (i = 0; i < reader->header.e_phnum; i++) {
		read_segment(reader, i, &segment);
		status = check_segment(reader, &segment);
		if (status != HOTPATCH_OK)
			return status;
		loads += segment.p_type == PT_LOAD;
		if (segment.p_type == PT_NOTE)
			note_bytes += segment.p_filesz;
	}
	/* Segments that overlap could make the walk as long as they like. */
	if (!loads || note_bytes > reader->size)
		return refuse(reader, HOTPATCH_E_NOT_ELF,
			      "has program headers that make no sense");
	return HOTPATCH_OK;
}

/*
 * How many functions the loader would call. The linker's start files give
 * every object with a DT_INIT one entry of their own. Where that entry is
 * missing, DT_INIT itself is not theirs.
 */
static size_t count_constructors(const struct reader *reader,
				 const Elf64_Phdr *dynamic)
{
	const unsigned char *at = reader->bytes + dynamic->p_offset;
	size_t left = dynamic->p_filesz / sizeof(Elf64_Dyn);
	bool init = false;
	size_t entries = 0;
	Elf64_Dyn entry;

	for (; left; left--, at += sizeof(entry)) {
		memcpy(&entry, at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_INIT)
			init = true;
		if (entry.d_tag == DT_INIT_ARRAYSZ)
			entries = entry.d_un.d_val / sizeof(Elf64_Addr);
	}
	if (!init)
		return entries;
	return entries ? entries - 1 : 1;
}

static enum hotpatch_status read_dynamic(struct reader *reader)
{
	Elf64_Phdr segment;
	size_t found = 0;
	size_t i;

	for (i = 0; i < reader->header.e_phnum; i++) {
		read_segment(reader, i, &segment);
		if (segment.p_type != PT_DYNAMIC)
			continue;
		reader->manifest.constructors =
			count_constructors(reader, &segment);
		found++;
	}
	if (found != 1)
		return refuse(reader, HOTPATCH_E_NOT_BUNDLE,
			      "is not a shared object that can be loaded");
	return HOTPATCH_OK;
}

/* Calls @visit for each note of the file until one is refused. */
static enum hotpatch_status
each_note(struct reader *reader,
	  enum hotpatch_status (*visit)(struct reader *reader,
					const struct hp_note *note))
{
	enum hotpatch_status status;
	struct hp_note_walk walk;
	struct hp_note note;
	Elf64_Phdr segment;
	size_t i;

	for (i = 0; i < reader->header.e_phnum; i++) {
		read_segment(reader, i, &segment);
		if (segment.p_type != PT_NOTE)
			continue;
		walk.at = reader->bytes + segment.p_offset;
		walk.left = segment.p_filesz;
		walk.alignment = segment.p_align;
		while (hp_note_next(&walk, &note)) {
			status = visit(reader, &note);
			if (status != HOTPATCH_OK)
				return status;
		}
		if (walk.left)
			return refuse(reader, HOTPATCH_E_NOTE,
				      "has a note that does not fit its place");
	}
	return HOTPATCH_OK;
}

/* The format comes first in every format's head. */
static void survey_bundle(struct reader *reader, const struct hp_note *note)
{
	reader->bundles++;
	if (note->size >= sizeof(reader->format))
		memcpy(&reader->format, note->bytes, sizeof(reader->format));
}

static void survey_foreign(struct reader *reader, const struct hp_note *note)
{
	if (hp_note_is(note, "GNU", NT_GNU_BUILD_ID) &&
	    !hp_note_build_id(note, reader->manifest.build_id))
		reader->odd_build_id = true;
}

static enum hotpatch_status survey(struct reader *reader,
				   const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type)) {
		survey_foreign(reader, note);
		return HOTPATCH_OK;
	}
	if (note->type == HOTPATCH_NOTE_BUNDLE) {
		survey_bundle(reader, note);
		return HOTPATCH_OK;
	}
	reader->others += note->type != HOTPATCH_NOTE_LIBRARY;
	if (note->type == HOTPATCH_NOTE_TARGET)
		manifest->target_count++;
	else if (note->type == HOTPATCH_NOTE_REPLACE)
		manifest->replace_count++;
	else if (note->type == HOTPATCH_NOTE_REPLACES)
		manifest->supersede_count++;
	else if (note->type == HOTPATCH_NOTE_REQUIRES)
		manifest->require_count++;
	else if (note->type == HOTPATCH_NOTE_CONFLICTS)
		manifest->conflict_count++;
	else if (note->type == HOTPATCH_NOTE_EXPIRES)
		reader->expiries++;
	else if (note->type == HOTPATCH_NOTE_CALLBACKS)
		manifest->callback_count++;
	else if (note->type == HOTPATCH_NOTE_STATE)
		manifest->state_count++;
	else
		reader->unknown = note->type ? note->type : UINT32_MAX;
	return HOTPATCH_OK;
}

static enum hotpatch_status check_survey(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;

	if (!reader->bundles && !reader->others)
		return refuse(reader, HOTPATCH_E_NOT_BUNDLE,
			      "is an ELF file, but not a bundle");
	if (reader->format > HOTPATCH_NOTE_FORMAT)
		return hp_error(reader->err, HOTPATCH_E_FORMAT, 0,
				reader->object,
				"%s has format %u, this library knows %u",
				reader->object, reader->format,
				HOTPATCH_NOTE_FORMAT);
	if (reader->bundles != 1)
		return refuse(reader, HOTPATCH_E_NOTE,
			      reader->bundles ? "names itself more than once" :
						"does not name itself");
	if (!reader->format)
		return refuse(reader, HOTPATCH_E_NOTE, "tells no format");
	if (reader->unknown)
		return hp_error(reader->err, HOTPATCH_E_NOTE, 0, reader->object,
				"%s has a note of the unknown type %u",
				reader->object, reader->unknown);
	if (reader->expiries > 1)
		return refuse(reader, HOTPATCH_E_NOTE, "expires twice");
	if (reader->odd_build_id)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a build-id of an unusual length");
	if (manifest->replace_count > REPLACE_LIMIT ||
	    manifest->target_count > TARGET_LIMIT ||
	    manifest->supersede_count > NAME_LIMIT ||
	    manifest->require_count > NAME_LIMIT ||
	    manifest->conflict_count > NAME_LIMIT ||
	    manifest->callback_count > NAME_LIMIT ||
	    manifest->state_count > NAME_LIMIT)
		return refuse(reader, HOTPATCH_E_NOTE, "has too many notes");
	if (!manifest->target_count)
		return refuse(reader, HOTPATCH_E_NO_TARGET,
			      "names no target build");
	return HOTPATCH_OK;
}

/* Allocates what the survey counted, and begins to count again. */
static enum hotpatch_status reserve(struct reader *reader)
{
	struct hp_manifest *m = &reader->manifest;

	m->targets = calloc(m->target_count + 1, sizeof(*m->targets));
	m->replaces = calloc(m->replace_count + 1, sizeof(*m->replaces));
	m->supersedes = calloc(m->supersede_count + 1, sizeof(*m->supersedes));
	m->requires = calloc(m->require_count + 1, sizeof(*m->requires));
	m->conflicts = calloc(m->conflict_count + 1, sizeof(*m->conflicts));
	m->callbacks = calloc(m->callback_count + 1, sizeof(*m->callbacks));
	m->states = calloc(m->state_count + 1, sizeof(*m->states));
	if (!m->targets || !m->replaces || !m->supersedes || !m->requires ||
	    !m->conflicts || !m->callbacks || !m->states)
		return refuse(reader, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory");
	m->target_count = 0;
	m->replace_count = 0;
	m->supersede_count = 0;
	m->require_count = 0;
	m->conflict_count = 0;
	m->callback_count = 0;
	m->state_count = 0;
	return HOTPATCH_OK;
}

/* Splits what follows the head of @head bytes into exactly @count texts. */
static bool split(const struct hp_note *note, size_t head, const char **texts,
		  size_t count)
{
	const unsigned char *at = note->bytes + head;
	const unsigned char *end;
	size_t left;
	size_t i;

	if (note->size < head)
		return false;
	left = note->size - head;
	for (i = 0; i < count; i++) {
		end = memchr(at, '\0', left);
		if (!end)
			return false;
		texts[i] = (const char *)at;
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	for (i = 0; i < left; i++)
		if (at[i])
			return false;
	return left < 4;
}

/* These texts are shown on terminals and in logs. */
static bool is_clean(const char *text, size_t limit)
{
	const char *at;

	for (at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	return (size_t)(at - text) <= limit;
}

static bool is_base_name(const char *text)
{
	return is_clean(text, 255) && !strchr(text, '/');
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_function_name(const char *text)
{
	const char *at;

	if (!*text || (*text >= '0' && *text <= '9'))
		return false;
	for (at = text; *at; at++)
		if (!is_letter_or_digit(*at) && *at != '_' && *at != '$' &&
		    (unsigned char)*at < 0x80)
			return false;
	return at - text <= 255;
}

static bool is_patch_name(const char *text)
{
	const char *at;

	for (at = text; *at; at++)
		if (!is_letter_or_digit(*at) && !strchr("._+-", *at))
			return false;
	return at != text && at - text < HOTPATCH_NAME_SIZE;
}

static bool is_build_id(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return !text[length] && length >= 16 &&
	       length < HOTPATCH_BUILD_ID_SIZE && length % 2 == 0;
}

static enum hotpatch_status take_bundle(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_bundle head;

	if (!split(note, sizeof(head), &manifest->name, 1))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note with its name");
	memcpy(&head, note->bytes, sizeof(head));
	if (!is_patch_name(manifest->name))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a name that is not 1 to 63 of A-Z, a-z, "
			      "0-9, and . _ + -");
	if (head.kind > HOTPATCH_KIND_RESTART ||
	    head.consistency > HOTPATCH_RENDEZVOUS ||
	    (head.flags & ~HOTPATCH_FLAG_CONSTRUCTORS))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a kind, consistency or flag that this "
			      "format does not have");
	manifest->sequence = head.sequence;
	manifest->kind = (enum hotpatch_bundle_kind)head.kind;
	manifest->consistency = (enum hotpatch_consistency)head.consistency;
	manifest->flags = head.flags;
	return HOTPATCH_OK;
}

static bool has_target(const struct hp_manifest *manifest, const char *module)
{
	size_t i;

	for (i = 0; i < manifest->target_count; i++)
		if (!strcmp(manifest->targets[i].module, module))
			return true;
	return false;
}

static enum hotpatch_status take_target(struct reader *reader,
					const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	const char *texts[2];

	if (!split(note, 0, texts, 2) || !is_base_name(texts[0]))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a target");
	if (!is_build_id(texts[1]))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "needs 16 to 40 lower-case hexadecimal "
				   "digits as the build-id of",
				   texts[0]);
	if (has_target(manifest, texts[0]))
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "names two builds of", texts[0]);
	manifest->targets[manifest->target_count].module = texts[0];
	manifest->targets[manifest->target_count].build_id = texts[1];
	manifest->target_count++;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_replace(struct reader *reader,
					 const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_replace head;
	struct hp_replace *replace;
	const char *texts[4];

	if (!split(note, sizeof(head), texts, 4) || !is_base_name(texts[0]) ||
	    !is_base_name(texts[1]) || !is_function_name(texts[2]) ||
	    !is_clean(texts[3], SIZE_MAX))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a replacement");
	memcpy(&head, note->bytes, sizeof(head));
	if (head.kind || head.reserved)
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "replaces in an unknown way", texts[2]);
	replace = &manifest->replaces[manifest->replace_count++];
	replace->module = texts[0];
	replace->file = texts[1];
	replace->name = texts[2];
	replace->prototype = texts[3];
	replace->abi_hash = head.abi_hash;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_name(struct reader *reader,
				      const struct hp_note *note,
				      const char **names, size_t *count,
				      bool all)
{
	const char *text;

	if (!split(note, 0, &text, 1) ||
	    (!is_patch_name(text) && !(all && !strcmp(text, "*"))))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed name of another patch");
	names[(*count)++] = text;
	return HOTPATCH_OK;
}

/* A time of 0 would be taken for none. */
static enum hotpatch_status take_expires(struct reader *reader,
					 const struct hp_note *note)
{
	struct hotpatch_note_expires head = {0};
	const char *text = "";

	if (note->size >= sizeof(head))
		memcpy(&head, note->bytes, sizeof(head));
	if (!head.seconds ||
	    (note->size != sizeof(head) &&
	     !split(note, sizeof(head), &text, 1)) ||
	    *text)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of its expiry");
	reader->manifest.expires_s = head.seconds;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_callback(struct reader *reader,
					  const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_callback head;
	struct hp_callback *callback;
	const char *object;

	if (!split(note, sizeof(head), &object, 1) || !is_base_name(object))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a callback");
	memcpy(&head, note->bytes, sizeof(head));
	if (head.kind > HOTPATCH_CALLBACK_CLEAN_UP || head.reserved ||
	    (head.kind == HOTPATCH_CALLBACK_MIGRATE && *object))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a callback of an unknown kind");
	callback = &manifest->callbacks[manifest->callback_count++];
	callback->kind = (enum hotpatch_callback_kind)head.kind;
	callback->object = object;
	return HOTPATCH_OK;
}

static enum hotpatch_status take_state(struct reader *reader,
				       const struct hp_note *note)
{
	struct hp_manifest *manifest = &reader->manifest;
	struct hotpatch_note_state head;
	struct hp_state *state;
	const char *id;

	if (!split(note, sizeof(head), &id, 1) || !is_patch_name(id))
		return refuse(reader, HOTPATCH_E_NOTE,
			      "has a malformed note of a state");
	memcpy(&head, note->bytes, sizeof(head));
	if (!head.version || head.reserved)
		return refuse_text(reader, HOTPATCH_E_NOTE,
				   "gives no version of the state", id);
	state = &manifest->states[manifest->state_count++];
	state->id = id;
	state->version = head.version;
	return HOTPATCH_OK;
}

static enum hotpatch_status take(struct reader *reader,
				 const struct hp_note *note)
{
	struct hp_manifest *m = &reader->manifest;

	if (!hp_note_is(note, HOTPATCH_NOTE_OWNER, note->type))
		return HOTPATCH_OK;
	switch (note->type) {
	case HOTPATCH_NOTE_BUNDLE:
		return take_bundle(reader, note);
	case HOTPATCH_NOTE_TARGET:
		return take_target(reader, note);
	case HOTPATCH_NOTE_REPLACE:
		return take_replace(reader, note);
	case HOTPATCH_NOTE_REPLACES:
		return take_name(reader, note, m->supersedes,
				 &m->supersede_count, true);
	case HOTPATCH_NOTE_REQUIRES:
		return take_name(reader, note, m->requires, &m->require_count,
				 false);
	case HOTPATCH_NOTE_EXPIRES:
		return take_expires(reader, note);
	case HOTPATCH_NOTE_CALLBACKS:
		return take_callback(reader, note);
	case HOTPATCH_NOTE_STATE:
		return take_state(reader, note);
	default:
		return take_name(reader, note, m->conflicts, &m->conflict_count,
				 false);
	}
}

/* Sorts a copy, so that 65,536 functions do not cost their square. */
static enum hotpatch_status check_duplicates(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	struct hp_replace *sorted;
	const char *twice = NULL;
	size_t count = manifest->replace_count;
	size_t i;

	sorted = calloc(count + 1, sizeof(*sorted));
	if (!sorted)
		return refuse(reader, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory");
	for (i = 0; i < count; i++) {
		sorted[i] = manifest->replaces[i];
		if (!*sorted[i].module)
			sorted[i].module = manifest->targets[0].module;
	}
	qsort(sorted, count, sizeof(*sorted), hp_replace_compare);
	for (i = 1; i < count && !twice; i++)
		if (!hp_replace_compare(&sorted[i - 1], &sorted[i]))
			twice = sorted[i].name;
	free(sorted);
	if (twice)
		return refuse_text(reader, HOTPATCH_E_DUPLICATE,
				   "replaces more than once", twice);
	return HOTPATCH_OK;
}

static enum hotpatch_status check_replaces(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	const char *module;
	size_t i;

	if (!manifest->replace_count && manifest->kind != HOTPATCH_KIND_RESTART)
		return refuse(reader, HOTPATCH_E_NOTE, "replaces nothing");
	for (i = 0; i < manifest->replace_count; i++) {
		module = manifest->replaces[i].module;
		if (*module && !has_target(manifest, module))
			return refuse_text(reader, HOTPATCH_E_NO_TARGET,
					   "names no build of", module);
	}
	return check_duplicates(reader);
}

static bool has_state(const struct hp_manifest *manifest, const char *id,
		      size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(manifest->states[i].id, id))
			return true;
	return false;
}

static bool has_callback(const struct hp_manifest *manifest,
			 const struct hp_callback *wanted, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (manifest->callbacks[i].kind == wanted->kind &&
		    !strcmp(manifest->callbacks[i].object, wanted->object))
			return true;
	return false;
}

static enum hotpatch_status check_callback(const struct reader *reader,
					   size_t index)
{
	const struct hp_manifest *manifest = &reader->manifest;
	const struct hp_callback *callback = &manifest->callbacks[index];
	const char *object = callback->object;

	if (has_callback(manifest, callback, index))
		return refuse_text(reader, HOTPATCH_E_DUPLICATE,
				   "has two callbacks of one kind for",
				   *object ? object : "itself");
	if (callback->kind == HOTPATCH_CALLBACK_CLEAN_UP &&
	    !has_state(manifest, object, manifest->state_count))
		return refuse_text(
			reader, HOTPATCH_E_NOTE,
			"cleans up a state that it does not declare,", object);
	if (callback->kind < HOTPATCH_CALLBACK_MIGRATE && *object &&
	    !has_target(manifest, object))
		return refuse_text(reader, HOTPATCH_E_NO_TARGET,
				   "names no build of", object);
	if (callback->kind == HOTPATCH_CALLBACK_MIGRATE &&
	    manifest->consistency != HOTPATCH_RENDEZVOUS)
		return refuse(reader, HOTPATCH_E_NOTE,
			      "migrates without a rendezvous");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_calls(const struct reader *reader)
{
	const struct hp_manifest *manifest = &reader->manifest;
	enum hotpatch_status status = HOTPATCH_OK;
	size_t i;

	for (i = 0; i < manifest->callback_count && !status; i++)
		status = check_callback(reader, i);
	for (i = 0; i < manifest->state_count && !status; i++)
		if (has_state(manifest, manifest->states[i].id, i))
			status = refuse_text(reader, HOTPATCH_E_DUPLICATE,
					     "declares twice the state",
					     manifest->states[i].id);
	return status;
}

static enum hotpatch_status read_notes(struct reader *reader)
{
	enum hotpatch_status status;

	status = each_note(reader, survey);
	if (status == HOTPATCH_OK)
		status = check_survey(reader);
	if (status == HOTPATCH_OK)
		status = reserve(reader);
	if (status == HOTPATCH_OK)
		status = each_note(reader, take);
	if (status == HOTPATCH_OK)
		status = check_replaces(reader);
	if (status == HOTPATCH_OK)
		status = check_calls(reader);
	return status;
}

const char *hp_callback_name(enum hotpatch_callback_kind kind)
{
	static const char *const names[] = {
		[HOTPATCH_CALLBACK_PREPARE] = "prepare",
		[HOTPATCH_CALLBACK_COMMIT] = "commit",
		[HOTPATCH_CALLBACK_BEFORE_REVERT] = "before-revert",
		[HOTPATCH_CALLBACK_AFTER_REVERT] = "after-revert",
		[HOTPATCH_CALLBACK_MIGRATE] = "migrate",
		[HOTPATCH_CALLBACK_CLEAN_UP] = "clean-up",
	};

	return names[kind];
}

int hp_replace_compare(const void *a, const void *b)
{
	const struct hp_replace *one = a;
	const struct hp_replace *other = b;
	int order = strcmp(one->name, other->name);

	if (!order)
		order = strcmp(one->file, other->file);
	if (!order)
		order = strcmp(one->module, other->module);
	return order;
}

enum hotpatch_status hp_manifest_parse(const void *bytes, size_t size,
				       const char *object,
				       struct hp_manifest *manifest,
				       struct hotpatch_error *err)
{
	struct reader reader = {
		.bytes = bytes,
		.size = size,
		.object = object,
		.err = err,
	};
	enum hotpatch_status status;

	status = read_header(&reader);
	if (status == HOTPATCH_OK)
		status = check_segments(&reader);
	if (status == HOTPATCH_OK)
		status = check_sections(&reader);
	if (status == HOTPATCH_OK)
		status = read_dynamic(&reader);
	if (status == HOTPATCH_OK)
		status = read_notes(&reader);
	if (status != HOTPATCH_OK) {
		hp_manifest_release(&reader.manifest);
		return status;
	}
	*manifest = reader.manifest;
	return HOTPATCH_OK;
}

void hp_manifest_release(struct hp_manifest *manifest)
{
	free(manifest->targets);
	free(manifest->replaces);
	free(manifest->supersedes);
	free(manifest->requires);
	free(manifest->conflicts);
	free(manifest->callbacks);
	free(manifest->states);
	memset(manifest, 0, sizeof(*manifest));
}
