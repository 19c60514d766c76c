/* SPDX-License-Identifier: MIT */
/*
 * x86-64 by Zydis. Opcodes are those of the Intel manual, volume 2, appendix A;
 * only instructions in the legacy encoding transfer control.
 */
#include "decode.h"

#include <Zydis/Zydis.h>
#include <string.h>

#define LANDING_SIZE 4
#define REACH_SIZE 5 /* of a jump with 32 bits of distance */
#define NOP 0x90

static const unsigned char landing[LANDING_SIZE] = {0xf3, 0x0f, 0x1e, 0xfa};

/* ms_hook_prologue begins so: lea 0(%rsp), %rsp in 8 bytes. */
static const unsigned char hook[] = {0x48, 0x8d, 0xa4, 0x24,
				     0x00, 0x00, 0x00, 0x00};

static bool decode_raw(const unsigned char *bytes, size_t left, bool minimal,
		       ZydisDecodedInstruction *raw)
{
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
					 ZYDIS_STACK_WIDTH_64)))
		return false;
	ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, minimal);
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes,
							  left, raw));
}

static enum hp_flow flow_of_two_bytes(const ZydisDecodedInstruction *raw)
{
	if ((raw->opcode & 0xf0) == 0x80)
		return HP_FLOW_BRANCH;
	return raw->opcode == 0x0b ? HP_FLOW_END : HP_FLOW_PLAIN;
}

static enum hp_flow flow_of_one_byte(const ZydisDecodedInstruction *raw)
{
	switch (raw->opcode) {
	case 0xe8:
		return HP_FLOW_CALL;
	case 0xe9:
	case 0xeb:
		return HP_FLOW_JUMP;
	case 0xe0:
	case 0xe1:
	case 0xe2:
	case 0xe3:
		return HP_FLOW_BRANCH;
	case 0xc2:
	case 0xc3:
	case 0xcc:
	case 0xf4:
		return HP_FLOW_END;
	case 0xc7: /* xbegin */
		return raw->raw.modrm.mod == 3 && raw->raw.modrm.reg == 7 ?
			       HP_FLOW_BRANCH :
			       HP_FLOW_PLAIN;
	case 0xff:
		return raw->raw.modrm.reg == 4 || raw->raw.modrm.reg == 5 ?
			       HP_FLOW_INDIRECT :
			       HP_FLOW_PLAIN;
	default:
		return (raw->opcode & 0xf0) == 0x70 ? HP_FLOW_BRANCH :
						      HP_FLOW_PLAIN;
	}
}

