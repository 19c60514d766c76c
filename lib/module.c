/* SPDX-License-Identifier: MIT */
/*
 * Facts from program headers. The unwind table is the binary search table of
 * .eh_frame_hdr (LSB core, "Exception Frames"): it names every function, also
 * in a stripped module.
 */
#include "module.h"

#include "note.h"
#include "status.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>

/* The encodings that GNU ld, gold and lld write. */
#define TABLE_ENCODING 0x3b   /* signed 4 bytes, relative to the header */
#define COUNT_ENCODING 0x03   /* unsigned 4 bytes */
#define ADDRESS_ENCODING 0x1b /* signed 4 bytes, relative to itself */

struct search {
	uintptr_t address;
	struct hp_module_facts *facts;
};

struct unwind_header {
	uint8_t version;
	uint8_t frame_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t frame;
	uint32_t count;
	struct {
		int32_t function;
		int32_t description;
	} table[];
};

#ifdef __SANITIZE_THREAD__
/* The sanitizer does not see the loader's lock. It forgets who wrote the names
 * that dl_iterate_phdr() tells, but not who wrote their terminators, and
 * reports those that lie in words of their own. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);

struct visitor {
	hp_module_visitor visit;
	void *context;
};

static int visit_copy(struct dl_phdr_info *info, size_t size, void *argument)
{
	const struct visitor *visitor = argument;
	struct dl_phdr_info copy = *info;
	char name[PATH_MAX];

	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	hp_text_copy(name, sizeof(name), info->dlpi_name);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
	copy.dlpi_name = name;
	return visitor->visit(&copy, size, visitor->context);
}

int hp_module_walk(hp_module_visitor visit, void *context)
{
	struct visitor visitor = {visit, context};

	return dl_iterate_phdr(visit_copy, &visitor);
}
#else
int hp_module_walk(hp_module_visitor visit, void *context)
{
	return dl_iterate_phdr(visit, context);
}
#endif

/* Without the sanitizer, which does not see the loader's lock. */
__attribute__((no_sanitize("thread"))) static uintptr_t
base_of(const struct link_map *map)
{
	return map->l_addr;
}

bool hp_module_opened_at(void *handle, uintptr_t base)
{
	struct link_map *map;

	return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 &&
	       base_of(map) == base;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void read_build_id(const struct dl_phdr_info *info,
			  const ElfW(Phdr) *segment, char *build_id)
{
	struct hp_note_walk walk = {
		.at = (const unsigned char *)(info->dlpi_addr +
					      segment->p_vaddr),
		.left = segment->p_memsz,
		.alignment = segment->p_align,
	};
	struct hp_note note;

	while (hp_note_next(&walk, &note))
		if (hp_note_is(&note, "GNU", NT_GNU_BUILD_ID))
			hp_note_build_id(&note, build_id);
}

const ElfW(Phdr) *hp_module_segment(const struct dl_phdr_info *info,
				    uintptr_t address)
{
	const ElfW(Phdr) *segment = info->dlpi_phdr;
	int i;

	for (i = 0; i < info->dlpi_phnum; i++, segment++)
		if (segment->p_type == PT_LOAD &&
		    address - (info->dlpi_addr + segment->p_vaddr) <
			    segment->p_memsz)
			return segment;
	return NULL;
}

static void read_unwind(const struct dl_phdr_info *info, uintptr_t address,
			struct hp_module_facts *facts)
{
	const ElfW(Phdr) *segment = hp_module_segment(info, address);

	if (!segment || !(segment->p_flags & PF_R))
		return;
	facts->unwind = address;
	facts->unwind_start = info->dlpi_addr + segment->p_vaddr;
	facts->unwind_stop = facts->unwind_start + segment->p_memsz;
}

static void read_segments(const struct dl_phdr_info *info,
			  struct hp_module_facts *facts)
{
	const ElfW(Phdr) *segment = info->dlpi_phdr;
	uintptr_t start;
	int i;

	facts->start = UINTPTR_MAX;
	facts->base = info->dlpi_addr;
	facts->tls = info->dlpi_tls_modid;
	for (i = 0; i < info->dlpi_phnum; i++, segment++) {
		start = info->dlpi_addr + segment->p_vaddr;
		if (segment->p_type == PT_NOTE && !facts->build_id[0])
			read_build_id(info, segment, facts->build_id);
		if (segment->p_type == PT_GNU_EH_FRAME)
			read_unwind(info, start, facts);
		if (segment->p_type == PT_TLS)
			facts->tls_size = segment->p_memsz;
		if (segment->p_type != PT_LOAD)
			continue;
		if (start < facts->start)
			facts->start = start;
		if (start + segment->p_memsz > facts->stop)
			facts->stop = start + segment->p_memsz;
	}
}

static void read_facts(const struct dl_phdr_info *info,
		       struct hp_module_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	facts->program = info->dlpi_name[0] == '\0';
	hp_text_copy(facts->name, sizeof(facts->name),
		     facts->program ? program_invocation_short_name :
				      base_name(info->dlpi_name));
	read_segments(info, facts);
}

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *search = argument;

	(void)size;
	if (!hp_module_segment(info, search->address))
		return 0;
	read_facts(info, search->facts);
	return 1;
}

bool hp_module_find(const void *address, struct hp_module_facts *facts)
{
	struct search search = {(uintptr_t)address, facts};

	return hp_module_walk(visit, &search) == 1;
}

struct walk {
	hp_module_visit visit;
	void *context;
};

static int visit_each(struct dl_phdr_info *info, size_t size, void *argument)
{
	const struct walk *walk = argument;
	struct hp_module_facts facts;

	(void)size;
	read_facts(info, &facts);
	return walk->visit(walk->context, &facts, info->dlpi_name);
}

