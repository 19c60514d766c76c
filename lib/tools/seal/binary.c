/* SPDX-License-Identifier: MIT */
/*
 * Opening a file, finding its debugging information by build-id or by its
 * debug link, and reading symbols and the dynamic section.
 */
#include "binary.h"

#include "../../note.h"
#include "../../status.h"

#include <elf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUG_ROOT "/usr/lib/debug"

/* The machine that this command was built for; bundles are for the same. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

const char *hp_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void *hp_array_add(struct hp_array *array, size_t size)
{
	size_t room = array->room ? 2 * array->room : 64;
	void *items;

	if (array->count == array->room) {
		items = reallocarray(array->items, room, size);
		if (!items)
			return NULL;
		array->items = items;
		array->room = room;
	}
	items = (char *)array->items + array->count++ * size;
	memset(items, 0, size);
	return items;
}

static enum hotpatch_status refuse(const struct hp_binary *binary,
				   enum hotpatch_status status,
				   const char *what, struct hotpatch_error *err)
{
	return hp_error(err, status, 0, binary->path, "%s %s", binary->path,
			what);
}

static enum hotpatch_status open_file(struct hp_binary *binary,
				      struct hotpatch_error *err)
{
	int cause;

	binary->fd = open(binary->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (binary->fd >= 0)
		return HOTPATCH_OK;
	cause = errno;
	return hp_error(err,
			cause == EACCES || cause == EPERM ?
				HOTPATCH_E_PERMISSION :
				HOTPATCH_E_NOT_FOUND,
			cause, binary->path, "%s cannot be opened: %s",
			binary->path, strerror(cause));
}

static bool has_segment(const struct hp_binary *binary, GElf_Word type,
			GElf_Phdr *segment)
{
	size_t count;
	size_t i;

	if (elf_getphdrnum(binary->elf, &count))
		return false;
	for (i = 0; i < count; i++)
		if (gelf_getphdr(binary->elf, (int)i, segment) &&
		    segment->p_type == type)
			return true;
	return false;
}

static void read_build_id(struct hp_binary *binary)
{
	struct hp_note_walk walk;
	struct hp_note note;
	GElf_Phdr segment;
	Elf_Data *data;
	size_t count;
	size_t i;

	if (elf_getphdrnum(binary->elf, &count))
		return;
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(binary->elf, (int)i, &segment) ||
		    segment.p_type != PT_NOTE)
			continue;
		data = elf_getdata_rawchunk(binary->elf,
					    (int64_t)segment.p_offset,
					    segment.p_filesz, ELF_T_BYTE);
		if (!data || !data->d_buf)
			continue;
		walk.at = data->d_buf;
		walk.left = data->d_size;
		walk.alignment = segment.p_align;
		while (hp_note_next(&walk, &note))
			if (hp_note_is(&note, "GNU", NT_GNU_BUILD_ID))
				hp_note_build_id(&note, binary->build_id);
	}
}

static void keep_first(void *context, const char *text)
{
	char **place = context;

	if (!*place)
		*place = strdup(text);
}

/* As HotpatchTarget.cmake and the dynamic loader name it. */
static enum hotpatch_status read_module(struct hp_binary *binary,
					struct hotpatch_error *err)
{
	GElf_Phdr segment;
	GElf_Ehdr header;

	if (!gelf_getehdr(binary->elf, &header))
		return refuse(binary, HOTPATCH_E_NOT_ELF,
			      "has an ELF header that makes no sense", err);
	if (header.e_type == ET_EXEC ||
	    has_segment(binary, PT_INTERP, &segment))
		binary->module = strdup("");
	else
		hp_binary_dynamic(binary, DT_SONAME, keep_first,
				  &binary->module);
	if (!binary->module)
		binary->module = strdup(hp_base_name(binary->path));
	return binary->module ?
		       HOTPATCH_OK :
		       refuse(binary, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory", err);
}

static enum hotpatch_status check_machine(const struct hp_binary *binary,
					  struct hotpatch_error *err)
{
	GElf_Ehdr header;

