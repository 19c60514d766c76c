/* SPDX-License-Identifier: MIT */
/*
 * Nothing in the bytes is believed: each offset, size, count and alignment is
 * compared with the file before it is used, and integers are copied out, never
 * cast, because the bytes may lie anywhere.
 */
#include "elf_file.h"

#include "status.h"

#include <string.h>

#define SEGMENT_LIMIT 1024

/* The ELF header of whatever this is linked into: it tells the machine. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

enum hotpatch_status hp_elf_refuse(const struct hp_elf *elf,
				   enum hotpatch_status status,
				   const char *what)
{
	return hp_error(elf->err, status, 0, elf->object, "%s %s", elf->object,
			what);
}

/* True if @size bytes at @offset lie in the file; they cannot wrap round. */
static bool lies_inside(const struct hp_elf *elf, uint64_t offset,
			uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

static bool is_power_of_two(uint64_t number)
{
	return number && !(number & (number - 1));
}

static void read_segment(const struct hp_elf *elf, size_t index,
			 Elf64_Phdr *segment)
{
	memcpy(segment,
	       elf->bytes + elf->header.e_phoff + index * sizeof(*segment),
	       sizeof(*segment));
}

static enum hotpatch_status read_header(struct hp_elf *elf)
{
	Elf64_Ehdr *header = &elf->header;

	if (elf->size < SELFMAG || memcmp(elf->bytes, ELFMAG, SELFMAG) != 0)
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_ELF,
				     "is not an ELF file");
	if (elf->size < sizeof(*header))
		return hp_elf_refuse(elf, HOTPATCH_E_TRUNCATED,
				     "ends inside its ELF header");
	memcpy(header, elf->bytes, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != __ehdr_start.e_machine)
		return hp_elf_refuse(elf, HOTPATCH_E_MACHINE,
				     "is built for another machine");
	if (header->e_type != ET_DYN)
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_BUNDLE,
				     "is not a shared object");
	if (header->e_ident[EI_VERSION] != EV_CURRENT ||
	    header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum > SEGMENT_LIMIT)
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_ELF,
				     "has an ELF header that makes no sense");
	return HOTPATCH_OK;
}

/*
 * The linker writes the section headers last, so that a file whose tail was
 * cut off shows itself here. Nothing else is read from them.
 */
static enum hotpatch_status check_sections(const struct hp_elf *elf)
{
	const Elf64_Ehdr *header = &elf->header;
	Elf64_Shdr first;
	uint64_t count = header->e_shnum;

	if (!header->e_shoff)
		return HOTPATCH_OK;
	if (header->e_shentsize != sizeof(first))
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_ELF,
				     "has section headers of an unknown size");
	if (!lies_inside(elf, header->e_shoff, sizeof(first)))
		return hp_elf_refuse(elf, HOTPATCH_E_TRUNCATED,
				     "ends before its section headers");
	if (!count) {
		/* 65,280 sections and more are counted in the first header. */
		memcpy(&first, elf->bytes + header->e_shoff, sizeof(first));
		count = first.sh_size;
	}
	if (count > elf->size / sizeof(first) ||
	    !lies_inside(elf, header->e_shoff, count * sizeof(first)))
		return hp_elf_refuse(elf, HOTPATCH_E_TRUNCATED,
				     "ends inside its section headers");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_segment(const struct hp_elf *elf,
					  const Elf64_Phdr *segment)
{
	if (segment->p_type != PT_LOAD && segment->p_type != PT_NOTE &&
	    segment->p_type != PT_DYNAMIC)
		return HOTPATCH_OK;
	if (!lies_inside(elf, segment->p_offset, segment->p_filesz))
		return hp_elf_refuse(elf, HOTPATCH_E_TRUNCATED,
				     "ends inside one of its segments");
	if (segment->p_filesz > segment->p_memsz ||
	    segment->p_vaddr + segment->p_memsz < segment->p_vaddr ||
	    (segment->p_align && !is_power_of_two(segment->p_align)))
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_ELF,
				     "has a segment that makes no sense");
	return HOTPATCH_OK;
}

static enum hotpatch_status check_segments(const struct hp_elf *elf)
{
	enum hotpatch_status status;
	Elf64_Phdr segment;
	uint64_t note_bytes = 0;
	size_t loads = 0;
	size_t i;

	if (!lies_inside(elf, elf->header.e_phoff,
			 elf->header.e_phnum * sizeof(segment)))
		return hp_elf_refuse(elf, HOTPATCH_E_TRUNCATED,
				     "ends inside its program headers");
	for (i = 0; i < elf->header.e_phnum; i++) {
		read_segment(elf, i, &segment);
		status = check_segment(elf, &segment);
		if (status != HOTPATCH_OK)
			return status;
		loads += segment.p_type == PT_LOAD;
		if (segment.p_type == PT_NOTE)
			note_bytes += segment.p_filesz;
	}
	/* Segments that overlap could make the walk as long as they like. */
	if (!loads || note_bytes > elf->size)
		return hp_elf_refuse(elf, HOTPATCH_E_NOT_ELF,
				     "has program headers that make no sense");
	return HOTPATCH_OK;
}

/*
 * How many functions the loader would call. The linker's start files give
 * every object with a DT_INIT one entry of their own. Where that entry is
 * missing, DT_INIT itself is not theirs.
 */
static size_t count_constructors(const struct hp_elf *elf,
				 const Elf64_Phdr *dynamic)
{
	const unsigned char *at = elf->bytes + dynamic->p_offset;
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

static enum hotpatch_status read_dynamic(struct hp_elf *elf)
{
	Elf64_Phdr segment;
	size_t found = 0;
	size_t i;

	for (i = 0; i < elf->header.e_phnum; i++) {
		read_segment(elf, i, &segment);
		if (segment.p_type != PT_DYNAMIC)
			continue;
		elf->constructors = count_constructors(elf, &segment);
		found++;
	}
	if (found != 1)
		return hp_elf_refuse(
			elf, HOTPATCH_E_NOT_BUNDLE,
			"is not a shared object that can be loaded");
	return HOTPATCH_OK;
}

enum hotpatch_status
hp_elf_each_note(const struct hp_elf *elf,
		 enum hotpatch_status (*visit)(void *context,
					       const struct hp_note *note),
		 void *context)
{
	enum hotpatch_status status;
	struct hp_note_walk walk;
	struct hp_note note;
	Elf64_Phdr segment;
	size_t i;

	for (i = 0; i < elf->header.e_phnum; i++) {
		read_segment(elf, i, &segment);
		if (segment.p_type != PT_NOTE)
			continue;
		walk.at = elf->bytes + segment.p_offset;
		walk.left = segment.p_filesz;
		walk.alignment = segment.p_align;
		while (hp_note_next(&walk, &note)) {
			status = visit(context, &note);
			if (status != HOTPATCH_OK)
				return status;
		}
		if (walk.left)
			return hp_elf_refuse(elf, HOTPATCH_E_NOTE,
					     "has a note that does not fit its "
					     "place");
	}
	return HOTPATCH_OK;
}

enum hotpatch_status hp_elf_read(struct hp_elf *elf)
{
	enum hotpatch_status status;

	status = read_header(elf);
	if (status == HOTPATCH_OK)
		status = check_segments(elf);
	if (status == HOTPATCH_OK)
		status = check_sections(elf);
	if (status == HOTPATCH_OK)
		status = read_dynamic(elf);
	return status;
}
