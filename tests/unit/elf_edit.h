/* SPDX-License-Identifier: MIT */
/*
 * For tests: bundles as bytes. Loads the ones that the build made, finds their
 * notes so that a test can spoil one, and makes ELF files that no linker
 * would. Trusts the bytes; the code under test must not.
 */
#ifndef ELF_EDIT_H
#define ELF_EDIT_H

#include <hotpatch/bundle.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELF_EDIT_UNUSED __attribute__((unused))

struct elf_edit {
	unsigned char *bytes;
	size_t size;
	size_t capacity;
};

/* A bundle of the build. */
ELF_EDIT_UNUSED static struct elf_edit elf_load(const char *name)
{
	struct elf_edit elf = {0};
	char path[4096];
	FILE *file;
	long size;

	snprintf(path, sizeof(path), "%s/%s", HOTPATCH_TEST_BUNDLES, name);
	file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
		abort();
	rewind(file);
	elf.size = (size_t)size;
	elf.bytes = malloc(elf.size);
	if (!elf.bytes || fread(elf.bytes, 1, elf.size, file) != elf.size)
		abort();
	fclose(file);
	return elf;
}

ELF_EDIT_UNUSED static Elf64_Ehdr *elf_header(struct elf_edit *elf)
{
	return (Elf64_Ehdr *)elf->bytes;
}

/* The segment of this type, or NULL. */
ELF_EDIT_UNUSED static Elf64_Phdr *elf_segment(struct elf_edit *elf,
					       Elf64_Word type)
{
	Elf64_Ehdr *header = elf_header(elf);
	Elf64_Phdr *segment = (Elf64_Phdr *)(elf->bytes + header->e_phoff);
	size_t i;

	for (i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == type)
			return &segment[i];
	return NULL;
}

static size_t elf_round(size_t size, size_t alignment)
{
	return (size + alignment - 1) / alignment * alignment;
}

/* The @index-th note of @owner and @type, or NULL. */
ELF_EDIT_UNUSED static Elf64_Nhdr *
elf_note(struct elf_edit *elf, const char *owner, Elf64_Word type, size_t index)
{
	Elf64_Ehdr *header = elf_header(elf);
	Elf64_Phdr *segment = (Elf64_Phdr *)(elf->bytes + header->e_phoff);
	Elf64_Nhdr *note;
	size_t at, size, i;

	for (i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_NOTE)
			continue;
		for (at = 0; at < segment[i].p_filesz; at += size) {
			note = (void *)(elf->bytes + segment[i].p_offset + at);
			size = elf_round(sizeof(*note) + note->n_namesz,
					 segment[i].p_align);
			size = elf_round(size + note->n_descsz,
					 segment[i].p_align);
			if (note->n_type == type &&
			    !strcmp((char *)(note + 1), owner) && !index--)
				return note;
		}
	}
	return NULL;
}

/* The description of the @index-th note of ours of @type. */
ELF_EDIT_UNUSED static void *elf_description(struct elf_edit *elf,
					     Elf64_Word type, size_t index)
{
	Elf64_Nhdr *note = elf_note(elf, HOTPATCH_NOTE_OWNER, type, index);

	if (!note)
		abort();
	return (unsigned char *)(note + 1) + elf_round(note->n_namesz, 4);
}

/* Makes a note one that is not ours. */
ELF_EDIT_UNUSED static void elf_disown(struct elf_edit *elf, Elf64_Word type,
				       size_t index)
{
	Elf64_Nhdr *note = elf_note(elf, HOTPATCH_NOTE_OWNER, type, index);

	if (!note)
		abort();
	((char *)(note + 1))[0] = 'X';
}

/* Writes @to over the first @from in the file from @start on; the lengths are
 * the same. */
