/* SPDX-License-Identifier: MIT */
/*
 * Rows that are no bundle at all, or not all of one, or that the loader does
 * not take. All are signed where a signature can be made.
 */
#include "table.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void take(const char *name)
{
	free(world.elf.bytes);
	world.elf = elf_load(name);
}

static void no_magic(void)
{
	world.elf.bytes[1] = 'X';
}

static void other_class(void)
{
	world.elf.bytes[EI_CLASS] = ELFCLASS32;
}

static void other_byte_order(void)
{
	world.elf.bytes[EI_DATA] = ELFDATA2MSB;
}

static void other_version(void)
{
	world.elf.bytes[EI_VERSION] = 9;
}

static void other_machine(void)
{
	elf_header(&world.elf)->e_machine = EM_SPARCV9;
}

static void executable(void)
{
	elf_header(&world.elf)->e_type = ET_EXEC;
}

static void no_segments(void)
{
	elf_header(&world.elf)->e_phnum = 0;
}

static void odd_segments(void)
{
	elf_header(&world.elf)->e_phentsize = 8;
}

static void segments_beyond_the_end(void)
{
	elf_header(&world.elf)->e_phoff = UINT64_MAX - 64;
}

static void sections_beyond_the_end(void)
{
	elf_header(&world.elf)->e_shoff = world.elf.size;
}

static void code_beyond_the_end(void)
{
	elf_segment(&world.elf, PT_LOAD)->p_filesz = world.elf.size + 1;
}

static void smaller_in_memory(void)
{
	elf_segment(&world.elf, PT_LOAD)->p_memsz = 1;
}

static void no_dynamic_segment(void)
{
	elf_segment(&world.elf, PT_DYNAMIC)->p_type = PT_NULL;
}

static void empty(void)
{
	world.elf.size = 0;
}

static void header_alone(void)
{
	world.elf.size = sizeof(Elf64_Ehdr);
}

static void half_a_file(void)
{
	world.elf.size /= 2;
}

static void last_byte_missing(void)
{
	world.elf.size--;
}

static void unbound(void)
{
	take("unbound.so");
}

static void constructor(void)
{
	take("constructor.so");
}

static void eager(void)
{
	take("eager.so");
}

static void plain(void)
{
	take("plain.so");
}

static void remove_bundle(void)
{
	unlink(world.bundle);
}

static void become_directory(void)
{
	unlink(world.bundle);
	mkdir(world.bundle, 0700);
}

static void become_pipe(void)
{
	unlink(world.bundle);
	mkfifo(world.bundle, 0600);
}

static void become_link(void)
{
	char target[160];

	snprintf(target, sizeof(target), "%s/behind.so", world.root);
	rename(world.bundle, target);
	if (symlink(target, world.bundle))
		abort();
}

static void become_huge(void)
{
	if (truncate(world.bundle, ((off_t)256 << 20) + 1))
		abort();
}

static void swap(void)
{
	swap_with = "other.so";
}

static void swap_no_more(void)
{
	swap_with = NULL;
}

static const struct bad_bundle rows[] = {
	{.promise = "file_that_is_no_elf",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = no_magic},
	{.promise = "file_of_32_bits",
	 .expected = HOTPATCH_E_MACHINE,
	 .word = "bad.so",
	 .spoil = other_class},
	{.promise = "file_of_another_byte_order",
	 .expected = HOTPATCH_E_MACHINE,
	 .word = "bad.so",
	 .spoil = other_byte_order},
	{.promise = "file_for_another_machine",
	 .expected = HOTPATCH_E_MACHINE,
	 .word = "bad.so",
	 .spoil = other_machine},
	{.promise = "elf_of_an_unknown_version",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = other_version},
	{.promise = "executable",
	 .expected = HOTPATCH_E_NOT_BUNDLE,
	 .word = "shared object",
	 .spoil = executable},
	{.promise = "file_without_segments",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = no_segments},
	{.promise = "segments_of_an_odd_size",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = odd_segments},
	{.promise = "segments_beyond_the_end",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = segments_beyond_the_end},
	{.promise = "sections_beyond_the_end",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = sections_beyond_the_end},
	{.promise = "code_beyond_the_end",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = code_beyond_the_end},
	{.promise = "segment_that_is_smaller_in_memory",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = smaller_in_memory},
	{.promise = "file_without_a_dynamic_segment",
	 .expected = HOTPATCH_E_NOT_BUNDLE,
	 .word = "bad.so",
	 .spoil = no_dynamic_segment},
	{.promise = "file_that_is_empty",
	 .expected = HOTPATCH_E_NOT_ELF,
	 .word = "bad.so",
	 .spoil = empty},
	{.promise = "header_without_a_file",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = header_alone},
	{.promise = "half_a_file",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = half_a_file},
	{.promise = "file_without_its_last_byte",
	 .expected = HOTPATCH_E_TRUNCATED,
	 .word = "bad.so",
	 .spoil = last_byte_missing},
	{.promise = "call_of_what_is_nowhere",
	 .expected = HOTPATCH_E_LOAD,
	 .word = "price_of_nowhere",
	 .spoil = unbound},
	{.promise = "constructor_that_nobody_asked_for",
	 .expected = HOTPATCH_E_CONSTRUCTOR,
	 .word = "constructor",
	 .spoil = constructor},
	{.promise = "constructor_whose_patch_wants_another_first",
	 .expected = HOTPATCH_E_REQUIRES,
	 .word = "another",
	 .spoil = eager},
	{.promise = "shared_object_without_notes",
	 .expected = HOTPATCH_E_NOT_BUNDLE,
	 .word = "bad.so",
	 .spoil = plain},
	{.promise = "file_that_is_missing",
	 .expected = HOTPATCH_E_NOT_FOUND,
	 .word = "bad.so",
	 .then = remove_bundle},
	{.promise = "directory",
	 .expected = HOTPATCH_E_NOT_REGULAR,
	 .word = "bad.so",
	 .then = become_directory},
	{.promise = "pipe",
	 .expected = HOTPATCH_E_NOT_REGULAR,
	 .word = "bad.so",
	 .then = become_pipe},
	{.promise = "link",
	 .expected = HOTPATCH_E_NOT_REGULAR,
	 .word = "link",
	 .then = become_link},
	{.promise = "file_that_is_huge",
	 .expected = HOTPATCH_E_TOO_LARGE,
	 .word = "256 MiB",
	 .then = become_huge},
	{.promise = "copy_that_is_swapped_while_it_is_loaded",
	 .expected = HOTPATCH_E_SWAPPED,
	 .word = "build-id",
	 .then = swap,
	 .mend = swap_no_more},
};

BAD_GROUP(file_rows, rows);