static enum hp_flow flow_of(const ZydisDecodedInstruction *raw)
{
	if (raw->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return HP_FLOW_PLAIN;
	if (raw->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		return flow_of_one_byte(raw);
	if (raw->opcode_map == ZYDIS_OPCODE_MAP_0F)
		return flow_of_two_bytes(raw);
	return HP_FLOW_PLAIN;
}

bool hp_decode(const unsigned char *bytes, size_t left, uint64_t address,
	       struct hp_instruction *instruction)
{
	ZydisDecodedInstruction raw;

	if (!decode_raw(bytes, left, true, &raw))
		return false;
	instruction->length = raw.length;
	instruction->flow = flow_of(&raw);
	instruction->target =
		address + raw.length + (uint64_t)raw.raw.imm[0].value.s;
	return true;
}

/* Does an operand in memory count from the instruction's end? What moves
 * control and debug registers has the same ModRM byte, and no memory. */
static bool is_relative_memory(const ZydisDecodedInstruction *raw)
{
	return (raw->attributes & ZYDIS_ATTRIB_HAS_MODRM) &&
	       raw->raw.modrm.mod == 0 && raw->raw.modrm.rm == 5 &&
	       raw->raw.disp.size == 32;
}

/*
 * Not movable: a distance that is cut to 32 bits, a transaction's abort
 * address, and what is no sane beginning of a function.
 */
static bool is_movable(const ZydisDecodedInstruction *raw)
{
	enum hp_flow flow = flow_of(raw);

	if (raw->address_width != 64 &&
	    (is_relative_memory(raw) || raw->opcode == 0xe3))
		return false;
	if (flow == HP_FLOW_BRANCH && raw->opcode == 0xc7)
		return false;
	return (flow != HP_FLOW_JUMP && flow != HP_FLOW_CALL &&
		flow != HP_FLOW_BRANCH) ||
	       raw->operand_width == 64;
}

static uint8_t landing_before(const unsigned char *bytes, size_t left)
{
	return left >= LANDING_SIZE &&
			       memcmp(bytes, landing, LANDING_SIZE) == 0 ?
		       LANDING_SIZE :
		       0;
}

/* -fpatchable-function-entry gives many nops of one byte (gcc) or one that is
 * long (clang). */
static bool is_prepared(const unsigned char *bytes, size_t left,
			const ZydisDecodedInstruction *first)
{
	static const unsigned char nops[REACH_SIZE] = {NOP, NOP, NOP, NOP, NOP};

	return (first->mnemonic == ZYDIS_MNEMONIC_NOP &&
		first->length >= REACH_SIZE) ||
	       (left >= sizeof(nops) &&
		memcmp(bytes, nops, sizeof(nops)) == 0) ||
	       (left >= sizeof(hook) && memcmp(bytes, hook, sizeof(hook)) == 0);
}

bool hp_decode_head(const unsigned char *bytes, size_t left,
		    struct hp_head *head)
{
	ZydisDecodedInstruction raw;

	head->skip = landing_before(bytes, left);
	if (!decode_raw(bytes + head->skip, left - head->skip, false, &raw))
		return false;
	head->length = raw.length;
	head->prepared =
		is_prepared(bytes + head->skip, left - head->skip, &raw);
	head->movable = is_movable(&raw);
	head->next_length = 0;
	bytes += head->skip + head->length;
	left -= (size_t)head->skip + head->length;
	if (decode_raw(bytes, left, false, &raw) && is_movable(&raw))
		head->next_length = raw.length;
	return true;
}

struct writer {
	struct hp_relocated *relocated;
	uint64_t to;
	bool reaches;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
	memcpy(writer->relocated->bytes + writer->relocated->size, bytes, size);
	writer->relocated->size += (uint8_t)size;
}

/* The four bytes of a distance to @target, counted from behind them and
 * @behind more. */
static void put_distance(struct writer *writer, uint64_t target, size_t behind)
{
	uint64_t base = writer->to + writer->relocated->size + 4 + behind;
	int64_t distance = (int64_t)(target - base);
	int32_t narrow = (int32_t)distance;

	writer->reaches &= narrow == distance;
	put(writer, &narrow, sizeof(narrow));
}

static void put_jump(struct writer *writer, uint64_t target)
{
	static const unsigned char jump = 0xe9;

	put(writer, &jump, 1);
	put_distance(writer, target, 0);
}

/* loop and jrcxz have short forms only: over a jump, or to it. */
static void put_short_branch(struct writer *writer, unsigned char opcode,
			     uint64_t target)
{
	const unsigned char bytes[] = {opcode, 2, 0xeb, REACH_SIZE};

	put(writer, bytes, sizeof(bytes));
	put_jump(writer, target);
}

static void put_branch(struct writer *writer,
		       const ZydisDecodedInstruction *raw, uint64_t target)
{
	unsigned char wide[2] = {0x0f,
				 (unsigned char)(0x80 | (raw->opcode & 0x0f))};

	if (raw->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	    (raw->opcode & 0xf0) == 0xe0) {
		put_short_branch(writer, raw->opcode, target);
		return;
	}
	put(writer, wide, sizeof(wide));
	put_distance(writer, target, 0);
}

static void put_copy(struct writer *writer, const unsigned char *bytes,
		     const ZydisDecodedInstruction *raw, uint64_t from)
{
	size_t place = raw->raw.disp.offset;

	if (!is_relative_memory(raw)) {
		put(writer, bytes, raw->length);
		return;
	}
	put(writer, bytes, place);
	put_distance(writer, from + raw->length + (uint64_t)raw->raw.disp.value,
		     raw->length - place - 4);
	put(writer, bytes + place + 4, raw->length - place - 4);
}

static void put_instruction(struct writer *writer, const unsigned char *bytes,
			    const ZydisDecodedInstruction *raw, uint64_t from)
{
	static const unsigned char call = 0xe8;
	uint64_t target =
		from + raw->length + (uint64_t)raw->raw.imm[0].value.s;

	switch (flow_of(raw)) {
	case HP_FLOW_JUMP:
		put_jump(writer, target);
		return;
	case HP_FLOW_BRANCH:
		put_branch(writer, raw, target);
		return;
	case HP_FLOW_CALL:
		put(writer, &call, 1);
		put_distance(writer, target, 0);
		return;
	default:
		put_copy(writer, bytes, raw, from);
	}
}

/* DWARF numbers of the registers (psABI, figure 3.36), by their code. */
static const int8_t dwarf_numbers[16] = {0, 2, 1,  3,  7,  6,  4,  5,
					 8, 9, 10, 11, 12, 13, 14, 15};

static bool writes_stack_pointer(const ZydisDecodedInstruction *raw,
				 const ZydisDecodedOperand *operands)
{
	size_t i;

	for (i = 0; i < raw->operand_count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operands[i].reg.value == ZYDIS_REGISTER_RSP &&
		    (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	return false;
}

static void describe_sum(const ZydisDecodedInstruction *raw,
			 const ZydisDecodedOperand *operands,
			 struct hp_moved *moved)
{
	bool grows = raw->mnemonic == ZYDIS_MNEMONIC_SUB;

	moved->known_stack = (grows || raw->mnemonic == ZYDIS_MNEMONIC_ADD) &&
			     operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	if (!moved->known_stack)
		return;
	moved->stack_depth = (int32_t)operands[1].imm.value.s;
	if (!grows)
		moved->stack_depth = -moved->stack_depth;
}

/* What the instruction does to the stack, for the unwinder. */
static void describe_stack(const unsigned char *bytes, size_t left,
			   struct hp_moved *moved)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction raw;
	ZydisDecoder decoder;

	moved->stack_depth = 0;
	moved->saved = -1;
	moved->known_stack = false;
	moved->calls = true; /* as far as is known */
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
					 ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, left, &raw,
					       operands)))
		return;
	moved->calls = raw.mnemonic == ZYDIS_MNEMONIC_CALL;
	if (raw.mnemonic == ZYDIS_MNEMONIC_PUSH && raw.operand_width == 64) {
		moved->known_stack = true;
		moved->stack_depth = 8;
		if (raw.opcode >= 0x50 && raw.opcode <= 0x57)
			moved->saved = dwarf_numbers[(raw.opcode & 7) |
						     (raw.raw.rex.B << 3)];
	} else if (raw.mnemonic == ZYDIS_MNEMONIC_CALL ||
		   raw.mnemonic == ZYDIS_MNEMONIC_RET ||
		   !writes_stack_pointer(&raw, operands)) {
		moved->known_stack = true;
	} else {
		describe_sum(&raw, operands, moved);
	}
}

bool hp_relocate(const unsigned char *bytes, size_t left, uint64_t from,
		 uint64_t to, size_t count, struct hp_relocated *relocated)
{
	struct writer writer = {relocated, to, true};
	size_t at = landing_before(bytes, left);
	enum hp_flow flow = HP_FLOW_PLAIN;
	ZydisDecodedInstruction raw;

	memset(relocated, 0, sizeof(*relocated));
	put(&writer, bytes, at);
	for (; relocated->count < count; relocated->count++) {
		if (!decode_raw(bytes + at, left - at, false, &raw) ||
		    !is_movable(&raw))
			return false;
		if (relocated->count)
			relocated->second = relocated->size;
		put_instruction(&writer, bytes + at, &raw, from + at);
		describe_stack(bytes + at, left - at,
			       &relocated->moved[relocated->count]);
		relocated->moved[relocated->count].at = relocated->size;
		flow = flow_of(&raw);
		at += raw.length;
	}
	if (flow != HP_FLOW_JUMP && flow != HP_FLOW_END &&
	    flow != HP_FLOW_INDIRECT)
		put_jump(&writer, from + at);
	return writer.reaches;
}