	if (elf_kind(binary->elf) != ELF_K_ELF ||
	    !gelf_getehdr(binary->elf, &header))
		return refuse(binary, HOTPATCH_E_NOT_ELF, "is not an ELF file",
			      err);
	if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != __ehdr_start.e_machine)
		return refuse(binary, HOTPATCH_E_MACHINE,
			      "is built for another machine", err);
	if (header.e_type != ET_DYN && header.e_type != ET_EXEC)
		return refuse(binary, HOTPATCH_E_NOT_ELF,
			      "is neither a program nor a shared object", err);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_binary_open(struct hp_binary *binary, const char *path,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status;

	memset(binary, 0, sizeof(*binary));
	binary->path = path;
	binary->debug_fd = -1;
	elf_version(EV_CURRENT);
	status = open_file(binary, err);
	if (status != HOTPATCH_OK)
		return status;
	binary->elf = elf_begin(binary->fd, ELF_C_READ_MMAP, NULL);
	if (!binary->elf)
		return refuse(binary, HOTPATCH_E_NOT_ELF, "is not an ELF file",
			      err);
	status = check_machine(binary, err);
	if (status != HOTPATCH_OK)
		return status;
	read_build_id(binary);
	return read_module(binary, err);
}

static bool has_types(Dwarf *dwarf)
{
	Dwarf_Off next;
	size_t size;

	return dwarf && !dwarf_nextcu(dwarf, 0, &next, &size, NULL, NULL, NULL);
}

static bool same_build(const struct hp_binary *binary, Elf *elf)
{
	struct hp_binary other = {.elf = elf};

	read_build_id(&other);
	if (!*other.build_id) {
		/* Debug files of some tools have no segments with contents. */
		const void *bytes;
		ssize_t size = dwelf_elf_gnu_build_id(elf, &bytes);
		struct hp_note note = {.bytes = bytes, .size = (size_t)size};

		if (size > 0)
			hp_note_build_id(&note, other.build_id);
	}
	return *binary->build_id && !strcmp(binary->build_id, other.build_id);
}

/* Takes the file if it has debugging information of this very build. */
static bool try_debug(struct hp_binary *binary, const char *path)
{
	binary->debug_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (binary->debug_fd < 0)
		return false;
	binary->debug_elf = elf_begin(binary->debug_fd, ELF_C_READ_MMAP, NULL);
	if (binary->debug_elf && same_build(binary, binary->debug_elf))
		binary->dwarf =
			dwarf_begin_elf(binary->debug_elf, DWARF_C_READ, NULL);
	if (has_types(binary->dwarf))
		return true;
	dwarf_end(binary->dwarf);
	elf_end(binary->debug_elf);
	close(binary->debug_fd);
	binary->dwarf = NULL;
	binary->debug_elf = NULL;
	binary->debug_fd = -1;
	return false;
}

static bool try_build_id(struct hp_binary *binary, const char *directory)
{
	char path[PATH_MAX];

	if (strlen(binary->build_id) < 3)
		return false;
	snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", directory,
		 binary->build_id, binary->build_id + 2);
	return try_debug(binary, path);
}

/* The debug link's name beside the file, below it, and in @directory. */
static bool try_link(struct hp_binary *binary, const char *directory)
{
	const char *name =
		dwelf_elf_gnu_debuglink(binary->elf, &(GElf_Word){0});
	char folder[PATH_MAX];
	char path[3 * PATH_MAX];

	if (!name || strchr(name, '/') || !realpath(binary->path, folder))
		return false;
	*strrchr(folder, '/') = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (try_debug(binary, path))
		return true;
	snprintf(path, sizeof(path), "%s/.debug/%s", folder, name);
	if (try_debug(binary, path))
		return true;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (try_debug(binary, path))
		return true;
	snprintf(path, sizeof(path), "%s%s/%s", directory, folder, name);
	return try_debug(binary, path);
}

static bool find_debug(struct hp_binary *binary, const char *directory)
{
	binary->dwarf = dwarf_begin_elf(binary->elf, DWARF_C_READ, NULL);
	if (has_types(binary->dwarf))
		return true;
	dwarf_end(binary->dwarf);
	binary->dwarf = NULL;
	if (directory &&
	    (try_build_id(binary, directory) || try_link(binary, directory)))
		return true;
	return try_build_id(binary, DEBUG_ROOT) || try_link(binary, DEBUG_ROOT);
}