void hp_module_each(hp_module_visit visit_one, void *context)
{
	struct walk walk = {visit_one, context};

	hp_module_walk(visit_each, &walk);
}

struct range {
	uintptr_t base;
	uintptr_t address;
	size_t size;
	uint32_t flags;
};

static int visit_range(struct dl_phdr_info *info, size_t size, void *argument)
{
	const struct range *range = argument;
	const ElfW(Phdr) *segment = info->dlpi_phdr;
	uintptr_t offset;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++, segment++) {
		offset = range->address - info->dlpi_addr - segment->p_vaddr;
		if (info->dlpi_addr == range->base &&
		    segment->p_type == PT_LOAD &&
		    (segment->p_flags & range->flags) == range->flags &&
		    offset < segment->p_memsz &&
		    range->size <= segment->p_memsz - offset)
			return 1;
	}
	return 0;
}

bool hp_module_maps(const struct hp_module_facts *facts, uintptr_t address,
		    size_t size, uint32_t flags)
{
	struct range range = {facts->base, address, size, flags};

	return hp_module_walk(visit_range, &range) == 1;
}

static bool is_mapped(const struct hp_module_facts *facts, uintptr_t address,
		      size_t size)
{
	return address >= facts->unwind_start &&
	       address <= facts->unwind_stop &&
	       size <= facts->unwind_stop - address;
}

/* The header, if it is of the usual kind and all of its table is there. */
static const struct unwind_header *
find_header(const struct hp_module_facts *facts)
{
	const struct unwind_header *header =
		(const struct unwind_header *)facts->unwind;

	if (!is_mapped(facts, facts->unwind, sizeof(*header)) ||
	    facts->unwind % _Alignof(struct unwind_header) != 0)
		return NULL;
	if (header->version != 1 || header->table_encoding != TABLE_ENCODING ||
	    header->count_encoding != COUNT_ENCODING || header->count == 0)
		return NULL;
	if (!is_mapped(facts, (uintptr_t)header->table,
		       header->count * sizeof(header->table[0])))
		return NULL;
	return header;
}

/* The entry of the last function that begins at or before @address. */
static uint32_t entry_for(const struct unwind_header *header, uintptr_t address)
{
	uintptr_t base = (uintptr_t)header;
	uint32_t low = 0;
	uint32_t high = header->count;
	uint32_t middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (base + (uintptr_t)(intptr_t)header->table[middle].function <=
		    address)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Bytes that are read one by one; after the last come zeroes. */
struct bytes {
	const unsigned char *at;
	const unsigned char *stop;
};

static unsigned char take(struct bytes *bytes)
{
	return bytes->at < bytes->stop ? *bytes->at++ : 0;
}

static void skip(struct bytes *bytes, size_t count)
{
	while (count--)
		take(bytes);
}

static void skip_number(struct bytes *bytes)
{
	while (take(bytes) & 0x80)
		;
}

/* Bytes of a pointer of that encoding, 0 if it is an unusual one. */
static size_t pointer_size(unsigned char encoding)
{
	switch (encoding & 7) {
	case 0: /* a whole address */
	case 4:
		return 8;
	case 3:
		return 4;
	default:
		return 0;
	}
}

/*
 * The encoding of a description's addresses, from the common entry that it
 * names; 0 if that says something unusual. The entry's letters tell, in their
 * order, which data follow: P a personality routine, L the encoding of what
 * belongs to it, R the one that is wanted.
 */
static unsigned char address_encoding(struct bytes letters)
{
	struct bytes data;
	unsigned char letter;
	size_t size;
	int i;

	skip(&letters, 9); /* length, id, version */
	data = letters;
	while (take(&data))
		;
	if (take(&letters) != 'z')
		return 0;
	/* Alignments of code and data, return address, size of the data. */
	for (i = 0; i < 4; i++)
		skip_number(&data);
	while ((letter = take(&letters)) && letter != 'R') {
		if (letter == 'P') {
			size = pointer_size(take(&data));
			if (!size)
				return 0;
			skip(&data, size);
		} else if (letter == 'L') {
			take(&data);
		} else if (letter != 'S' && letter != 'B') {
			return 0;
		}
	}
	return letter ? take(&data) : 0;
}

/* Bytes of the function that the description at @address is of, 0 if that
 * cannot be told. */
static uint32_t described_size(const struct hp_module_facts *facts,
			       uintptr_t address)
{
	uint32_t head[4]; /* length, distance of the common entry, start, size */
	struct bytes common = {.stop = (void *)facts->unwind_stop};

	if (!is_mapped(facts, address, sizeof(head)))
		return 0;
	memcpy(head, (void *)address, sizeof(head));
	if (head[0] == UINT32_MAX ||
	    !is_mapped(facts, address + 4 - head[1], 0))
		return 0;
	common.at = (void *)(address + 4 - head[1]);
	return address_encoding(common) == ADDRESS_ENCODING ? head[3] : 0;
}

bool hp_module_function(const struct hp_module_facts *facts, uintptr_t address,
			uintptr_t *start, uintptr_t *stop)
{
	const struct unwind_header *header = find_header(facts);
	uint32_t entry;

	if (!header)
		return false;
	entry = entry_for(header, address);
	*start = facts->unwind +
		 (uintptr_t)(intptr_t)header->table[entry].function;
	*stop = *start +
		described_size(facts,
			       facts->unwind +
				       (uintptr_t)(intptr_t)header->table[entry]
					       .description);
	return *start <= address && address < *stop && *start >= facts->start &&
	       *stop <= facts->stop;
}
