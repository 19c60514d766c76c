/* SPDX-License-Identifier: MIT */
/*
 * LSB core, "Exception Frames", and DWARF 4, 6.4: common entries, each with the
 * rules that hold at the beginning of their functions, and a description of
 * each function.
 */
#include "frames.h"

#include <string.h>

#define RELATIVE_4 0x1b /* signed 4 bytes, relative to their own place */
#define RELATIVE_8 0x1c /* the same in 8 bytes */
#define EXTENDED 0xffffffffu

#define OP_NOP 0x00
#define OP_ADVANCE_1 0x02
#define OP_ADVANCE_4 0x04
#define OP_DEFINE 0x0c
#define OP_ADVANCE 0x40 /* in the two upper bits */

#if defined(__x86_64__)
#define STACK_REGISTER 7
#define STACK_OFFSET 8
#else
#define STACK_REGISTER 31
#define STACK_OFFSET 0
#endif

struct cursor {
	const unsigned char *at;
	const unsigned char *stop;
	bool bad;
};

struct common {
	unsigned char encoding;
	bool signal;
	bool plain; /* its rules are those of every function's entry */
	bool augmented;
};

static unsigned char take_byte(struct cursor *cursor)
{
	if (cursor->at >= cursor->stop) {
		cursor->bad = true;
		return 0;
	}
	return *cursor->at++;
}

