/* SPDX-License-Identifier: MIT */
/*
 * The bounded view of an ELF file on disk: segments, symbols and notes.
 * Addresses are those of the file, before it is loaded. Nothing outside the
 * file is read, whatever it says.
 */
#ifndef HP_REDIRECT_FILE_H
#define HP_REDIRECT_FILE_H

#include <hotpatch/patch.h>

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hp_elf {
	const unsigned char *bytes;
	size_t size;
	Elf64_Ehdr header;
	char build_id[HOTPATCH_BUILD_ID_SIZE]; /* "" if it has none */
	uint64_t text_start; /* the executable segments, from first to last */
	uint64_t text_stop;
};

/* Maps the file; false, with errno, if it cannot be read or is not an ELF file
 * of this machine's kind. */
bool hp_elf_open(const char *path, struct hp_elf *elf);
void hp_elf_close(struct hp_elf *elf);

/* @size bytes at @address, or NULL if the file does not hold them. */
const unsigned char *hp_elf_at(const struct hp_elf *elf, uint64_t address,
			       uint64_t size);
/* How many bytes the file holds from @address on. */
uint64_t hp_elf_left(const struct hp_elf *elf, uint64_t address);
bool hp_elf_is_code(const struct hp_elf *elf, uint64_t address);

/* Does it lie in a linkage table, .plt and its like? */
bool hp_elf_is_linkage(const struct hp_elf *elf, uint64_t address);

/* The first segment of that type. */
bool hp_elf_segment(const struct hp_elf *elf, uint32_t type,
		    Elf64_Phdr *segment);

/* @superseded: a version of the symbol that is kept for old programs. */
typedef bool (*hp_elf_symbol_visitor)(const Elf64_Sym *symbol, const char *name,
				      bool superseded, void *argument);

/* Calls @visit for each symbol of the tables of @type, SHT_DYNSYM or
 * SHT_SYMTAB, until it returns false; false then. */
bool hp_elf_each_symbol(const struct hp_elf *elf, uint32_t type,
			hp_elf_symbol_visitor visit, void *argument);

typedef bool (*hp_elf_pointer_visitor)(uint64_t target, void *argument);

/* The same for each address that a relocation without a symbol stores. */
bool hp_elf_each_pointer(const struct hp_elf *elf, hp_elf_pointer_visitor visit,
			 void *argument);

#endif
