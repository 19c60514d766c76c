/* SPDX-License-Identifier: MIT */
/*
 * Symbols are found by section headers, which also stripped files keep; what
 * has none has no symbols here. Structures are copied out before they are read,
 * because a file may put them anywhere.
 */
#include "file.h"

#include "../note.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define RELATIVE R_X86_64_RELATIVE
#else
#define MACHINE EM_AARCH64
#define RELATIVE R_AARCH64_RELATIVE
#endif

static bool lies_inside(const struct hp_elf *elf, uint64_t offset,
			uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

static bool read_segment(const struct hp_elf *elf, size_t index,
			 Elf64_Phdr *segment)
{
	uint64_t offset = elf->header.e_phoff + index * sizeof(*segment);

	if (index >= elf->header.e_phnum ||
	    !lies_inside(elf, offset, sizeof(*segment)))
		return false;
	memcpy(segment, elf->bytes + offset, sizeof(*segment));
	return lies_inside(elf, segment->p_offset, segment->p_filesz) ||
	       segment->p_type != PT_LOAD;
}

static bool read_section(const struct hp_elf *elf, size_t index,
			 Elf64_Shdr *section)
{
	uint64_t offset = elf->header.e_shoff + index * sizeof(*section);

	if (index >= elf->header.e_shnum ||
	    !lies_inside(elf, offset, sizeof(*section)))
		return false;
	memcpy(section, elf->bytes + offset, sizeof(*section));
	return section->sh_type == SHT_NOBITS ||
	       lies_inside(elf, section->sh_offset, section->sh_size);
}

static void read_notes(struct hp_elf *elf, const Elf64_Phdr *segment)
{
	struct hp_note_walk walk = {.alignment = segment->p_align};
	struct hp_note note;

	if (!lies_inside(elf, segment->p_offset, segment->p_filesz))
		return;
	walk.at = elf->bytes + segment->p_offset;
	walk.left = segment->p_filesz;
	while (!elf->build_id[0] && hp_note_next(&walk, &note))
		if (hp_note_is(&note, "GNU", NT_GNU_BUILD_ID))
			hp_note_build_id(&note, elf->build_id);
}

static void read_segments(struct hp_elf *elf)
{
	Elf64_Phdr segment;
	size_t i;

	elf->text_start = UINT64_MAX;
	for (i = 0; read_segment(elf, i, &segment); i++) {
		if (segment.p_type == PT_NOTE)
			read_notes(elf, &segment);
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X))
			continue;
		if (segment.p_vaddr < elf->text_start)
			elf->text_start = segment.p_vaddr;
		if (segment.p_vaddr + segment.p_filesz > elf->text_stop)
			elf->text_stop = segment.p_vaddr + segment.p_filesz;
	}
	if (elf->text_start > elf->text_stop)
		elf->text_start = elf->text_stop;
}

static bool read_header(struct hp_elf *elf)
{
	Elf64_Ehdr *header = &elf->header;

	if (elf->size < sizeof(*header))
		return false;
	memcpy(header, elf->bytes, sizeof(*header));
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_machine == MACHINE &&
	       (!header->e_phnum ||
		header->e_phentsize == sizeof(Elf64_Phdr)) &&
	       (!header->e_shnum || header->e_shentsize == sizeof(Elf64_Shdr));
}