ELF_EDIT_UNUSED static void elf_overwrite(struct elf_edit *elf, void *start,
					  const char *from, const char *to)
{
	size_t left = (size_t)(elf->bytes + elf->size - (unsigned char *)start);
	char *place = memmem(start, left, from, strlen(from));

	if (!place || strlen(from) != strlen(to))
		abort();
	memcpy(place, to, strlen(to));
}

#define ELF_MADE_NOTES 4096 /* where the notes of a made file begin */

/* A file with the three segments that are needed and no note. */
ELF_EDIT_UNUSED static struct elf_edit elf_make(Elf64_Half machine)
{
	const Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD,
		 .p_filesz = ELF_MADE_NOTES,
		 .p_memsz = ELF_MADE_NOTES,
		 .p_align = 4096},
		{.p_type = PT_DYNAMIC,
		 .p_offset = 512,
		 .p_filesz = sizeof(Elf64_Dyn),
		 .p_memsz = sizeof(Elf64_Dyn)},
		{.p_type = PT_NOTE, .p_offset = ELF_MADE_NOTES, .p_align = 4},
	};
	const Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(segments[0]),
		.e_phnum = sizeof(segments) / sizeof(segments[0]),
	};
	struct elf_edit elf = {calloc(1, ELF_MADE_NOTES), ELF_MADE_NOTES,
			       ELF_MADE_NOTES};

	if (!elf.bytes)
		abort();
	memcpy(elf.bytes, &header, sizeof(header));
	memcpy(elf.bytes + sizeof(header), segments, sizeof(segments));
	return elf;
}

/* Appends a note to a made file. */
ELF_EDIT_UNUSED static void elf_append(struct elf_edit *elf, Elf64_Word type,
				       const void *description, size_t size)
{
	const Elf64_Nhdr head = {sizeof(HOTPATCH_NOTE_OWNER), (Elf64_Word)size,
				 type};
	size_t owner_size = elf_round(sizeof(HOTPATCH_NOTE_OWNER), 4);
	size_t all = sizeof(head) + owner_size + elf_round(size, 4);
	unsigned char *at;

	if (elf->size + all > elf->capacity) {
		elf->capacity = 2 * (elf->size + all);
		elf->bytes = realloc(elf->bytes, elf->capacity);
		if (!elf->bytes)
			abort();
	}
	at = elf->bytes + elf->size;
	memset(at, 0, all);
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), HOTPATCH_NOTE_OWNER,
	       sizeof(HOTPATCH_NOTE_OWNER));
	memcpy(at + sizeof(head) + owner_size, description, size);
	elf->size += all;
	elf_segment(elf, PT_NOTE)->p_filesz += all;
	elf_segment(elf, PT_NOTE)->p_memsz += all;
}

/* A made file with a name, a target and @count functions, each replaced once:
 * f0, f1 and so on. */
ELF_EDIT_UNUSED static struct elf_edit elf_make_bundle(Elf64_Half machine,
						       size_t count)
{
	struct {
		struct hotpatch_note_bundle head;
		char name[5];
	} bundle = {{.format = HOTPATCH_NOTE_FORMAT}, "made"};
	struct elf_edit elf = elf_make(machine);
	char replace[64];
	size_t head = sizeof(struct hotpatch_note_replace);
	size_t i;

	elf_append(&elf, HOTPATCH_NOTE_BUNDLE, &bundle,
		   sizeof(bundle.head) + sizeof(bundle.name));
	elf_append(&elf, HOTPATCH_NOTE_TARGET, "\0000123456789abcdef", 18);
	for (i = 0; i < count; i++) {
		memset(replace, 0, sizeof(replace));
		/* No module, no file, a name and a prototype. */
		head = sizeof(struct hotpatch_note_replace) + 2;
		head += (size_t)sprintf(replace + head, "f%zu", i) + 1;
		head += (size_t)sprintf(replace + head, "int (int a)") + 1;
		elf_append(&elf, HOTPATCH_NOTE_REPLACE, replace, head);
	}
	return elf;
}

#endif