static uint64_t take_number(struct cursor *cursor)
{
	unsigned int shift = 0;
	uint64_t value = 0;
	unsigned char byte;

	do {
		byte = take_byte(cursor);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static void take_bytes(struct cursor *cursor, void *place, size_t size)
{
	memset(place, 0, size);
	if (size > (size_t)(cursor->stop - cursor->at)) {
		cursor->bad = true;
		return;
	}
	memcpy(place, cursor->at, size);
	cursor->at += size;
}

static void skip_pointer(struct cursor *cursor, unsigned char encoding)
{
	unsigned char bytes[8];

	switch (encoding & 0x0f) {
	case 0x01:
	case 0x09:
		take_number(cursor);
		return;
	case 0x02:
	case 0x0a:
		take_bytes(cursor, bytes, 2);
		return;
	case 0x03:
	case 0x0b:
		take_bytes(cursor, bytes, 4);
		return;
	default:
		take_bytes(cursor, bytes, 8);
	}
}

/* The letters say which data follow, in their order. */
static void read_letters(struct cursor *cursor, const char *letter,
			 struct common *common)
{
	for (; *letter && !cursor->bad; letter++) {
		switch (*letter) {
		case 'z':
			common->augmented = true;
			take_number(cursor);
			break;
		case 'R':
			common->encoding = take_byte(cursor);
			break;
		case 'P':
			skip_pointer(cursor, take_byte(cursor));
			break;
		case 'L':
			take_byte(cursor);
			break;
		case 'S':
			common->signal = true;
			break;
		default:
			break;
		}
	}
}

static bool read_common(struct cursor cursor, struct common *common)
{
	unsigned char version = take_byte(&cursor);
	const char *letters = (const char *)cursor.at;
	const unsigned char *end =
		memchr(cursor.at, '\0', (size_t)(cursor.stop - cursor.at));

	memset(common, 0, sizeof(*common));
	if (cursor.bad || !end || (version != 1 && version != 3))
		return false;
	cursor.at = end + 1;
	take_number(&cursor); /* alignments of code and of data */
	take_number(&cursor);
	if (version == 1)
		take_byte(&cursor);
	else
		take_number(&cursor);
	read_letters(&cursor, letters, common);
	common->plain = take_byte(&cursor) == OP_DEFINE &&
			take_number(&cursor) == STACK_REGISTER &&
			take_number(&cursor) == STACK_OFFSET;
	return !cursor.bad;
}

/* Do the rules of the common entry hold at the function's first byte? */
static bool begins_plain(struct cursor cursor)
{
	unsigned char op;

	do {
		if (cursor.at == cursor.stop)
			return true;
		op = take_byte(&cursor);
	} while (op == OP_NOP);
	return (op & 0xc0) == OP_ADVANCE ||
	       (op >= OP_ADVANCE_1 && op <= OP_ADVANCE_4);
}

static bool read_range(struct cursor *cursor, unsigned char encoding,
		       uint64_t address, struct hp_frame *frame)
{
	int64_t start;
	int32_t short_start;
	uint32_t short_size;
	uint64_t size;

	if (encoding == RELATIVE_4) {
		take_bytes(cursor, &short_start, sizeof(short_start));
		take_bytes(cursor, &short_size, sizeof(short_size));
		start = short_start;
		size = short_size;
	} else if (encoding == RELATIVE_8) {
		take_bytes(cursor, &start, sizeof(start));
		take_bytes(cursor, &size, sizeof(size));
	} else {
		return false;
	}
	frame->start = address + (uint64_t)start;
	frame->stop = frame->start + size;
	return !cursor->bad && size && frame->stop > frame->start;
}

/* One record's contents at @cursor; @begin is the section's first byte and
 * @base that byte's address. */
static bool read_description(struct cursor cursor, const unsigned char *begin,
			     uint64_t base, struct hp_frame *frame)
{
	const unsigned char *id_place = cursor.at;
	struct cursor other = {begin, id_place, false};
	struct common common;
	uint64_t skipped;
	uint32_t id;
	uint32_t length;

	take_bytes(&cursor, &id, sizeof(id));
	if (!id || id > (size_t)(id_place - begin))
		return false;
	other.at = id_place - id;
	take_bytes(&other, &length, sizeof(length));
	if (other.bad || length == EXTENDED || length < 4 ||
	    length > (size_t)(id_place - other.at))
		return false;
	other.stop = other.at + length;
	other.at += sizeof(id);
	if (!read_common(other, &common) ||
	    !read_range(&cursor, common.encoding,
			base + (uint64_t)(cursor.at - begin), frame))
		return false;
	if (common.augmented) {
		skipped = take_number(&cursor);
		if (skipped > (size_t)(cursor.stop - cursor.at))
			return false;
		cursor.at += skipped;
	}
	frame->signal = common.signal;
	frame->entry = common.plain && !common.signal && begins_plain(cursor);
	return !cursor.bad;
}

/* Where .eh_frame begins, which the first pointer of its index tells. */
static bool find_table(const struct hp_elf *elf, uint64_t *address)
{
	const unsigned char *head;
	Elf64_Phdr segment;
	int32_t distance;

	if (!hp_elf_segment(elf, PT_GNU_EH_FRAME, &segment))
		return false;
	head = hp_elf_at(elf, segment.p_vaddr, 8);
	if (!head || head[0] != 1 || head[1] != RELATIVE_4)
		return false;
	memcpy(&distance, head + 4, sizeof(distance));
	*address = segment.p_vaddr + 4 + (uint64_t)(int64_t)distance;
	return true;
}

bool hp_frames_each(const struct hp_elf *elf, hp_frame_visitor visit,
		    void *argument)
{
	struct cursor cursor = {NULL, NULL, false};
	struct cursor record;
	struct hp_frame frame;
	const unsigned char *begin;
	uint64_t address;
	uint64_t left;
	uint32_t length;

	if (!find_table(elf, &address))
		return true;
	left = hp_elf_left(elf, address);
	begin = hp_elf_at(elf, address, left);
	if (!begin)
		return true;
	cursor.at = begin;
	cursor.stop = begin + left;
	for (;;) {
		take_bytes(&cursor, &length, sizeof(length));
		if (cursor.bad || length < 4 || length == EXTENDED ||
		    length > (size_t)(cursor.stop - cursor.at))
			return true;
		record = (struct cursor){cursor.at, cursor.at + length, false};
		cursor.at += length;
		if (read_description(record, begin, address, &frame) &&
		    !visit(&frame, argument))
			return false;
	}
}