static bool map_file(int fd, struct hp_elf *elf)
{
	struct stat facts;
	void *bytes;

	if (fstat(fd, &facts) != 0)
		return false;
	errno = ENOEXEC;
	if (!S_ISREG(facts.st_mode) || facts.st_size <= 0)
		return false;
	elf->size = (size_t)facts.st_size;
	bytes = mmap(NULL, elf->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	elf->bytes = bytes;
	return true;
}

bool hp_elf_open(const char *path, struct hp_elf *elf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool mapped;

	memset(elf, 0, sizeof(*elf));
	if (fd < 0)
		return false;
	mapped = map_file(fd, elf);
	close(fd);
	if (!mapped)
		return false;
	if (!read_header(elf)) {
		hp_elf_close(elf);
		errno = ENOEXEC;
		return false;
	}
	read_segments(elf);
	return true;
}

void hp_elf_close(struct hp_elf *elf)
{
	if (elf->bytes)
		munmap((void *)elf->bytes, elf->size);
	elf->bytes = NULL;
}

/* The loaded segment whose bytes in the file hold @address. */
static bool find_load(const struct hp_elf *elf, uint64_t address,
		      Elf64_Phdr *segment)
{
	size_t i;

	for (i = 0; read_segment(elf, i, segment); i++)
		if (segment->p_type == PT_LOAD &&
		    address - segment->p_vaddr < segment->p_filesz)
			return true;
	return false;
}

uint64_t hp_elf_left(const struct hp_elf *elf, uint64_t address)
{
	Elf64_Phdr segment;

	if (!find_load(elf, address, &segment))
		return 0;
	return segment.p_filesz - (address - segment.p_vaddr);
}

const unsigned char *hp_elf_at(const struct hp_elf *elf, uint64_t address,
			       uint64_t size)
{
	Elf64_Phdr segment;

	if (!find_load(elf, address, &segment) ||
	    size > segment.p_filesz - (address - segment.p_vaddr))
		return NULL;
	return elf->bytes + segment.p_offset + (address - segment.p_vaddr);
}

bool hp_elf_is_code(const struct hp_elf *elf, uint64_t address)
{
	Elf64_Phdr segment;

	return find_load(elf, address, &segment) && (segment.p_flags & PF_X);
}

/* The name of a section, or "". */
static const char *section_name(const struct hp_elf *elf,
				const Elf64_Shdr *section)
{
	Elf64_Shdr names;
	const char *texts;

	if (!read_section(elf, elf->header.e_shstrndx, &names) ||
	    names.sh_type != SHT_STRTAB || section->sh_name >= names.sh_size)
		return "";
	texts = (const char *)elf->bytes + names.sh_offset;
	return texts[names.sh_size - 1] ? "" : texts + section->sh_name;
}

bool hp_elf_is_linkage(const struct hp_elf *elf, uint64_t address)
{
	Elf64_Shdr section;
	size_t i;

	for (i = 0; i < elf->header.e_shnum; i++)
		if (read_section(elf, i, &section) &&
		    (section.sh_flags & SHF_EXECINSTR) &&
		    address - section.sh_addr < section.sh_size)
			return strncmp(section_name(elf, &section), ".plt",
				       4) == 0;
	return false;
}

bool hp_elf_segment(const struct hp_elf *elf, uint32_t type,
		    Elf64_Phdr *segment)
{
	size_t i;

	for (i = 0; read_segment(elf, i, segment); i++)
		if (segment->p_type == type)
			return true;
	return false;
}

/* The versions of the symbols of table @index: 16 bits for each, the uppermost
 * of which is set where another version is the one to link against. */
static const unsigned char *find_versions(const struct hp_elf *elf,
					  size_t index, uint64_t *count)
{
	Elf64_Shdr section;
	size_t i;

	*count = 0;
	for (i = 0; i < elf->header.e_shnum; i++) {
		if (!read_section(elf, i, &section) ||
		    section.sh_type != SHT_GNU_versym ||
		    section.sh_link != index)
			continue;
		*count = section.sh_size / 2;
		return elf->bytes + section.sh_offset;
	}
	return NULL;
}

static bool each_of_table(const struct hp_elf *elf, size_t index,
			  const Elf64_Shdr *table, hp_elf_symbol_visitor visit,
			  void *argument)
{
	const unsigned char *at = elf->bytes + table->sh_offset;
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);
	const unsigned char *versions;
	uint64_t version_count;
	Elf64_Shdr strings;
	Elf64_Sym symbol;
	const char *texts;
	uint64_t i;

	if (!read_section(elf, table->sh_link, &strings) ||
	    strings.sh_type != SHT_STRTAB || !strings.sh_size)
		return true;
	texts = (const char *)elf->bytes + strings.sh_offset;
	if (texts[strings.sh_size - 1])
		return true;
	versions = find_versions(elf, index, &version_count);
	for (i = 0; i < count; i++, at += sizeof(symbol)) {
		memcpy(&symbol, at, sizeof(symbol));
		if (symbol.st_name < strings.sh_size &&
		    !visit(&symbol, texts + symbol.st_name,
			   i < version_count && (versions[2 * i + 1] & 0x80),
			   argument))
			return false;
	}
	return true;
}

bool hp_elf_each_symbol(const struct hp_elf *elf, uint32_t type,
			hp_elf_symbol_visitor visit, void *argument)
{
	Elf64_Shdr section;
	size_t i;

	for (i = 0; i < elf->header.e_shnum; i++)
		if (read_section(elf, i, &section) && section.sh_type == type &&
		    !each_of_table(elf, i, &section, visit, argument))
			return false;
	return true;
}

bool hp_elf_each_pointer(const struct hp_elf *elf, hp_elf_pointer_visitor visit,
			 void *argument)
{
	const unsigned char *at;
	Elf64_Shdr section;
	Elf64_Rela entry;
	uint64_t left;
	size_t i;

	for (i = 0; i < elf->header.e_shnum; i++) {
		if (!read_section(elf, i, &section) ||
		    section.sh_type != SHT_RELA)
			continue;
		at = elf->bytes + section.sh_offset;
		left = section.sh_size / sizeof(entry);
		for (; left; left--, at += sizeof(entry)) {
			memcpy(&entry, at, sizeof(entry));
			if (ELF64_R_TYPE(entry.r_info) == RELATIVE &&
			    !visit((uint64_t)entry.r_addend, argument))
				return false;
		}
	}
	return true;
}