enum hotpatch_status hp_binary_read_debug(struct hp_binary *binary,
					  const char *directory,
					  struct hotpatch_error *err)
{
	if (!find_debug(binary, directory))
		return refuse(binary, HOTPATCH_E_NO_DEBUG,
			      "has no debugging information, nor is there a "
			      "file with it; --debug-dir tells where to look",
			      err);
	if (!hp_index_build(binary))
		return refuse(binary, HOTPATCH_E_NO_MEMORY,
			      "could not be read for want of memory", err);
	if (binary->damaged)
		return refuse(binary, HOTPATCH_E_NO_DEBUG,
			      "has debugging information that is damaged", err);
	return HOTPATCH_OK;
}

void hp_binary_close(struct hp_binary *binary)
{
	free(binary->functions.items);
	free(binary->sites.items);
	free(binary->variables.items);
	free(binary->definitions.items);
	dwarf_end(binary->dwarf);
	elf_end(binary->debug_elf);
	elf_end(binary->elf);
	if (binary->fd > 0)
		close(binary->fd);
	if (binary->debug_fd > 0)
		close(binary->debug_fd);
	free(binary->module);
	memset(binary, 0, sizeof(*binary));
}

static Elf_Scn *find_section(Elf *elf, GElf_Word type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while (elf && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

void hp_binary_symbols(const struct hp_binary *binary, bool dynamic,
		       hp_symbol_visit visit, void *context)
{
	GElf_Word type = dynamic ? SHT_DYNSYM : SHT_SYMTAB;
	Elf *elf = binary->elf;
	Elf_Scn *section;
	GElf_Shdr header;
	Elf_Data *data;
	const char *name;
	GElf_Sym symbol;
	int i;

	section = find_section(elf, type, &header);
	if (!section && !dynamic) {
		elf = binary->debug_elf;
		section = find_section(elf, type, &header);
	}
	data = section ? elf_getdata(section, NULL) : NULL;
	if (!data)
		return;
	for (i = 1; gelf_getsym(data, i, &symbol); i++) {
		name = elf_strptr(elf, header.sh_link, symbol.st_name);
		if (name && !visit(context, name, &symbol))
			return;
	}
}

struct symbol_search {
	const char *name;
	GElf_Sym *symbol;
	bool found;
};

static bool match_symbol(void *context, const char *name,
			 const GElf_Sym *symbol)
{
	struct symbol_search *search = context;

	if (symbol->st_shndx == SHN_UNDEF || strcmp(name, search->name) != 0)
		return true;
	*search->symbol = *symbol;
	search->found = true;
	return false;
}

bool hp_binary_symbol(const struct hp_binary *binary, bool dynamic,
		      const char *name, GElf_Sym *symbol)
{
	struct symbol_search search = {name, symbol, false};

	hp_binary_symbols(binary, dynamic, match_symbol, &search);
	return search.found;
}

void hp_binary_dynamic(const struct hp_binary *binary, GElf_Sxword tag,
		       void (*visit)(void *context, const char *text),
		       void *context)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(binary->elf, SHT_DYNAMIC, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	const char *text;
	GElf_Dyn entry;
	int i;

	for (i = 0; data && gelf_getdyn(data, i, &entry); i++) {
		if (entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag != tag)
			continue;
		text = elf_strptr(binary->elf, header.sh_link,
				  entry.d_un.d_val);
		if (text)
			visit(context, text);
	}
}

/* Data that is constant but for relocation is protected before it is used. */
bool hp_binary_is_writable(const struct hp_binary *binary, uint64_t address)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Phdr relro;

	if (has_segment(binary, PT_GNU_RELRO, &relro) &&
	    address - relro.p_vaddr < relro.p_memsz)
		return false;
	while ((section = elf_nextscn(binary->elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_flags & SHF_ALLOC) &&
		    !(header.sh_flags & SHF_TLS) &&
		    address - header.sh_addr < header.sh_size)
			return header.sh_flags & SHF_WRITE;
	return false;
}
